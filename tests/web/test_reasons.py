"""The catalogue of reasons against the code: whatever the rooms deny stands in it, with the status of there."""

import ast
from collections.abc import Iterator
from pathlib import Path

import gateway
from gateway.core.account import Refused
from gateway.web.problems import _REASONS as OF_AIOHTTP
from gateway.web.reasons import REASONS
from gateway.web.routes import API

GATEWAY = Path(gateway.__file__).parent
# What only the command line is told, over its own door, and what only pages say.
OTHERS = {"work/admin.py", "web/control.py"}
PAGES_ONLY = {"differ"}
# No Denied of its own: made from what aiohttp refuses, or from the machine of accounts.
ELSEWHERE = {"expectation_failed": 417} | {reason: status for status, reason in OF_AIOHTTP.items()}


def denied() -> Iterator[tuple[str, str, int]]:
    """Give file, reason and status of every Denied that is written out."""
    for path in sorted([*(GATEWAY / "work").glob("*.py"), *(GATEWAY / "web").rglob("*.py")]):
        name = path.relative_to(GATEWAY).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if name in OTHERS or not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "Denied":
                continue
            values = [arg.value if isinstance(arg, ast.Constant) else None for arg in node.args]
            if isinstance(values[0], str) and isinstance(values[2], int):
                yield name, values[0], values[2]


def test_every_denial_stands_in_the_catalogue_with_its_status() -> None:
    found = list(denied())
    assert len(found) > 50
    for name, reason, status in found:
        if reason not in PAGES_ONLY:
            assert reason in REASONS, (name, reason)
            assert REASONS[reason].status == status, (name, reason)


def test_every_reason_of_the_catalogue_is_given_by_something() -> None:
    given = {reason for _, reason, _ in denied()} | set(ELSEWHERE) | {why.value for why in Refused}
    assert set(REASONS) == given - PAGES_ONLY
    assert all(REASONS[reason].status == status for reason, status in ELSEWHERE.items())
    assert all(REASONS[why.value].status == 409 for why in Refused)


def test_rows_name_only_reasons_of_the_catalogue_and_each_once() -> None:
    for row in API:
        assert set(row.denies) <= set(REASONS), row.path


def test_every_meaning_is_a_sentence() -> None:
    for reason, row in REASONS.items():
        assert row.meaning[0].isupper(), reason
        assert row.meaning.endswith("."), reason
        assert 400 <= row.status < 600
