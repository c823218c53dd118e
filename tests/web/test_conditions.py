"""ETags for clients that poll, If-Match for those that change, and lists that are read in pages."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from gateway.core.model import Scan, ScanId, ScanState, UnitId
from gateway.web.api.conditions import tagged
from gateway.web.routes import API
from tests.web.conftest import House
from tests.web.rows import address, names

pytestmark = pytest.mark.asyncio(loop_scope="module")

LISTS = [row for row in API if tagged(row) and "{id}" not in row.path and not row.path.endswith("/status")]
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("row", LISTS, ids=names(LISTS))
async def test_what_did_not_change_is_not_sent_again(shared: House, row: Any) -> None:
    path = address(row).removeprefix("/api/v1")
    async with asyncio.timeout(10):  # a unit that wakes up changes the answer in between
        while True:
            first = await shared.raw("GET", path)
            tag = first.headers["ETag"]
            again = await shared.raw("GET", path, headers={"If-None-Match": f'"other", W/{tag}'})
            if again.status == 304:
                break
    assert (again.status, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert again.headers["Cache-Control"] == "no-store"
    for other in ('"other"', "nonsense", tag.strip('"'), tag + "x"):
        assert (await shared.raw("GET", path, headers={"If-None-Match": other})).status == 200


async def test_a_change_changes_the_tag(shared: House) -> None:
    path = f"/units/{shared.unit_id}"
    tag = (await shared.raw("GET", path)).headers["ETag"]
    await shared.call("PATCH", path, {"label": "Another name"})
    after = await shared.raw("GET", path, headers={"If-None-Match": tag})
    assert (after.status, after.json["label"]) == (200, "Another name")
    assert after.headers["ETag"] != tag


async def test_a_refusal_has_no_tag_and_is_never_304(shared: House) -> None:
    answer = await shared.raw("GET", "/units", token="", headers={"If-None-Match": "*"})
    assert answer.status == 401
    assert "ETag" not in answer.headers


async def settings_of(house: House) -> tuple[str, dict[str, Any]]:
    answer = await house.raw("GET", f"/units/{house.unit_id}/settings")
    assert answer.status == 200
    return answer.headers["ETag"], answer.json


async def test_settings_are_written_only_over_what_the_client_saw(shared: House) -> None:
    path = f"/units/{shared.unit_id}/settings"
    tag, seen = await settings_of(shared)
    first = await shared.raw("PUT", path, seen | {"resolution_dpi": 200}, headers={"If-Match": tag})
    assert first.status == 200
    late = await shared.raw("PUT", path, seen | {"resolution_dpi": 600}, headers={"If-Match": tag})
    assert (late.status, late.reason) == (412, "precondition_failed")
    assert (await settings_of(shared))[1]["resolution_dpi"] == 200
    for condition in ({"If-Match": "*"}, {"If-Match": f'"x", {tag}'}, {}):  # `seen` is there again after the first
        assert (await shared.raw("PUT", path, seen, headers=condition)).status == 200


@pytest.mark.parametrize("condition", ['"x"', "nonsense", "", "W/{tag}"])
async def test_what_does_not_match_strongly_is_a_412(shared: House, condition: str) -> None:
    tag, seen = await settings_of(shared)
    for method, path, body in (("PUT", "/settings", seen), ("PATCH", "", {"label": "Never"})):
        headers = {"If-Match": condition.replace("{tag}", tag)}
        answer = await shared.raw(method, f"/units/{shared.unit_id}{path}", body, headers=headers)
        assert (answer.status, answer.reason) == (412, "precondition_failed")
    assert (await shared.call("GET", f"/units/{shared.unit_id}"))["label"] != "Never"


async def test_of_two_who_saw_the_same_one_comes_too_late(shared: House) -> None:
    path = f"/units/{shared.unit_id}/settings"
    for round_ in range(5):
        tag, seen = await settings_of(shared)
        bodies = [seen | {"brightness": 2 * round_ + n + 1} for n in range(2)]
        both = await asyncio.gather(*(shared.raw("PUT", path, b, headers={"If-Match": tag}) for b in bodies))
        assert sorted(answer.status for answer in both) == [200, 412]


async def test_an_unknown_unit_is_not_found_whatever_the_condition(shared: House) -> None:
    for path in (f"/units/{'0' * 32}", f"/units/{'0' * 32}/settings"):
        assert (await shared.raw("GET", path)).reason == "not_found"
    answer = await shared.raw("PATCH", f"/units/{'0' * 32}", {"label": "A"}, headers={"If-Match": "*"})
    assert answer.reason == "not_found"


@pytest_asyncio.fixture(loop_scope="module")
async def many(shared: House) -> AsyncIterator[list[str]]:
    """Seven scans, four of them begun at the same instant; returns their ids in the order of the list."""
    store = shared.daemon.services.store
    [account] = await store.accounts.all()
    ids = [f"{n:x}" * 32 for n in (3, 9, 1, 7, 2, 8, 5)]
    ages = (0, 1, 1, 1, 1, 2, 3)
    for one, age in zip(ids, ages, strict=True):
        at = AT - timedelta(minutes=age)
        await store.scans.begin(Scan(ScanId(one), account.id, UnitId("0" * 32), "Unit", ScanState.RECEIVING, at))
    yield [ids[0], *sorted(ids[1:5]), *ids[5:]]
    for one in ids:
        await store.scans.forget_empty(ScanId(one))


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 50])
async def test_pages_of_scans_follow_each_other_without_gap_or_repeat(
    shared: House, many: list[str], limit: int
) -> None:
    seen: list[str] = []
    before, pages = "", 0
    while True:
        page = await shared.call("GET", f"/scans?limit={limit}{before}")
        seen += [scan["id"] for scan in page["items"]]
        pages += 1
        if page["next"] is None:
            break
        assert len(page["items"]) == limit
        before = f"&before={page['next']}"
    assert seen == many
    assert pages == -(-len(many) // limit)


async def test_a_time_alone_still_says_from_where_on(shared: House, many: list[str]) -> None:
    at = (AT - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [s["id"] for s in (await shared.call("GET", f"/scans?before={at}"))["items"]] == many[5:]


@pytest.mark.parametrize("mark", ["~", "x~" + "0" * 32, "20260301T120000Z~x", "20260301T120000Z~" + "0" * 33, "%00~"])
async def test_a_mark_of_nonsense_is_explained(shared: House, mark: str) -> None:
    answer = await shared.raw("GET", f"/scans?before={mark}")
    assert (answer.status, answer.reason) == (422, "invalid")


async def test_pages_of_the_audit_follow_each_other(shared: House) -> None:
    whole = (await shared.call("GET", "/audit?limit=200"))["items"]
    seen, before = [], ""
    while True:
        page = await shared.call("GET", f"/audit?limit=2{before}")
        seen += page["items"]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert seen == whole
    assert len(whole) > 3
