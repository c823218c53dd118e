"""What the pages say of scans and their deliveries: all can be reached, each says what is so and what can be done."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.core.model import ScanId
from gateway.destinations.port import Trace
from gateway.destinations.webdav import WebdavDestination
from gateway.web.pages.shown import SCAN_ROWS
from gateway.work import dispatch, notices
from simulator.sinks import Fault, Trouble
from tests.web.browser import Browser
from tests.web.conftest import EMAIL, PASSWORD, House, until

CANNOT_BE_ASKED = "the destination cannot be asked"
OWNERS_WORD = {"Try again", "It has arrived", "Do not send it"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "PAUSE_S", 0.05)
    monkeypatch.setattr(notices, "ROUND_S", 0.2)
    monkeypatch.setattr(dispatch, "SWEEP_S", 0.2)


@pytest.fixture
async def owner(house: House) -> House:
    """A house whose owner has a unit, an L2 session, and a WebDAV server as the only destination."""
    await house.set_up()
    await house.register()
    await house.enable()
    await house.add_webdav()
    return house


async def signed_in(house: House) -> Browser:
    person = await house.browser()
    await person.get("/")
    await person.submit("Sign in", email=EMAIL, password=PASSWORD)
    await person.submit("Sign in", code=house.code())
    return person


async def the_delivery(house: House, state: str, *words: str) -> dict[str, Any]:
    """Wait until the one delivery is in a state, with a reason that has some words; time goes by meanwhile."""

    async def there() -> Any:
        [scan] = (await house.call("GET", "/scans"))["items"]
        for row in scan["deliveries"]:
            if row["state"] == state and all(word in row["reason"] for word in words):
                return row | {"scan": scan["id"]}
        return None

    return dict(await until(state, there))


def buttons(person: Browser) -> set[str]:
    return {button.text for button in person.now.tree.all("button")}


# --- the list


async def test_every_scan_is_reached_by_plain_links(owner: House) -> None:
    owner.sink.misbehave(Fault("PROPFIND", Trouble.STATUS, status=401))
    await owner.scan(1)
    oldest = (await the_delivery(owner, "failed"))["scan"]
    store = owner.daemon.services.store
    row = await store.scans.get(oldest)
    for n in range(2 * SCAN_ROWS):  # two at a time began at the very same moment
        at = row.started_at + timedelta(seconds=1 + n // 2)
        await store.scans.begin(replace(row, id=ScanId(f"{n:032x}"), started_at=at))
    person = await signed_in(owner)
    seen: list[str] = []
    await person.get("/")
    assert "Newest" not in {a.text for a in person.now.tree.all("a")}
    for more in (True, True, False):
        listed = [a.attrs["href"] for a in person.now.tree.all("a") if a.attrs["href"].startswith("/scans/")]
        assert len(listed) <= SCAN_ROWS
        seen += listed
        if more:
            await person.follow("Older")
    assert len(seen) == len(set(seen)) == 2 * SCAN_ROWS + 1
    assert seen[-1] == f"/scans/{oldest}"
    assert "Older" not in {a.text for a in person.now.tree.all("a")}
    part = next(
        n.attrs["data-fragment"] for n in person.now.tree.all("div") if "scans" in n.attrs.get("data-topic", "")
    )
    assert oldest in (await person.get(part)).html, "the script refreshes the scans that are shown"
    await person.get("/")
    await person.follow("Older")
    await person.follow("Newest")
    assert seen[0] in person.now.html


async def test_a_mark_that_is_none_is_refused_and_one_behind_the_last_scan_says_so(owner: House) -> None:
    person = await signed_in(owner)
    assert (await person.get("/?before=yesterday")).status == 422
    assert "No older scans." in (await person.get("/?before=20200101T000000.000000Z~")).text


# --- a delivery that waits for another try


async def test_a_failing_delivery_says_why_and_when_it_is_tried_again_and_can_be_given_up(owner: House) -> None:
    owner.sink.misbehave(Fault("PROPFIND", Trouble.STATUS, status=503, headers=(("Retry-After", "600"),), times=1000))
    await owner.scan(1)
    row = await the_delivery(owner, "waiting", "server")
    person = await signed_in(owner)
    for path in ("/", f"/scans/{row['scan']}"):
        await person.get(path)
        assert "Cloud" in person.now.text
        assert row["reason"][1:] in person.now.text
        assert "The next try is at 2" in person.now.text
        assert OWNERS_WORD & buttons(person) == {"Do not send it"}
    await person.submit("Do not send it: Cloud")
    await the_delivery(owner, "discarded")


async def test_what_the_gate_holds_says_so_whatever_else_went_wrong_with_the_scan(owner: House) -> None:
    owner.sink.misbehave(Fault("PROPFIND", Trouble.STATUS, status=401))
    await owner.scan(1)
    scan = (await the_delivery(owner, "failed"))["scan"]
    archive = await owner.add_folder()
    owner.archive.rename(owner.archive.with_name("away"))
    await owner.call("POST", f"/scans/{scan}/deliveries", {"destination": archive})
    await the_delivery(owner, "waiting", "folder")
    await owner.call("DELETE", "/forwarding")
    owner.clock.ahead += timedelta(seconds=20)
    await the_delivery(owner, "waiting", "Held: ")
    [row] = (await owner.call("GET", "/scans"))["items"]
    assert row["held"]
    assert row["reason"].startswith("Held: ")


# --- a delivery whose answer was lost


async def test_what_is_being_checked_says_when_and_asks_its_owner_nothing_yet(owner: House) -> None:
    owner.sink.misbehave(Fault("MOVE", Trouble.DROP_REPLY))
    await owner.scan(1)
    row = await the_delivery(owner, "uncertain")
    owner.sink.misbehave(Fault("PROPFIND", Trouble.STATUS, status=503, headers=(("Retry-After", "600"),), times=1000))
    person = await signed_in(owner)
    for path in ("/", f"/scans/{row['scan']}"):
        await person.get(path)
        assert "Being checked" in person.now.text
        assert "The next look is at 2" in person.now.text
        assert CANNOT_BE_ASKED not in person.now.text
        assert not OWNERS_WORD & buttons(person)
    await owner.call("DELETE", "/forwarding")
    owner.clock.ahead += timedelta(minutes=12)
    await the_delivery(owner, "uncertain", "Held: ")
    await person.get("/")
    assert "checked once forwarding is open" in person.now.text
    assert not OWNERS_WORD & buttons(person)


async def test_what_cannot_be_asked_for_is_left_to_its_owner(owner: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cannot_say(*_: object) -> Trace:
        return Trace.UNKNOWABLE

    monkeypatch.setattr(WebdavDestination, "reconcile", cannot_say)
    owner.sink.misbehave(Fault("MOVE", Trouble.DROP_REPLY))
    await owner.scan(1)
    row = await the_delivery(owner, "uncertain")
    owner.clock.ahead += timedelta(seconds=10)
    await the_delivery(owner, "uncertain", "cannot say")
    person = await signed_in(owner)
    for path in ("/", f"/scans/{row['scan']}"):
        await person.get(path)
        assert CANNOT_BE_ASKED in person.now.text
        assert "Being checked" not in person.now.text
        assert buttons(person) >= OWNERS_WORD
    await person.submit("It has arrived: Cloud")
    await the_delivery(owner, "delivered")


async def test_a_destination_that_stays_silent_leaves_the_word_to_the_owner_at_last(owner: House) -> None:
    owner.sink.misbehave(Fault("MOVE", Trouble.DROP_REPLY))
    await owner.scan(1)
    await the_delivery(owner, "uncertain")
    owner.sink.misbehave(Fault("PROPFIND", Trouble.STATUS, status=503, times=1000))
    person = await signed_in(owner)

    async def silent() -> bool:
        owner.clock.ahead += timedelta(seconds=15)
        return "brought no answer so far" in (await person.get("/")).text

    await until("the owner to be asked", silent)
    assert CANNOT_BE_ASKED not in person.now.text
    assert buttons(person) >= OWNERS_WORD


# --- notices


async def test_a_notice_about_one_scan_leads_to_it(owner: House) -> None:
    owner.sink.misbehave(Fault("MOVE", Trouble.DROP_REPLY))
    await owner.scan(1)
    row = await the_delivery(owner, "uncertain")
    owner.sink.misbehave(Fault("PROPFIND", Trouble.STATUS, status=503, times=1000))
    person = await signed_in(owner)

    async def told() -> bool:
        owner.clock.ahead += timedelta(seconds=15)
        return "It is not certain" in (await person.get("/fragments/notices")).html

    await until("the notice", told)
    assert person.now.link("It is not certain whether a document arrived").attrs["href"] == f"/scans/{row['scan']}"
    assert "Your account" not in {a.text for a in person.now.tree.all("a")}, "it is about no scan"
