"""One unit, several ways: Wi-Fi and USB, moved, dropped, lent, changed. The real daemon, scanners on the air."""

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from gateway.settings import Registration
from simulator.faults import Fault, FaultKind
from simulator.fleet import Escl, Fleet, UnitSpec, Wifi
from simulator.sheets import Side
from simulator.vens import wire
from simulator.vens.session import Holder

WIFI = Wifi("127.77.0.1", "AK7CC00700", "00:80:92:01:02:03")
BOTH = UnitSpec("ix500", "iX500", 1200753, feed_s=0.02, wifi=WIFI)
ON_WIFI = replace(BOTH, usb=False)
OFFICE = UnitSpec("office", "iX500", 7, feed_s=0.02, usb=False, escl=Escl(tls=True, platen=True, announced=True))


@asynccontextmanager
async def a_house(open_house: Any, spec: UnitSpec = ON_WIFI, **options: Any) -> AsyncIterator[Any]:
    async with open_house(fleet=Fleet((spec,)), **options) as house:
        await house.set_up()
        yield house
        assert house.unit.errors == []


async def found(house: Any, via: str, **wanted: Any) -> dict[str, Any]:
    async def look() -> Any:
        rows = (await house.call("GET", "/found"))["items"]
        return next((r for r in rows if r["via"] == via and all(r[k] == v for k, v in wanted.items())), None)

    row: dict[str, Any] = await house.until(f"a sighting by {via}", look)
    return row


async def claim(house: Any, via: str, **more: str) -> str:
    """Claim what is found that way and press; return the unit."""
    sighting = await found(house, via)
    made = await house.call("POST", "/claims", {"sighting": sighting["id"], **more})
    await found(house, via, state="ready")
    house.unit.press()

    async def registered() -> Any:
        row = await house.call("GET", f"/claims/{made['id']}")
        return row["unit"] if row["state"] == "registered" else None

    unit: str = await house.until("registration", registered)
    return unit


async def unit_row(house: Any) -> dict[str, Any]:
    [row] = (await house.call("GET", "/units"))["items"]
    return dict(row)


async def in_use(house: Any, via: str) -> None:
    async def used() -> bool:
        row = await unit_row(house)
        return row["state"] == "ready" and any(w["in_use"] and w["via"] == via for w in row["ways"])

    await house.until(f"{via} in use", used)


async def state(house: Any, wanted: str) -> dict[str, Any]:
    async def reached() -> Any:
        row = await unit_row(house)
        return row if row["state"] == wanted else None

    row: dict[str, Any] = await house.until(f"the unit to be {wanted}", reached)
    return row


async def scans(house: Any, count: int) -> list[dict[str, Any]]:
    async def stored() -> Any:
        rows = (await house.call("GET", "/scans"))["items"]
        return rows if len(rows) >= count and all(row["state"] == "stored" for row in rows) else None

    rows: list[dict[str, Any]] = await house.until(f"{count} scans", stored)
    assert len(rows) == count
    return rows


async def press(house: Any) -> None:
    """Press as a person does: again, when nothing happens; the press that claimed the unit is still ringing."""
    fed, loop = len(house.unit.delivered), asyncio.get_running_loop()
    patient_until_s = 0.0

    async def heeded() -> bool:
        nonlocal patient_until_s
        if loop.time() > patient_until_s and (await unit_row(house))["state"] == "ready":
            house.unit.press()
            patient_until_s = loop.time() + 2.5  # its notices ring for two seconds
        return len(house.unit.delivered) > fed

    await house.until("the press to be heeded", heeded)


async def one_scan(house: Any, sheets: int, count: int) -> None:
    house.unit.load(sheets)
    await press(house)
    rows = await scans(house, count)
    assert rows[0]["pages"] == 2 * sheets


def session(house: Any) -> Any:
    return house.simulation.air.units["ix500"].session


