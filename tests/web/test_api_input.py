"""Whatever programs send: each refusal is problem JSON with a stable type and a sentence, and changes nothing."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.web.routes import API
from tests.web.conftest import EMAIL, PASSWORD, Answer, House
from tests.web.rows import address, names, owned

pytestmark = pytest.mark.asyncio(loop_scope="module")

WITH_BODY: list[Any] = [row for row in API if row.body is not None]
JSON_TYPE = {"Content-Type": "application/json"}
KIB = 1024
WRONG: tuple[Any, ...] = ([], 1.5, {"a": 1}, True, None)
# One body per row that is right in its form; what it says (a wrong password, an unknown unit) is refused or harmless.
BODIES: dict[str, dict[str, Any]] = {
    "SetUp": {"token": "0" * 40, "email": "other@example.org", "password": PASSWORD},
    "PasswordSignIn": {"email": EMAIL, "password": "not this one, not this one"},
    "CodeSignIn": {"code": "000000", "window_h": 12},
    "PaperSignIn": {"code": "0000-0000-0000-0000-0000-0000"},
    "Rescue": {"email": EMAIL, "rescue_key": "0" * 24, "password": PASSWORD},
    "Reset": {"ticket": "0" * 40, "password": PASSWORD},
    "Invitation": {"ticket": "0" * 40, "email": EMAIL, "password": PASSWORD},
    "ChangePassword": {"old": "not this one, not this one", "new": PASSWORD},
    "ChangeEmail": {"email": "no address"},
    "DeleteAccount": {"email": "somebody@example.org"},
    "RescueKey": {"rescue_key": "0" * 24},
    "Regain": {"rescue_key": "0" * 24, "password": PASSWORD},
    "StartTwoFactor": {"password": PASSWORD},
    "DisableTwoFactor": {"password": "not this one, not this one", "code": "000000", "held": 0},
    "OpenClaim": {"sighting": "usb:none"},
    "Rename": {"label": "Other"},
    "WayPassword": {"way": "usb:none", "password": "0700"},
    "NamedWay": {"way": "usb:none"},
    "TrustWay": {"way": "usb:none", "shown": "somebody else"},
    "ScanSettings": {"resolution_dpi": 200, "colour": "gray", "paper": "a4", "jpeg_quality": 5},
    "NewDestination": {"kind": "folder", "label": "Other", "config": {"path": "/etc"}, "secrets": {}},
    "ChangedDestination": {"label": "Other", "config": {"path": "/etc"}, "secrets": {}},
    "RuleBody": {"destinations": ["unknown"], "colours": ["gray"], "weekdays": [0], "from_minute": 480, "tags": ["a"]},
    "Place": {"place": 0},
    "SendTo": {"destination": "unknown"},
    "NewChannel": {"kind": "ntfy", "config": {"url": "http://127.0.0.1:1/papers"}, "secrets": {}},
}


def problem(answer: Answer, status: int, reason: str) -> None:
    """Check that an answer is this problem, as RFC 9457 and our own rules have it."""
    assert (answer.status, answer.media_type) == (status, "application/problem+json"), answer.content
    assert set(answer.json) - {"errors"} == {"type", "title", "status", "detail"}
    assert (answer.json["type"], answer.json["status"]) == (f"/problems/{reason}", status)
    assert answer.json["title"] == HTTPStatus(status).phrase
    assert len(answer.json["detail"].split()) >= 3, "a sentence, not a code"
    for fault in answer.json.get("errors", ()):
        assert fault["path"].startswith("$")
        assert fault["detail"]


@pytest_asyncio.fixture(loop_scope="module")
async def unchanged(shared: House) -> Any:
    """Check around a test that nothing of the account changed and that the daemon still answers."""
    before = owned(shared)
    yield
    assert owned(shared) == before
    assert (await shared.raw("GET", "/status", token="")).status == 200
    assert (await shared.call("GET", "/session"))["level"] == "L2"


async def send(house: House, row: Any, body: Any, **options: Any) -> Answer:
    path = address(row, house.unit_id).removeprefix("/api/v1")
    return await house.raw(row.method, path, body, **options)


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/scans/", "/units/x/y/z", "/../v1/nothing", "/%2e%2e/x", "/é"])
async def test_an_unknown_address_is_a_problem(shared: House, unchanged: None, path: str) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        problem(await shared.raw(method, path.replace("é", "%C3%A9")), 404, "unknown_path")


@pytest.mark.parametrize("path", sorted({row.path for row in API}))
async def test_an_unknown_method_names_the_known_ones(shared: House, unchanged: None, path: str) -> None:
    known = {row.method for row in API if row.path == path}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - known:
        concrete = path.replace("{id}", "x").replace("{page}", "1").removeprefix("/api/v1")
        answer = await shared.raw(method, concrete)
        problem(answer, 405, "method_not_allowed")
        assert {name.strip() for name in answer.headers["Allow"].split(",")} == known


@pytest.mark.parametrize("row", WITH_BODY, ids=names(WITH_BODY))
async def test_an_unknown_field_is_refused_by_name(shared: House, unchanged: None, row: Any) -> None:
    answer = await send(shared, row, BODIES[row.body.__name__] | {"admin": True})
    problem(answer, 422, "invalid")
    assert "admin" in answer.json["detail"]


@pytest.mark.parametrize("row", WITH_BODY, ids=names(WITH_BODY))
async def test_each_missing_field_is_named(shared: House, unchanged: None, row: Any) -> None:
    body = BODIES[row.body.__name__]
    for field in msgspec.structs.fields(row.body):
        if field.required:
            answer = await send(shared, row, {k: v for k, v in body.items() if k != field.name})
            problem(answer, 422, "invalid")
            assert field.name in answer.json["detail"]


@pytest.mark.parametrize("row", WITH_BODY, ids=names(WITH_BODY))
async def test_each_wrong_type_is_told_with_its_path(shared: House, unchanged: None, row: Any) -> None:
    body = BODIES[row.body.__name__]
    for name in body:
        for wrong in ([None], *WRONG[1:]) if isinstance(body[name], list) else WRONG:
            answer = await send(shared, row, body | {name: wrong})
            assert 400 <= answer.status < 500, (name, wrong, answer.content)
            if name != "code":
                problem(answer, 422, "invalid")
                assert answer.json["errors"][0]["path"].startswith(f"$.{name}"), (wrong, answer.content)
    for whole in ("[]", '"text"', "1", "null"):
        answer = await send(shared, row, None, data=whole, headers=JSON_TYPE)
        problem(answer, 422, "invalid")


@pytest.mark.parametrize("text", [b"", b"{", b"nonsense", b"{'a': 1}", b"\xff\xfe", b'{"a', b"\x00"])
async def test_what_is_not_json_is_a_400(shared: House, unchanged: None, text: bytes) -> None:
    for row in WITH_BODY:
        answer = await send(shared, row, None, data=text, headers=JSON_TYPE)
        problem(answer, 400, "not_json")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml"]
)
async def test_other_kinds_of_body_are_not_taken(shared: House, unchanged: None, kind: str) -> None:
    for row in WITH_BODY:
        content = json.dumps(BODIES[row.body.__name__]).encode()
        problem(await send(shared, row, None, data=content, headers={"Content-Type": kind}), 415, "media_type")


@pytest.mark.parametrize("row", WITH_BODY, ids=names(WITH_BODY))
async def test_a_body_over_the_limit_is_refused_with_and_without_a_length(
    shared: House, unchanged: None, row: Any
) -> None:
    content = json.dumps(BODIES[row.body.__name__]).encode() + b" " * 64 * KIB

    async def pieces() -> Any:
        for start in range(0, len(content), 8 * KIB):
            yield content[start : start + 8 * KIB]

    for data in (content, pieces()):
        try:
            answer = await send(shared, row, None, data=data, headers=JSON_TYPE)
        except (aiohttp.ClientConnectionError, ConnectionError):
            continue  # the answer was sent and the connection closed before all of the body was
        problem(answer, 413, "too_large")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1:99999", "a@127.0.0.1", "[::2]"])
async def test_another_host_name_is_refused_before_anything_else(shared: House, unchanged: None, host: str) -> None:
    for row in API:
        problem(await send(shared, row, None, headers={"Host": host}), 421, "host")


@pytest.mark.parametrize("unknown", ["0" * 32, "x", "%00", "%2e%2e", "1%27%20OR%201=1", "y" * 4000, "%F0%9F%96%A8"])
async def test_an_unknown_id_is_not_found(shared: House, unchanged: None, unknown: str) -> None:
    for row in (r for r in API if "{id}" in r.path):
        path = row.path.removeprefix("/api/v1").replace("{id}", unknown).replace("{page}", "1")
        answer = await shared.raw(row.method, path, BODIES[row.body.__name__] if row.body else None)
        problem(answer, 404, "unit_not_found" if row.path.endswith("/scan") else "not_found")


@pytest.mark.parametrize("token", ["nonsense", "x" * 4000, "' OR 1=1", "a.b.c", "0" * 43])
async def test_a_bearer_of_nonsense_is_nobody(shared: House, unchanged: None, token: str) -> None:
    answer = await shared.raw("GET", "/units", token=token)
    problem(answer, 401, "sign_in")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert (await shared.raw("GET", "/session", token=token)).json["level"] == "L0"


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=201", "limit=-1", "limit=x", "limit=", "limit=%D9%A1", "limit=1e2", "limit=" + "9" * 20),
        *("before=", "before=x", "before=2026-01-01", "before=2026-01-01T00:00:00", "before=%00"),
    ],
)
async def test_a_query_out_of_range_is_explained(shared: House, unchanged: None, query: str) -> None:
    problem(await shared.raw("GET", f"/scans?{query}"), 422, "invalid")


@pytest.mark.parametrize("label", ["", "   ", "x" * 61, "a\nb\x00", "\u202eabc", "x" * 60_000])
async def test_labels_have_one_to_sixty_printable_characters(shared: House, unchanged: None, label: str) -> None:
    problem(await shared.raw("PATCH", f"/units/{shared.unit_id}", {"label": label}), 422, "unusable")
    config = {"path": str(shared.archive)}
    body = {"kind": "folder", "label": label, "config": config, "secrets": {}}
    problem(await shared.raw("POST", "/destinations", body), 422, "unusable")


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "ftp"},
        {"kind": "FOLDER"},
        {"config": {}},
        {"config": {"path": ""}},
        {"config": {"path": "relative"}},
        {"config": {"path": "/etc/passwd"}},
        {"config": {"path": "/\x00"}},
        {"config": {"path": "/x" * 2000}},
        {"config": {"path": "/", "more": "x"}},
        {"secrets": {"password": "x"}},
    ],
    ids=lambda change: str(change)[:40],
)
async def test_a_destination_that_its_kind_does_not_accept_is_not_saved(
    shared: House, unchanged: None, change: dict[str, Any]
) -> None:
    body = {"kind": "folder", "label": "A", "config": {"path": str(shared.archive)}, "secrets": {}} | change
    answer = await shared.raw("POST", "/destinations", body)
    assert (answer.status, answer.reason) == (422, "destination_unusable")
    assert answer.json["detail"].split(":")[0].lower() in ("kind", "path", "more", "password")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def requests(draw: Callable[[Any], Any]) -> tuple[Any, Any]:
    """A row and a body: anything at all, or a right one with some of its fields exchanged."""
    row = draw(st.sampled_from(WITH_BODY))
    right = BODIES[row.body.__name__]
    changed = draw(st.dictionaries(st.sampled_from(sorted(right)) | st.text(max_size=8), JSON, max_size=3))
    return row, draw(st.just(right | changed) | JSON)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=requests())
async def test_no_body_whatever_makes_the_gateway_fail(shared: House, case: tuple[Any, Any]) -> None:
    row, body = case
    answer = await send(shared, row, None, data=json.dumps(body), headers=JSON_TYPE)
    assert answer.status < 500, (row.path, body, answer.content)
    if answer.status >= 400:
        problem(answer, answer.status, answer.reason)
