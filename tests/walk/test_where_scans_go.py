"""Rules at work: several destinations at once, none without a rule, and what the owner says of single deliveries."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from gateway.core.model import DestinationId
from simulator.sinks import Fault, Trouble
from tests.walk.conftest import House


async def folder(house: House, name: str, *, everything: bool = False) -> str:
    path = house.archive / name
    path.mkdir()
    body = {"kind": "folder", "label": name, "config": {"path": str(path)}, "everything": everything}
    return str((await house.call("POST", "/destinations", body))["id"])


async def two_factor(house: House) -> None:
    await house.register()
    await house.enable()


def there(house: House, name: str) -> list[Path]:
    return list((house.archive / name).glob("*.pdf"))


async def reason(house: House, words: str) -> Any:
    async def asked() -> Any:
        rows = await house.scans()
        return rows and words in rows[0]["reason"] and rows[0]

    return await house.until(words, asked)


async def test_a_scan_without_a_rule_is_held_and_flows_once_there_is_one(house: House) -> None:
    await two_factor(house)
    a = await folder(house, "a")
    await house.scan(1)
    scan = await reason(house, "no rule")
    assert scan["held"]
    assert scan["deliveries"] == []
    await house.call("POST", "/rules", {"destinations": [a]})
    await house.delivered(1)
    assert len(there(house, "a")) == 1


async def test_one_rule_sends_to_several_destinations_at_once_and_the_first_that_fits_counts(house: House) -> None:
    await two_factor(house)
    a, b, c = [await folder(house, name) for name in "abc"]
    await folder(house, "d", everything=True)
    await house.call("POST", "/rules", {"destinations": [c], "colours": ["lineart"]})
    rule = await house.call("POST", "/rules", {"destinations": [a, b], "colours": ["colour"]})
    rules = (await house.call("GET", "/rules"))["items"]
    assert [r["colours"] for r in rules] == [["lineart"], ["colour"], []], "before the one for every scan"
    assert rule["place"] == 1
    await house.scan(1)
    await house.delivered(2)
    assert [len(there(house, name)) for name in "abcd"] == [1, 1, 0, 0]


async def test_a_rule_can_be_moved_changed_and_removed_and_says_no_to_what_is_not_ours(house: House) -> None:
    await two_factor(house)
    a = await folder(house, "a")
    first = await house.call("POST", "/rules", {"destinations": [a], "colours": ["colour"]})
    second = await house.call("POST", "/rules", {"destinations": [a], "weekdays": [0, 6]})
    await house.call("PUT", f"/rules/{second['id']}/place", {"place": 0})
    assert [r["id"] for r in (await house.call("GET", "/rules"))["items"]] == [second["id"], first["id"]]
    changed = await house.call("PUT", f"/rules/{first['id']}", {"destinations": [a], "title": "{date} of {unit}"})
    assert (changed["title"], changed["colours"]) == ("{date} of {unit}", [])
    for body in (
        {"destinations": []},
        {"destinations": [a, a]},
        {"destinations": ["0" * 32]},
        {"destinations": [a], "units": ["0" * 32]},
        {"destinations": [a], "colours": ["red"]},
        {"destinations": [a], "weekdays": [7]},
        {"destinations": [a], "to_minute": 1440},
        {"destinations": [a], "title": "x" * 129},
        {"destinations": [a], "tags": ["one\ntwo"]},
    ):
        status, said = await house.raw("POST", "/rules", body)
        assert (status, said["type"]) == (422, "/problems/unusable"), body
    await house.call("DELETE", f"/rules/{first['id']}")
    assert (await house.raw("DELETE", f"/rules/{first['id']}"))[0] == 404


async def test_a_removed_destination_leaves_its_rule_which_holds(house: House) -> None:
    await two_factor(house)
    a = await folder(house, "a")
    await house.call("POST", "/rules", {"destinations": [a], "colours": ["colour"]})
    await folder(house, "b", everything=True)
    await house.call("DELETE", f"/destinations/{a}")
    await house.scan(1)
    await reason(house, "names no destination any more")
    assert there(house, "b") == [], "no other rule takes what a broken one is for"


async def test_what_a_removed_destination_did_not_get_goes_to_the_one_that_takes_its_place(house: House) -> None:
    await two_factor(house)
    cloud = await house.add_webdav()
    house.sink.misbehave(Fault("PROPFIND", Trouble.STATUS, status=401, times=100))
    await house.scan(1)

    async def failed() -> Any:
        [scan] = await house.scans()
        return [d["state"] for d in scan["deliveries"]] == ["failed"]

    await house.until("the wrong password", failed)
    house.sink.faults.clear()
    await house.call("DELETE", f"/destinations/{cloud}")
    scan = await reason(house, "no destination")
    assert scan["held"]
    await house.add_webdav()

    async def arrived() -> Any:
        [scan] = await house.scans()
        return sorted(d["state"] for d in scan["deliveries"]) == ["delivered", "discarded"]

    await house.until("the delivery", arrived)
    assert len([name for name in house.sink.files() if name.endswith(".pdf")]) == 1


async def test_a_changed_password_is_entered_at_the_destination_and_what_failed_goes_out(house: House) -> None:
    await two_factor(house)
    real, house.sink.password = house.sink.password, "the one of before"
    cloud = await house.add_webdav()
    await house.scan(1)

    async def failed() -> Any:
        [scan] = await house.scans()
        return [d["state"] for d in scan["deliveries"]] == ["failed"]

    await house.until("the wrong password", failed)
    [present] = (await house.call("GET", "/destinations"))["items"]
    body = {"label": "Cloud", "config": present["config"], "secrets": {"password": real}}
    elsewhere = {"config": present["config"] | {"username": "eve"}, "secrets": {}}
    status, said = await house.raw("PUT", f"/destinations/{cloud}", body | elsewhere)
    assert (status, said["type"]) == (422, "/problems/destination_unusable"), "a secret is sent to no other place"
    assert (await house.raw("PUT", f"/destinations/{'0' * 32}", body))[0] == 404
    await house.call("PUT", f"/destinations/{cloud}", body)
    await house.delivered(1)
    changed = await house.call("PUT", f"/destinations/{cloud}", body | {"label": "The  cloud", "secrets": {}})
    assert changed["label"] == "The cloud"
    await house.call("POST", f"/destinations/{cloud}/test")
    assert real not in str(await house.call("GET", "/destinations"))
    rooms = house.daemon.services
    before = await rooms.store.destinations.get(DestinationId(cloud))
    moved = present["config"] | {"url": f"{house.sink.url}below/"}
    await house.call("PUT", f"/destinations/{cloud}", body | {"config": moved})
    port = await rooms.outbox._ports.open(before)
    assert str(port._url) == moved["url"], "whoever read the row before sends the secret to no place of before"


async def test_a_delivered_scan_is_sent_again_there_and_elsewhere(house: House) -> None:
    await two_factor(house)
    a, b = await folder(house, "a", everything=True), await folder(house, "b")
    await house.scan(1)
    [scan] = await house.delivered(1)
    path = f"/scans/{scan['id']}/deliveries"
    await house.call("POST", path, {"destination": b})
    await house.delivered(2)
    [there_now] = there(house, "b")
    assert there_now.read_bytes() == there(house, "a")[0].read_bytes(), "the document is a function of the scan"
    there(house, "a")[0].unlink()
    await house.call("POST", path, {"destination": a})
    [scan] = await house.delivered(3)
    assert len(there(house, "a")) == 1
    assert len({d["id"] for d in scan["deliveries"]}) == 3
    assert (await house.raw("POST", path, {"destination": "0" * 32}))[0] == 404


async def test_what_is_on_its_way_is_not_sent_twice_and_can_be_given_up(house: House) -> None:
    await two_factor(house)
    cloud = await house.add_webdav()
    house.sink.misbehave(Fault("PUT", Trouble.STATUS, status=503, times=100))
    await house.scan(1)

    async def tried() -> Any:
        rows = await house.scans()
        return rows and rows[0]["deliveries"] and rows[0]["deliveries"][0]["reason"] and rows[0]

    scan = await house.until("a refusal", tried)
    status, said = await house.raw("POST", f"/scans/{scan['id']}/deliveries", {"destination": cloud})
    assert (status, said["type"]) == (409, "/problems/delivery_open")
    delivery = scan["deliveries"][0]["id"]
    await house.call("POST", f"/deliveries/{delivery}/discard")
    house.clock.ahead += timedelta(minutes=20)
    house.sink.faults.clear()
    [scan] = await house.scans()
    assert scan["deliveries"][0]["state"] == "discarded"
    assert not house.sink.files()
    assert (await house.raw("POST", f"/deliveries/{delivery}/retry"))[1]["type"] == "/problems/not_failed"


async def uploading(house: House) -> None:
    house.sink.misbehave(Fault("PUT", Trouble.SLOW_BODY, pause_s=0.03))
    await house.scan(1)
    await house.sink.until(lambda sink: any(r.method == "PUT" and r.bytes_received for r in sink.requests), 30.0)


async def discarded(house: House) -> None:
    async def asked() -> Any:
        [scan] = await house.scans()
        return {d["state"] for d in scan["deliveries"]} == {"discarded"}

    await house.until("the delivery to be discarded", asked)


async def test_a_destination_removed_while_a_document_is_on_its_way_does_not_get_it(house: House) -> None:
    await two_factor(house)
    cloud = await house.add_webdav()
    await uploading(house)
    await house.call("DELETE", f"/destinations/{cloud}")
    await discarded(house)

    async def tidied() -> bool:
        return house.sink.files() == []

    await house.until("the server to be tidied", tidied)
    rows = await house.daemon.services.store.deliveries.latest(9)
    assert [row.state for row in rows] == ["discarded"]


async def test_rules_changed_by_many_at_once_lose_no_change(house: House) -> None:
    await two_factor(house)
    a = await folder(house, "a")
    rules = [await house.call("POST", "/rules", {"destinations": [a], "weekdays": [day]}) for day in range(5)]
    gone, kept = rules[:2], rules[2:]
    asks = [house.raw("DELETE", f"/rules/{rule['id']}") for rule in gone]
    asks += [house.raw("PUT", f"/rules/{r['id']}", {"destinations": [a], "title": r["id"]}) for r in kept]
    asks += [house.raw("PUT", f"/rules/{r['id']}/place", {"place": 2**63}) for r in kept]
    answers = await asyncio.gather(*asks)
    assert {status for status, _ in answers} <= {200, 204}
    left = (await house.call("GET", "/rules"))["items"]
    assert {rule["id"]: rule["title"] for rule in left} == {rule["id"]: rule["id"] for rule in kept}
    assert [rule["place"] for rule in left] == [0, 1, 2]


async def test_destinations_added_at_once_are_all_in_the_rule_for_every_scan_and_there_is_a_limit(house: House) -> None:
    await two_factor(house)
    made = await asyncio.gather(*(folder(house, f"{n}", everything=True) for n in range(8)))
    [rule] = (await house.call("GET", "/rules"))["items"]
    assert set(rule["destinations"]) == set(made)
    for n in range(8, 20):
        await folder(house, f"{n}")
    body = {"kind": "folder", "label": "More", "config": {"path": str(house.archive)}}
    status, said = await house.raw("POST", "/destinations", body)
    assert (status, said["type"]) == (409, "/problems/too_many_destinations")


async def test_a_rule_for_a_scanner_that_is_gone_stays_one_for_that_scanner(house: House) -> None:
    await two_factor(house)
    a = await folder(house, "a")
    [unit] = (await house.call("GET", "/units"))["items"]
    rule = await house.call("POST", "/rules", {"destinations": [a], "units": [unit["id"]]})
    await house.daemon.services.admin.release(unit["id"])
    changed = await house.call(
        "PUT", f"/rules/{rule['id']}", {"destinations": [a], "units": rule["units"], "title": "x"}
    )
    assert changed["units"] == [unit["id"]]
    status, _ = await house.raw("POST", "/rules", {"destinations": [a], "units": [unit["id"]]})
    assert status == 422, "a new rule names scanners of today"