async def test_a_unit_on_wifi_is_found_registered_and_scans_on_its_button(open_house: Any) -> None:
    async with a_house(open_house) as house:
        sighting = await found(house, "wifi")
        assert (sighting["model"], sighting["serial"], sighting["default_password"]) == ("iX500", "AK7CC00700", "0700")
        await claim(house, "wifi")
        await in_use(house, "wifi")
        await house.enable()
        await house.add_folder()
        await one_scan(house, 3, 1)
        await house.delivered(1)
    assert session(house).holder is None, "released at the end"


async def test_a_unit_moves_from_wifi_to_usb_and_back_and_no_scan_is_lost_or_doubled(open_house: Any) -> None:
    async with a_house(open_house, BOTH) as house:
        house.unit.unplug()
        unit = await claim(house, "wifi")
        await house.enable()
        await house.add_folder()
        await one_scan(house, 2, 1)

        house.unit.plug()
        house.unit.load(1)
        assert await claim(house, "usb", unit=unit) == unit
        await in_use(house, "usb")
        assert session(house).holder is None, "no reservation is held while USB is used"
        await scans(house, 1)  # the press that joined scanned nothing, although paper lay there
        await press(house)
        await scans(house, 2)

        house.unit.unplug()
        await in_use(house, "wifi")
        await one_scan(house, 1, 3)
        house.unit.plug()
        await in_use(house, "usb")
        await one_scan(house, 2, 4)
        await house.delivered(4)
        assert len(list(house.archive.rglob("*.pdf"))) == 4
        assert [(d.sheet.batch, d.sheet.number) for d in house.unit.delivered if d.side is Side.FRONT] == [
            (1, 1),
            (1, 2),
            (2, 1),
            (3, 1),
            (4, 1),
            (4, 2),
        ]


async def test_wifi_lost_in_mid_page_keeps_the_pages_and_the_next_press_continues(open_house: Any) -> None:
    async with a_house(open_house) as house:
        await claim(house, "wifi")
        house.unit.load(3)
        house.unit.inject(Fault(FaultKind.WIFI_DROP, at_sheet=2, side=Side.FRONT))
        await press(house)

        async def paused() -> Any:
            rows = (await house.call("GET", "/scans"))["items"]
            return rows and rows[0]["state"] == "paused" and rows[0]["pages"] == 2

        await house.until("the scan to pause with the first sheet", paused)
        house.unit.open_cover()  # the sheet that was in the path goes back
        house.unit.close_cover()
        house.unit.restore_wifi()
        await in_use(house, "wifi")
        await press(house)
        [scan] = await scans(house, 1)
        assert scan["pages"] >= 4


async def test_a_new_address_is_found_within_ten_seconds(open_house: Any) -> None:
    async with a_house(open_house) as house:
        await claim(house, "wifi")
        house.unit.move("127.77.0.99")
        async with asyncio.timeout(10):
            await found(house, "wifi", address="127.77.0.99", state="ready")
        await one_scan(house, 1, 1)


async def test_a_changed_wifi_password_is_asked_for_and_kept_sealed(open_house: Any) -> None:
    async with a_house(open_house, replace(ON_WIFI, wifi=replace(WIFI, password="Sesame1"))) as house:
        sighting = await found(house, "wifi")
        await house.call("POST", "/claims", {"sighting": sighting["id"]})
        asking = await found(house, "wifi", asks_password=True)
        assert "password" in asking["note"]
        unit = await claim(house, "wifi", password="Sesame1")
        await in_use(house, "wifi")
        [way] = (await unit_row(house))["ways"]
        assert way["password_set"]
        session(house).password = "Another2"
        house.unit.drop_wifi()
        await state(house, "gone")
        house.unit.restore_wifi()

        async def asked() -> bool:
            return bool((await unit_row(house))["ways"][0]["asks_password"])

        await house.until("the password to be asked for", asked)
        await house.call("POST", f"/units/{unit}/password", {"way": way["id"], "password": "Another2"})
        await in_use(house, "wifi")
        for file in house.state.rglob("*"):
            assert not file.is_file() or b"Another2" not in file.read_bytes(), file


