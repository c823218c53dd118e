"""Trouble in the middle: what was acknowledged stays, the daemon lives, and the next press goes on."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.core.model import DeliveryState
from gateway.work import dispatch
from simulator.faults import Fault, FaultKind
from simulator.sinks import Fault as SinkFault
from simulator.sinks import Trouble


async def paused(house: Any, pages: int) -> dict[str, Any]:
    async def asked() -> Any:
        rows = await house.scans()
        return rows[0] if rows and rows[0]["state"] == "paused" and rows[0]["pages"] == pages else None

    return await house.until("the scan to pause", asked)


@pytest.mark.parametrize(
    ("kind", "pages"),
    [
        (FaultKind.TRUNCATED_JPEG, 2),
        (FaultKind.SHORT_REPLY, 2),
        (FaultKind.GARBAGE_STATUS, 2),
        (FaultKind.UNPLUG_MID_PAGE, 2),
        (FaultKind.JAM, 2),
        (FaultKind.DOUBLE_FEED, 2),
    ],
)
async def test_a_fault_on_the_second_sheet_keeps_the_first_and_says_what_it_was(
    verified: Any, kind: FaultKind, pages: int
) -> None:
    verified.unit.inject(Fault(kind, at_sheet=2))
    verified.unit.load(3)
    verified.unit.press()
    scan = await paused(verified, pages)
    assert scan["reason"]
    assert verified.left() == 0, "a paused scan goes nowhere"
    await verified.call("POST", f"/scans/{scan['id']}/finish")
    [done] = await verified.delivered(1)
    assert done["state"] == "incomplete"
    assert done["deliveries"][0]["receipt"]["pages"] == pages
    assert "(incomplete)" in done["deliveries"][0]["name"]


async def test_the_next_press_continues_a_paused_scan(verified: Any) -> None:
    verified.unit.inject(Fault(FaultKind.JAM, at_sheet=2))
    verified.unit.load(3)
    verified.unit.press()
    await paused(verified, 2)
    verified.unit.open_cover()
    verified.unit.close_cover()
    left = verified.unit.sheets
    assert left
    await verified.ready()
    verified.unit.press()
    [done] = await verified.delivered(1)
    assert done["state"] == "stored"
    assert done["pages"] == 2 + 2 * left


async def test_an_empty_feeder_makes_no_scan(verified: Any) -> None:
    verified.unit.press()
    await verified.ready()
    verified.unit.load(1)
    verified.unit.press()
    scans = await verified.delivered(1)
    assert [s["pages"] for s in scans] == [2]


async def test_a_unit_that_comes_back_scans_again(verified: Any) -> None:
    verified.unit.unplug()

    async def gone() -> bool:
        return (await verified.call("GET", "/units"))["items"][0]["state"] == "gone"

    await verified.until("the unit to go", gone)
    verified.unit.plug()
    await verified.ready()
    await verified.scan(1)
    await verified.delivered(1)


async def test_a_swapped_sealed_file_is_quarantined_and_never_sent(verified: Any) -> None:
    await verified.sign_out()
    await verified.scan(2)
    front, other = sorted((verified.state / "spool").rglob("*front*.age"))
    front.write_bytes(other.read_bytes())
    await verified.sign_in()

    async def quarantined() -> bool:
        rows = await verified.scans()
        return bool(rows) and rows[0]["deliveries"][0]["state"] == "quarantined"

    await verified.until("quarantine", quarantined)
    assert verified.left() == 0
    assert front.exists()


async def test_a_sign_out_in_the_middle_of_an_upload_leaves_nothing_and_a_later_code_delivers_once(
    house: Any,
) -> None:
    await house.register()
    await house.enable()
    await house.add_webdav()
    await house.sign_out()
    await house.scan(2)
    house.sink.requests.clear()
    house.sink.misbehave(SinkFault("PUT", Trouble.SLOW_BODY, pause_s=0.05))
    await house.sign_in()

    async def uploading() -> bool:
        return any(r.method == "PUT" and r.bytes_received for r in house.sink.requests)

    await house.until("the upload", uploading)
    await house.sign_out()

    async def stopped() -> bool:
        rows = await house.daemon.services.store.deliveries.due(house.clock.now().utc, 10)
        return bool(rows)

    await house.until("the cancelled delivery to wait again", stopped)
    [row] = await house.daemon.services.store.deliveries.latest(1)
    assert row.attempts == 0, "no failure of the destination's"
    assert not list(house.sink.folder.rglob("*.pdf"))
    await house.sign_in()
    [scan] = await house.delivered(1)
    assert len(list(house.sink.folder.rglob("*.pdf"))) == 1
    assert scan["pages"] == 4


async def test_a_reply_lost_after_the_move_is_asked_for_and_not_sent_twice(house: Any) -> None:
    await house.register()
    await house.enable()
    await house.add_webdav()
    house.sink.misbehave(SinkFault("MOVE", Trouble.DROP_REPLY))
    await house.scan(1)

    async def told() -> Any:
        rows = await house.scans()
        return rows and rows[0]["deliveries"] and rows[0]["deliveries"][0]["state"] in ("uncertain", "delivered")

    await house.until("the lost reply", told)
    house.clock.ahead += timedelta(seconds=30)
    await house.delivered(1)
    moves = [r for r in house.sink.requests if r.method == "MOVE"]
    assert len(moves) == 1
    assert len(list(house.sink.folder.rglob("*.pdf"))) == 1


async def test_a_destination_that_is_down_is_tried_again(house: Any) -> None:
    await house.register()
    await house.enable()
    await house.add_webdav()
    house.sink.misbehave(SinkFault("PUT", Trouble.STATUS, status=503))
    await house.scan(1)

    async def waits() -> bool:
        rows = await house.scans()
        return bool(rows and rows[0]["deliveries"] and rows[0]["deliveries"][0]["reason"])

    await house.until("the refusal", waits)
    house.clock.ahead += timedelta(seconds=30)
    await house.delivered(1)


async def test_a_destination_that_asks_to_wait_is_left_alone_by_all_that_waits_for_it(house: Any) -> None:
    await house.register()
    await house.enable()
    await house.add_webdav()
    await house.add_folder()
    await house.sign_out()
    for _ in range(3):
        await house.scan(1)
    house.sink.requests.clear()
    asks = (("Retry-After", "600"),)
    house.sink.misbehave(SinkFault("PROPFIND", Trouble.STATUS, status=429, headers=asks, times=100))
    await house.sign_in()

    async def filed() -> bool:
        return len(list(house.archive.rglob("*.pdf"))) == 3

    await house.until("the other destination to have all", filed)
    house.clock.ahead += timedelta(seconds=500)
    await house.scan(1)
    assert [r.method for r in house.sink.requests] == ["PROPFIND"]
    house.sink.faults.clear()
    house.clock.ahead += timedelta(seconds=200)
    await house.delivered(8)


async def test_a_destination_that_asks_to_wait_when_it_is_asked_for_a_document_is_left_alone(house: Any) -> None:
    await house.register()
    await house.enable()
    await house.add_webdav()
    house.sink.misbehave(SinkFault("MOVE", Trouble.DROP_REPLY))
    await house.scan(1)
    deliveries = house.daemon.services.store.deliveries

    async def uncertain() -> bool:
        return [row.state for row in await deliveries.latest(1)] == ["uncertain"]

    await house.until("the lost reply", uncertain)
    asks = (("Retry-After", "1800"),)
    house.sink.misbehave(SinkFault("PROPFIND", Trouble.STATUS, status=503, headers=asks))
    house.clock.ahead += timedelta(seconds=30)

    async def waits() -> bool:
        [row] = await deliveries.latest(1)
        return bool(row.next_try_at > house.clock.now().utc + timedelta(seconds=1700))

    await house.until("the next question to be half an hour away", waits)


async def test_a_stop_before_the_gates_last_answer_leaves_nothing_uncertain(
    verified: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliveries, gatekeeper = verified.daemon.services.store.deliveries, verified.daemon.services.outbox._gatekeeper
    ask, asked = gatekeeper.ask, asyncio.Event()

    async def asking(delivery: Any) -> Any:
        row = await deliveries.get(delivery.id)
        if row.state == "committing":
            asked.set()
            await asyncio.Event().wait()
        return await ask(delivery)

    monkeypatch.setattr(gatekeeper, "ask", asking)
    await verified.scan(1)
    await asked.wait()
    await verified.restart()
    await verified.delivered(1)
    assert len(list(verified.archive.rglob("*.pdf"))) == 1


async def test_a_database_that_fails_for_one_destination_ends_nothing_that_is_on_its_way_to_another(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.register()
    await house.enable()
    await house.add_webdav()
    house.sink.misbehave(SinkFault("PUT", Trouble.SLOW_BODY, pause_s=0.05))
    await house.scan(2)
    await house.sink.until(lambda sink: any(r.method == "PUT" and r.bytes_received for r in sink.requests), 30.0)
    store, failures = house.daemon.services.store, []
    get, planned = store.destinations.get, store.deliveries.due

    async def failing(which: Any) -> Any:
        if not failures:
            failures.append(which)
            raise OSError("the disk does not answer")
        return await get(which)

    async def failing_too(*args: Any) -> Any:
        if len(failures) == 1:
            failures.append("due")
            raise OSError("the disk does not answer")
        return await planned(*args)

    monkeypatch.setattr(store.destinations, "get", failing)
    monkeypatch.setattr(store.deliveries, "due", failing_too)
    await house.add_folder()
    await house.scan(1)
    await house.delivered(3)
    assert len(failures) == 2
    assert len([r for r in house.sink.requests if r.method == "PUT"]) == 2, "neither document was sent twice"


async def test_a_delivery_goes_on_when_its_session_ends_and_another_one_holds_the_gate(house: Any) -> None:
    await house.register()
    await house.enable()
    await house.add_webdav()
    first = house.token
    await house.sign_in()
    house.sink.misbehave(SinkFault("PUT", Trouble.SLOW_BODY, pause_s=0.05))
    await house.scan(2)
    await house.sink.until(lambda sink: any(r.method == "PUT" and r.bytes_received for r in sink.requests), 30.0)
    assert (await house.raw("DELETE", "/session?everywhere=0", token=house.token))[0] == 204
    house.token = first
    await house.delivered(1)
    assert len([r for r in house.sink.requests if r.method == "PUT"]) == 1


async def test_a_database_that_fails_at_the_receipt_makes_no_second_document(
    verified: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliveries = verified.daemon.services.store.deliveries
    move, failures = deliveries.move, []

    async def failing_once(*args: Any, **kwargs: Any) -> bool:
        if kwargs.get("receipt") is not None and not failures:
            failures.append(1)
            raise OSError("the disk is full")
        return bool(await move(*args, **kwargs))

    monkeypatch.setattr(deliveries, "move", failing_once)
    await verified.scan(1)
    [scan] = await verified.delivered(1)
    assert failures
    assert scan["pages"] == 2
    assert len(list(verified.archive.rglob("*.pdf"))) == 1


async def test_a_removed_unit_is_let_go_and_can_be_added_again(house: Any) -> None:
    await house.register()
    [unit] = (await house.call("GET", "/units"))["items"]
    await house.call("DELETE", f"/units/{unit['id']}")

    async def free() -> bool:
        sighting = await house.sighting()
        status, _ = await house.raw("POST", "/claims", {"sighting": sighting["id"]})
        return bool(status == 201)

    await house.until("the unit to be free", free)


async def test_what_falls_due_while_the_outbox_looks_is_not_overlooked(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "SWEEP_S", 3600.0)
    deliveries = house.daemon.services.store.deliveries
    look, passed = deliveries.due, timedelta(minutes=1)

    async def look_and_let_time_pass(now: datetime, limit: int) -> Any:
        nonlocal passed
        found = await look(now, limit)
        if await deliveries.next_try(now):
            house.clock.ahead += passed
            passed = timedelta()
        return found

    await house.register()
    await house.enable()
    await house.add_webdav()
    monkeypatch.setattr(deliveries, "due", look_and_let_time_pass)
    house.sink.misbehave(SinkFault("PUT", Trouble.STATUS, status=503))
    await house.scan(1)
    await house.delivered(1)


async def test_a_gate_that_opens_while_its_answer_is_on_the_way_is_asked_again(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "SWEEP_S", 3600.0)
    await house.register()
    await house.enable()
    await house.add_folder()
    await house.sign_out()
    await house.scan(1)
    await house.password()
    services = house.daemon.services

    async def held() -> bool:
        return bool((await services.store.deliveries.in_state(DeliveryState.WAITING))[0].reason == "code_due")

    await house.until("the scan to be held", held)
    ask, asked, may_answer = services.outbox._gatekeeper.ask, asyncio.Event(), asyncio.Event()

    async def ask_slowly(delivery: Any) -> Any:
        answer = await ask(delivery)
        asked.set()
        await may_answer.wait()
        return answer

    quiet: list[bool] = []

    async def looked() -> bool:
        quiet.append(not services.hub.anything.is_set())
        return len(quiet) > 5 and all(quiet[-5:])

    monkeypatch.setattr(services.outbox._gatekeeper, "ask", ask_slowly)
    services.hub.anything.set()
    await asked.wait()
    await house.call("POST", "/session/code", {"code": house.code(), "window_h": 12})
    await house.until("the outbox to have looked", looked)
    monkeypatch.setattr(services.hub, "tell", lambda account, topic: None)  # nobody else's hint comes to help
    may_answer.set()
    await house.delivered(1)
