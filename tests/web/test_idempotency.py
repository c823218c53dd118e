"""A request that is sent again by mistake does its work once."""

import asyncio
import sqlite3
from datetime import timedelta
from typing import Any

import pytest

from gateway.web.api import answers_account as answers
from gateway.web.routes import API
from tests.web.conftest import PASSWORD, Answer, House
from tests.web.rows import address, names

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONCE = [row for row in API if row.once]
SECRET = (answers.SessionAnswer, answers.PaperAnswer, answers.EnrolmentAnswer)


def folder(house: House, label: str) -> dict[str, Any]:
    return {"kind": "folder", "label": label, "config": {"path": str(house.archive)}, "secrets": {}}


async def add(house: House, key: str, label: str = "Again") -> Answer:
    return await house.raw("POST", "/destinations", folder(house, label), headers={"Idempotency-Key": key})


async def count(house: House, label: str = "Again") -> int:
    return sum(d["label"] == label for d in (await house.call("GET", "/destinations"))["items"])


def kept(house: House) -> list[Any]:
    """Return the rows of first answers."""
    database = sqlite3.connect(f"file:{house.state / 'gateway.sqlite3'}?mode=ro", uri=True)
    try:
        return database.execute("SELECT key, request, status, body FROM first_answers").fetchall()
    finally:
        database.close()


async def test_it_is_where_a_retry_could_double_something_and_where_no_secret_is_answered() -> None:
    assert {f"{row.method} {row.path.removeprefix('/api/v1')}" for row in ONCE} == {
        "POST /destinations",
        "POST /rules",
        "POST /channels",
        "POST /scans/{id}/deliveries",
        "POST /claims",
        "POST /units/{id}/scan",
        "POST /deliveries/{id}/retry",
    }
    assert not [row for row in ONCE if row.answer in SECRET]


@pytest.mark.parametrize("key", ["8e03978e-40d5", '"quoted 8e03978e-40d5"', "k" * 255])
async def test_a_retry_gets_the_first_answer_and_does_nothing(shared: House, key: str) -> None:
    label = f"Once {key[:9]}".replace('"', "")
    first = await add(shared, key, label)
    again = await add(shared, key, label)
    assert (first.status, again.status) == (201, 201)
    assert first.content == again.content
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    assert await count(shared, label) == 1


async def test_a_quoted_key_is_the_same_as_a_bare_one(shared: House) -> None:
    assert (await add(shared, '"same"', "Same")).json["id"] == (await add(shared, "same", "Same")).json["id"]


async def test_another_body_or_another_address_is_refused(shared: House) -> None:
    await add(shared, "reused", "First")
    other = await add(shared, "reused", "Second")
    assert (other.status, other.reason) == (422, "idempotency_key_reused")
    headers = {"Idempotency-Key": "reused"}
    elsewhere = await shared.raw("POST", f"/units/{shared.unit_id}/scan", headers=headers)
    assert (elsewhere.status, elsewhere.reason) == (422, "idempotency_key_reused")
    assert await count(shared, "Second") == 0


async def test_of_many_at_once_one_does_it(shared: House) -> None:
    got = await asyncio.gather(*(add(shared, "at-once", "At once") for _ in range(8)))
    assert await count(shared, "At once") == 1
    assert {(a.status, a.reason) for a in got if a.status != 201} <= {(409, "idempotency_in_progress")}
    assert {a.content for a in got if a.status == 201} == {next(a.content for a in got if a.status == 201)}


async def test_a_refusal_frees_the_key(shared: House) -> None:
    headers = {"Idempotency-Key": "refused"}
    wrong = folder(shared, "Refused") | {"config": {"path": "/etc"}}
    for _ in range(2):
        answer = await shared.raw("POST", "/destinations", wrong, headers=headers)
        assert (answer.status, answer.reason) == (422, "destination_unusable")
    assert (await shared.raw("POST", "/destinations", {"a": 1}, headers=headers)).reason == "invalid"
    assert (await add(shared, "refused", "Refused")).status == 201


async def test_a_request_that_was_cut_off_is_not_done_again(shared: House, monkeypatch: Any) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise OSError("the power failed")

    with monkeypatch.context() as patch:
        patch.setattr(type(shared.daemon.services.catalogue), "add_destination", broken)
        assert (await add(shared, "cut-off", "Cut off")).status == 500
    answer = await add(shared, "cut-off", "Cut off")
    assert (answer.status, answer.reason) == (409, "idempotency_unknown")
    assert await count(shared, "Cut off") == 0


async def test_the_guard_stands_before_it(shared: House) -> None:
    await add(shared, "guarded", "Guarded")
    headers = {"Idempotency-Key": "guarded"}
    answer = await shared.raw("POST", "/destinations", folder(shared, "Guarded"), token="", headers=headers)
    assert (answer.status, answer.reason) == (401, "sign_in")


@pytest.mark.parametrize("key", ["", "two words", "k" * 256, 'a"b', '""', '"open', "é"])
@pytest.mark.parametrize("row", ONCE, ids=names(ONCE))
async def test_a_malformed_key_is_explained(shared: House, row: Any, key: str) -> None:
    path = address(row, "0" * 32).removeprefix("/api/v1")
    answer = await shared.raw(row.method, path, headers={"Idempotency-Key": key})
    assert (answer.status, answer.reason) == (400, "idempotency_key_malformed")


async def test_elsewhere_a_key_means_nothing(shared: House) -> None:
    for label in ("One", "Two"):
        headers = {"Idempotency-Key": "elsewhere"}
        assert (await shared.raw("PATCH", f"/units/{shared.unit_id}", {"label": label}, headers=headers)).status == 200


async def test_a_claim_and_a_scan_are_done_once(shared: House) -> None:
    before = len(shared.unit.delivered)
    scan = [await shared.raw("POST", "/claims", {"sighting": "usb:none"}, headers={"Idempotency-Key": "c"})]
    assert scan[0].reason == "unit_not_found"
    shared.unit.load(1)
    got = [
        await shared.raw("POST", f"/units/{shared.unit_id}/scan", headers={"Idempotency-Key": "one-scan"})
        for _ in range(2)
    ]
    assert [(a.status, a.content) for a in got] == [(204, b""), (204, b"")]
    assert got[1].headers["Idempotency-Replayed"] == "true"
    assert len(shared.unit.delivered) <= before + 2


async def test_a_key_is_forgotten_after_a_day_and_no_secret_is_kept(shared: House) -> None:
    await add(shared, "a-secret-key", "Old")
    for key, request, status, body in kept(shared):
        assert (len(key), len(request)) == (64, 64), "MACs: a body may hold a password"
        assert status is None or 200 <= status < 300
        assert not any(secret.encode() in body for secret in (shared.token, PASSWORD, shared.secret))
    shared.clock.ahead += timedelta(hours=24)
    await shared.sign_in()
    assert (await add(shared, "a-secret-key", "Old")).status == 201
    assert await count(shared, "Old") == 2
    assert len(kept(shared)) == 1
