"""Values that break careless programs, in every field of every body: none of them is an internal error."""

import json
from typing import Any

import msgspec
import pytest

from gateway.web.routes import API
from tests.web.conftest import House
from tests.web.rows import address

pytestmark = pytest.mark.asyncio(loop_scope="module")

WITH_BODY: list[Any] = [row for row in API if row.body is not None]
WITH_ID = [row for row in API if "{id}" in row.path]
DEEP = "[" * 15_000 + "]" * 15_000
ODD = {  # as JSON text
    "lone surrogate": r'"\ud800"',
    "two surrogates in the wrong order": r'"\udfff\ud800"',
    "NUL": r'"\u0000"',
    "NUL inside": r'"a\u0000b"',
    "override": r'"\u202e\u2066"',
    "huge text": '"' + "x" * 60_000 + '"',
    "huge text beyond the basic plane": '"' + "\U0001f5a8" * 15_000 + '"',
    "combining": '"' + "e" + "\u0301" * 20_000 + '"',
    "case folding grows": '"' + "\u0390" * 20_000 + '"',
    "2^63": "9223372036854775808",
    "huge number": "9" * 5_000,
    "huge negative number": "-" + "9" * 5_000,
    "huge exponent": "1e999999",
    "fraction": "1.5",
    "minus zero": "-0",
    "NaN": "NaN",
    "deep": DEEP,
    "deep objects": '{"a":' * 8_000 + "1" + "}" * 8_000,
    "format": '"%s%n{0}{x}"',
    "sql": '''"' OR 1=1; --"''',
    "number of a code": "123456",
    "digits of another script": '"\u0661\u0662\u0663\u0664\u0665\u0666"',
    "object": r'{"\ud800": "\u0000", "": ""}',
}


def plain(kind: Any) -> str:
    """Return some JSON text of a field's type."""
    return {int: "1", str: '"x"', bool: "true", dict: "{}"}.get(getattr(kind, "__origin__", kind), '"x"')


def bodies(row: Any, odd: str) -> list[str]:
    """Return a body per field, with the odd value in it, and one that has it everywhere."""
    fields = msgspec.structs.fields(row.body)
    right = {f.encode_name: plain(f.type) for f in fields if f.required}
    each = [right | {f.encode_name: odd} for f in fields] + [{f.encode_name: odd for f in fields}]
    return ["{" + ",".join(f"{json.dumps(k)}:{v}" for k, v in one.items()) + "}" for one in each]


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
async def test_no_odd_value_in_a_body_is_an_internal_error(shared: House, odd: str) -> None:
    for row in WITH_BODY:
        path = address(row, shared.unit_id).removeprefix("/api/v1")
        for body in bodies(row, odd):
            answer = await shared.raw(
                row.method,
                path,
                data=body.encode("utf-8"),
                headers={"Content-Type": "application/json", "Idempotency-Key": "odd"} if row.once else JSON_TYPE,
            )
            assert answer.status < 500 or answer.reason == "busy", (row.path, body[:200], answer.content)
    assert (await shared.call("GET", "/session"))["level"] == "L2"


JSON_TYPE = {"Content-Type": "application/json"}
PARTS = [
    "%ED%A0%80",
    "%00",
    "%FF%FE",
    "%0d%0aX:y",
    "%25",
    "%2F",
    "%5c",
    "+",
    "%E2%80%AE",
    "x" * 2000,
    "%F0%9F%96%A8",
    "~",
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part[:12])
async def test_no_odd_identifier_is_an_internal_error(shared: House, part: str) -> None:
    for row in WITH_ID:
        path = address(row, part).removeprefix("/api/v1")
        answer = await shared.raw(row.method, path, {} if row.body else None)
        assert 400 <= answer.status < 500, (row.path, answer.content)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part[:12])
async def test_no_odd_parameter_is_an_internal_error(shared: House, part: str) -> None:
    for path in ("/scans", "/audit"):
        for name in ("limit", "before"):
            assert (await shared.raw("GET", f"{path}?{name}={part}")).status == 422
        assert (await shared.raw("GET", f"{path}?{part}={part}&{part}")).status == 200
    answer = await shared.raw("DELETE", f"/session?everywhere={part}")
    assert (answer.status, answer.reason) == (422, "invalid")
    huge = await shared.raw("GET", "/audit?before=" + "9" * 15)
    assert huge.status == 200