async def test_a_lent_unit_is_free_for_others_and_comes_back(open_house: Any) -> None:
    async with a_house(open_house) as house:
        unit = await claim(house, "wifi")
        await in_use(house, "wifi")
        await house.call("PUT", f"/units/{unit}/lending")
        row = await state(house, "lent")
        assert row["lent_until"]

        async def free() -> bool:
            return session(house).holder is None

        await house.until("the reservation to be released", free)
        house.unit.press()
        await house.call("DELETE", f"/units/{unit}/lending")
        await in_use(house, "wifi")
        await one_scan(house, 1, 1)


async def test_another_network_module_suspends_the_unit_until_its_owner_trusts_it(open_house: Any) -> None:
    async with a_house(open_house) as house:
        unit = await claim(house, "wifi")
        house.simulation.air.units["ix500"]._mac = bytes.fromhex("0080920a0b0c")
        row = await state(house, "suspended")
        [way] = row["ways"]
        assert (way["expected"], way["shown"]) == ("00:80:92:01:02:03/AK7CC00700", "00:80:92:0a:0b:0c/AK7CC00700")
        house.unit.load(1)
        house.unit.press()
        status, _ = await house.raw("POST", f"/units/{unit}/scan")
        assert status == 409
        house.unit.unload()
        await house.call("POST", f"/units/{unit}/trust", {"way": way["id"], "shown": way["shown"]})
        await in_use(house, "wifi")
        await one_scan(house, 1, 1)


async def test_notices_from_elsewhere_start_nothing_and_prove_nothing(open_house: Any) -> None:
    async with a_house(open_house) as house:
        sighting = await found(house, "wifi")
        made = await house.call("POST", "/claims", {"sighting": sighting["id"]})
        await found(house, "wifi", state="ready")
        house.unit.load(1)
        holder = session(house).holder
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as liar:
            liar.bind(("127.77.0.200", 0))
            for _ in range(20):
                liar.sendto(wire.event(), ("127.0.0.1", holder.event_port))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as posing:  # from the unit's own address: a mere notice
            posing.bind((WIFI.address, 0))
            posing.sendto(wire.event(), ("127.0.0.1", holder.event_port))

        async def told() -> str:
            row = await house.call("GET", f"/claims/{made['id']}")
            assert row["state"] != "lapsed"
            return str(row["why"] or row["state"] == "registered")

        await house.until("the notice to be taken", told)
        assert (await house.call("GET", "/scans"))["items"] == []


async def test_serial_numbers_of_the_settings_register_by_themselves(open_house: Any) -> None:
    policy = Registration("serials", serials=("AK7CC00700=you@example.org",))
    async with a_house(open_house, registration=policy) as house:

        async def there() -> bool:
            return bool((await house.call("GET", "/units"))["items"])

        await house.until("registration", there)
        row = await state(house, "ready")
        assert row["model"] == "iX500"


@pytest.mark.parametrize(
    ("kind", "pages"),
    [(FaultKind.JAM, 2), (FaultKind.DOUBLE_FEED, 2), (FaultKind.COVER, 2)],
)
async def test_a_paper_fault_over_wifi_pauses_the_scan_and_the_unit_stays_free(
    open_house: Any, kind: FaultKind, pages: int
) -> None:
    async with a_house(open_house) as house:
        await claim(house, "wifi")
        house.unit.load(3)
        house.unit.inject(Fault(kind, at_sheet=2))
        await press(house)

        async def paused() -> Any:
            rows = (await house.call("GET", "/scans"))["items"]
            return rows and rows[0]["state"] == "paused" and rows[0]["pages"] == pages

        await house.until("the scan to pause", paused)
        assert not session(house).unfinished
        house.unit.open_cover()
        house.unit.close_cover()
        await in_use(house, "wifi")
        await press(house)
        [scan] = await scans(house, 1)
        assert scan["pages"] == 6


