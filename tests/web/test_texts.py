"""Templates, texts and style against each other: nothing is missing, nothing is left over."""

import re
from pathlib import Path

import gateway.web
from gateway.core.model import DeliveryState, UnitState
from gateway.web import texts
from gateway.work import recovery
from gateway.work.standing import Check

WEB = Path(gateway.web.__file__).parent
TEMPLATES = {path.name: path.read_text("utf-8") for path in sorted((WEB / "templates").glob("*.html"))}
PYTHON = "\n".join(path.read_text("utf-8") for path in WEB.rglob("*.py") if "texts" not in path.parts)
ALL = "\n".join(TEMPLATES.values())
STYLE = re.sub(r"/\*.*?\*/", "", (WEB / "static" / "style.css").read_text("utf-8"), flags=re.DOTALL)

SETTINGS = ("colour", "paper", "jpeg_quality", "brightness", "contrast")
MANAGED = ("sessions", "recovery", "audit", "password", "email")
DEVICES = ("iphone", "android", "desk")
SWITCHES = ("duplex", "double_feed", "overscan", "on_paper")
# Keys that a template puts together: its expression, and what it can become.
BUILT = {
    't("menu." ~ name)': {f"menu.{name}" for name in ("home", "add", "destinations", "settings", "sign_out")},
    't("window." ~ h)': {f"window.{hours}" for hours in (1, 12, 24)},
    't("unit." ~ name)': {f"unit.{name}" for name in (*SETTINGS, *SWITCHES)},
    't("unit." ~ name ~ ".help")': {f"unit.{name}.help" for name in SWITCHES},
    't("manage." ~ name)': {f"manage.{name}" for name in MANAGED},
    't("manage." ~ name ~ ".help")': {f"manage.{name}.help" for name in MANAGED},
    't("trust." ~ device)': {f"trust.{device}" for device in DEVICES},
    't("trust." ~ device ~ ".how")': {f"trust.{device}.how" for device in DEVICES},
    't("sign_out." ~ where)': {"sign_out.everywhere", "sign_out.here"},
    't("sign_out." ~ where ~ ".help")': {"sign_out.everywhere.help", "sign_out.here.help"},
}
# Classes that are a state's name, and those of the QR code's SVG.
STATES = {*texts.UNIT_STATES, *texts.SCAN_OUTCOMES, *texts.DELIVERY_STATES}


def used_keys() -> set[str]:
    plain = set(re.findall(r'\bt\("([^"]+)"[,)]', ALL)) | set(re.findall(r'texts\.text\("([^"]+)"', PYTHON))
    reasons = set(re.findall(r'"(sign_in\.(?!html)\w+)"', PYTHON))  # signin.py looks them up by ?why=
    plain |= set(re.findall(r'title="([a-z_.]+)"', PYTHON)) | {recovery.RESET, recovery.RESET_NEW_KEYS}
    return plain | reasons | set().union(*BUILT.values())


def test_every_expression_that_builds_a_key_is_known() -> None:
    assert set(re.findall(r'\bt\("[^"]+" ~[^)]*\)', ALL)) == set(BUILT)


def test_every_used_text_exists_and_every_text_is_used() -> None:
    assert used_keys() - set(texts.TEXTS) == set()
    assert set(texts.TEXTS) - used_keys() == set()


def test_every_counted_text_exists_and_is_used_with_both_numbers() -> None:
    assert set(re.findall(r'counted\("([^"]+)"', ALL)) == set(texts.COUNTED)
    for key, (one, many) in texts.COUNTED.items():
        assert "1" in one
        assert "{n}" in many, key
        assert texts.counted(key, 1) == one
        assert texts.counted(key, 0).count("0") == 1


def test_every_notice_is_given_by_some_page() -> None:
    assert set(re.findall(r"done=([a-z_]+)", PYTHON)) == set(texts.NOTICES)


def test_every_state_has_its_word() -> None:
    assert set(texts.CHECKS) == set(Check)
    assert set(texts.UNIT_STATES) == {state.value for state in UnitState}
    assert set(texts.DELIVERY_STATES) == {state.value for state in DeliveryState}
    signs = re.search(r"set signs = \{(.*?)\}", TEMPLATES["_scans.html"])
    assert signs
    assert set(re.findall(r'"(\w+)":', signs[1])) == set(texts.SCAN_OUTCOMES)


def test_texts_are_filled_with_the_values_they_name() -> None:
    for key, text in texts.TEXTS.items():
        for name in re.findall(r"{(\w+)}", text):
            assert re.search(rf't\("{re.escape(key)}", [^)]*\b{name}=', ALL), (key, name)


def test_every_icon_is_drawn_and_used() -> None:
    drawn = set(re.findall(r'^  "(\w+)": "M', TEMPLATES["_ui.html"], re.MULTILINE))
    quoted = set(re.findall(r'"(\w+)"', "\n".join(line for line in ALL.splitlines() if ': "M' not in line)))
    assert drawn
    assert drawn <= quoted
    named = set(re.findall(r'ui\.icon\("(\w+)"', ALL))
    assert named <= drawn


def used_classes() -> set[str]:
    found = set()
    for attribute in re.findall(r'class="((?:\{\{.*?\}\}|\{%.*?%\}|[^"])*)"', ALL):
        literals = [piece for block in re.findall(r"\{\{.*?\}\}", attribute) for piece in re.findall(r'"(\w+)"', block)]
        found |= set(re.sub(r"\{\{.*?\}\}|\{%.*?%\}", " ", attribute).split()) | set(literals)
    for handed in re.findall(r"ui\.(?:icon|post)\([^)]*", ALL):
        found |= {c for text in re.findall(r'"((?:icon|button)[ a-z]*)"', handed) for c in text.split()}
    found |= set(re.findall(r"block width %}(\w+)", ALL))
    return found


def test_every_class_has_its_style_and_every_style_its_class() -> None:
    styled = set(re.findall(r"\.([a-z][a-z-]*)", STYLE))
    assert used_classes() - styled - STATES == set()
    assert styled - used_classes() - STATES == set()


def test_every_colour_is_defined_and_every_definition_used() -> None:
    defined = set(re.findall(r"(--[a-z-]+):", STYLE))
    assert defined == set(re.findall(r"var\((--[a-z-]+)\)", STYLE))


def test_templates_hold_no_sentence_of_their_own() -> None:
    for name, text in TEMPLATES.items():
        bare = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>|<!doctype html>", " ", text, flags=re.DOTALL)
        words = re.findall(r"[A-Za-z]{3,}", re.sub(r"\{\{.*?\}\}", "", bare))
        assert set(words) <= {"ScanSnap", "narrow"}, (name, words)  # the model's name, and a class
