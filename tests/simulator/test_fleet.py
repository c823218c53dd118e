"""Fleets as data: the built-in one, and sentences for what is wrong."""

from pathlib import Path

import pytest

from simulator import Fleet, UnitSpec
from simulator.fleet import FleetError, builtin
from simulator.models import MODELS

GOOD = '[[unit]]\nid = "a"\nmodel = "iX500"\nserial = 7\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "fleet.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_built_in_fleet_is_one_ix500_at_its_own_speed() -> None:
    (unit,) = Fleet.load("ix500").units
    assert (unit.id, unit.model, unit.sheets, unit.feed_s) == ("ix500", "iX500", 0, None)


def test_a_fleet_can_be_named_by_its_models() -> None:
    units = Fleet.of("iX500", "s1500", "iX500", sheets=4).units
    assert [(unit.id, unit.model, unit.sheets, unit.busy_polls, unit.feed_s) for unit in units] == [
        ("ix500", "iX500", 4, 1, None),
        ("s1500", "S1500", 4, 1, None),
        ("ix500-2", "iX500", 4, 1, None),
    ]
    assert len({unit.serial for unit in units}) == 3
    with pytest.raises(FleetError, match=r"unknown model 'iX9'; known are .*iX1600"):
        Fleet.of("iX9")


def test_every_model_makes_a_fleet() -> None:
    assert len(Fleet.of(*(model.name for model in MODELS)).units) == 18


@pytest.mark.parametrize("name", builtin())
def test_a_built_in_fleet_can_be_loaded(name: str) -> None:
    assert Fleet.load(name).units


def test_a_fleet_is_read_from_a_file(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + 'sheets = 3\nfeed_s = 0.5\n[[unit]]\nid = "b"\nmodel = "S1500"\nserial = 8\n')
    assert Fleet.load(path).units == (UnitSpec("a", "iX500", 7, 3, 0.5), UnitSpec("b", "S1500", 8))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"at least one \[\[unit\]\]"),
        ("unit = 3", r"as a \[\[unit\]\] table"),
        ("[[unit", "not valid TOML"),
        ("[[units]]", "unknown key 'units'"),
        (GOOD + "colour = 1", "a: unknown key 'colour'"),
        ('[[unit]]\nid = "a"\nmodel = "iX500"', "a: 'serial' is missing"),
        (GOOD.replace("iX500", "iX9"), "unknown model 'iX9'; known are .*iX500"),
        (GOOD.replace('"iX500"', '["iX500"]'), "unknown model"),
        (GOOD.replace('"a"', "3"), "use 1 to 32 of"),
        (GOOD.replace('"a"', '"A b"'), "use 1 to 32 of"),
        (GOOD.replace("7", "-7"), "serial must be a whole number"),
        (GOOD + "sheets = true", "sheets must be a whole number"),
        (GOOD + "feed_s = -1", "feed_s must be a number of seconds"),
        (GOOD + 'paper = "a0"', "unknown paper 'a0'; known are a4"),
        (GOOD + "feed_s = nan", "feed_s must be a number of seconds"),
        (GOOD + "escl = 1", "a: escl is a table"),
        (GOOD + "[unit.escl]\nadf = false", "a: escl: a scanner has a feeder"),
        (GOOD + "[unit.escl]\ncolour = 1", "a: escl: .*colour"),
        (GOOD + '[unit.snmp]\nobject_id = "1"', "a: snmp.object_id '1'"),
        (GOOD + GOOD, "two units are called 'a'"),
    ],
)
def test_a_bad_fleet_says_what_to_change(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(FleetError, match=sentence):
        Fleet.load(write(tmp_path, text))


def test_an_office_machine_has_a_glass_a_feeder_and_an_agent() -> None:
    (unit,) = Fleet.load("office").units
    assert unit.escl is not None
    assert unit.snmp is not None
    assert (unit.usb, unit.escl.platen, unit.escl.adf) == (False, True, True)
    assert unit.escl.serial == unit.snmp.serial


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    for source in (tmp_path, tmp_path / "latin.toml", "\0"):
        with pytest.raises(FleetError, match="cannot be read"):
            Fleet.load(source)


def test_an_unknown_name_lists_the_built_in_ones() -> None:
    with pytest.raises(FleetError, match=r"no built-in fleet .*ix500"):
        Fleet.load("ix9")