async def test_an_escl_scanner_is_found_registered_by_paper_and_scans_when_paper_is_put_in(open_house: Any) -> None:
    name = f"Office {uuid.uuid4().hex[:8]}"
    spec = replace(OFFICE, escl=replace(OFFICE.escl, make_and_model=name))
    async with a_house(open_house, spec) as house:
        sighting = await found(house, "escl", model=name)
        made = await house.call("POST", "/claims", {"sighting": sighting["id"]})
        await found(house, "escl", model=name, state="ready")

        async def registered() -> bool:
            if house.unit.sheets:
                house.unit.unload()
            else:
                house.unit.load(1)  # taken out and put in until the gateway has looked between the two
            await asyncio.sleep(1.5)
            return bool((await house.call("GET", f"/claims/{made['id']}"))["state"] == "registered")

        await house.until("registration by paper", registered)
        house.unit.unload()
        row = await state(house, "ready")
        assert (row["label"], row["settings"]["on_paper"]) == (name, True)

        house.unit.put_on_glass()
        await house.call("POST", f"/units/{row['id']}/scan")
        [scan] = await scans(house, 1)
        assert scan["pages"] == 1
        house.unit.take_off_glass()

        async def paper_scanned() -> bool:
            if not house.unit.sheets and len(house.unit.delivered) == 1:
                await asyncio.sleep(3)  # the feeder is to be seen empty
                house.unit.load(2)
            return len(house.unit.delivered) == 5

        await house.until("paper put in to be scanned", paper_scanned)
        assert {scan["pages"] for scan in await scans(house, 2)} == {1, 4}


async def test_another_tls_key_suspends_an_escl_scanner(open_house: Any) -> None:
    name = f"Office {uuid.uuid4().hex[:8]}"
    spec = replace(OFFICE, escl=replace(OFFICE.escl, make_and_model=name))
    async with a_house(open_house, spec) as house:
        sighting = await found(house, "escl", model=name)
        claims, watch = house.daemon.services.claims, house.daemon.services.sights
        account = await house.daemon.services.store.accounts.by_email("you@example.org")
        await claims.give(account.id, watch.way(sighting["id"]).sighting, how="test")
        await house.simulation.escl["office"].renew_certificate()
        [finder] = [it for it in house.daemon.services.watch._finders if type(it).__name__ == "EsclFinder"]
        for place in finder._places.values():
            place.due_s = 0
        row = await state(house, "suspended")
        assert row["ways"][0]["expected"] != row["ways"][0]["shown"]


async def test_ways_are_parted_but_the_last_and_a_removed_unit_is_free(open_house: Any) -> None:
    async with a_house(open_house, BOTH) as house:
        house.unit.unplug()
        unit = await claim(house, "wifi")
        status, refused = await house.raw("POST", f"/units/{unit}/part", {"way": "vens:iX500:AK7CC00700"})
        assert (status, refused["type"]) == (409, "/problems/last_way")
        house.unit.plug()
        await claim(house, "usb", unit=unit)
        await in_use(house, "usb")
        await house.call("POST", f"/units/{unit}/part", {"way": "usb:iX500:1200753"})
        await in_use(house, "wifi")
        assert len((await unit_row(house))["ways"]) == 1
        assert (await found(house, "usb"))["owned"] is False
        await house.call("DELETE", f"/units/{unit}")

        async def free() -> bool:
            return session(house).holder is None

        await house.until("the reservation to be released", free)


async def test_a_unit_that_a_phone_app_holds_is_shown_with_who_holds_it_and_taken_when_it_is_free(
    open_house: Any,
) -> None:
    async with a_house(open_house) as house:
        await claim(house, "wifi")
        air = session(house)
        house.unit.drop_wifi()
        await state(house, "gone")
        air.holder = Holder(b"phone\0\0\0", IPv4Address("127.0.0.9"), 1, 3600.0, float("inf"))
        house.unit.restore_wifi()

        async def told() -> bool:
            return "127.0.0.9 holds the scanner" in (await unit_row(house))["note"]

        await house.until("who holds it", told)
        air.drop()
        await in_use(house, "wifi")
        await one_scan(house, 1, 1)


async def test_a_daemon_that_stops_in_mid_scan_leaves_the_unit_free(open_house: Any) -> None:
    async with a_house(open_house) as house:
        await claim(house, "wifi")
        house.unit.load(20)
        await press(house)
    air = session(house)
    assert (air.holder, air.unfinished) == (None, False)
