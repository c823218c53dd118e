"""Two hundred ScanSnap units on Wi-Fi: at rest, forty scanning at once, and one scanned from under a flood of garbage.

Peers in the same run: an aiohttp server that serves one word; one unit scanning alone; the press without the flood.
"""

import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

from simulator import Fleet, running
from simulator.fleet import UnitSpec, Wifi
from simulator.vens.wire import Ports
from tests.bench import measure
from tests.bench.daemon import CHILD, REST_S, cpu_used_s, first_line, python, resident_mb, rest
from tests.bench.table import Row
from tests.walk.conftest import EMAIL, PASSWORD, House, Shifted

_UNITS, _SCANNING, _SHEETS = 200, 40, 2
_FLOOD_PER_S, _FLOOD_S = 10_000, 12
_PATIENCE_S = 180.0


def bench() -> list[Row]:
    """Measure all three, each beside its peer; a reservation that lapsed or a scan that is missing ends the bench."""
    with tempfile.TemporaryDirectory(prefix="bench-air-") as name:
        return asyncio.run(_bench(Path(name)))


def _fleet() -> Fleet:
    def unit(n: int) -> UnitSpec:
        wifi = Wifi(f"127.79.{n // 200}.{1 + n % 200}", f"AK{n:06}", f"00:80:92:00:{n // 256:02x}:{n % 256:02x}")
        return UnitSpec(f"unit-{n}", "iX500", n, feed_s=0.5, usb=False, wifi=wifi)

    return Fleet(tuple(unit(n) for n in range(_UNITS)))


async def _bench(folder: Path) -> list[Row]:
    archive = folder / "archive"
    archive.mkdir()
    fleet, ports = _fleet(), Ports.free()
    serials = [spec.wifi.label for spec in fleet.units if spec.wifi]
    async with AsyncExitStack() as stack:
        simulation = await stack.enter_async_context(running(fleet, vens_ports=ports))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        where = [str(folder / "state"), str(archive), str(simulation.usbip_address[1])]
        argv = [str(CHILD), *where, str(ports.discovery), str(ports.advertisement), *serials]
        daemon = stack.enter_context(python(argv))
        url = await asyncio.to_thread(first_line, daemon)
        house = House(url, http, simulation, None, archive, folder / "state", None, Shifted())
        token = (house.state / "setup-token").read_text("ascii").strip()
        await house.call("POST", "/setup", {"token": token, "email": EMAIL, "password": PASSWORD})
        await _until("all units to be ready", lambda: _ready(house, _UNITS))
        await house.enable()
        await house.add_folder()
        peer = stack.enter_context(python(["-m", "tests.bench.word"]))
        await asyncio.to_thread(first_line, peer)
        ours, theirs = await asyncio.gather(rest(daemon.pid), rest(peer.pid))
        alone = await _scan(house, daemon.pid, 1)
        together = await _scan(house, daemon.pid, _SCANNING)
        calm = await _first_page(house, daemon.pid)
        flooded = await _flooded(house, daemon.pid, ports)
        lapses = sum(unit.session.lapses for unit in simulation.air.units.values())
        if lapses:
            raise RuntimeError(f"{lapses} reservations lapsed for want of a keep-alive")
        what = f"{_UNITS} units on Wi-Fi, {REST_S:.0f} s at rest"
        return [
            Row(what, "ours", ours, theirs),
            Row(what, "aiohttp alone", theirs, theirs),
            Row(f"{_SCANNING} units scan {_SHEETS} sheets each", "ours", together, alone),
            Row(f"1 unit scans {_SHEETS} sheets", "ours", alone, alone),
            Row(f"press -> first page, {_FLOOD_PER_S}/s garbage", "ours", flooded, calm),
            Row("press -> first page", "ours", calm, calm),
        ]


async def _until(what: str, ask: Any) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while not await ask():
            await asyncio.sleep(0.05)


async def _ready(house: House, count: int) -> bool:
    return sum(row["state"] == "ready" for row in (await house.call("GET", "/units"))["items"]) == count


async def _scan(house: House, pid: int, count: int) -> measure.Sample:
    """Load and press on some units at once; time ends when the last document is delivered."""
    units = list(house.simulation.units.values())[:count]
    before, cpu_s, began_s = len(list(house.archive.glob("*.pdf"))), cpu_used_s(pid), time.perf_counter()
    for unit in units:
        unit.load(_SHEETS)
        unit.press()
    await _until("every scan to arrive", lambda: _delivered(house, before + count))
    return measure.Sample(time.perf_counter() - began_s, cpu_used_s(pid) - cpu_s, resident_mb(pid))


async def _delivered(house: House, count: int) -> bool:
    return len(list(house.archive.glob("*.pdf"))) >= count


async def _first_page(house: House, pid: int) -> measure.Sample:
    """Press on a unit; time ends when its first side has left it."""
    unit = list(house.simulation.units.values())[-1]
    unit.load(1)
    sent, cpu_s, began_s = len(unit.delivered), cpu_used_s(pid), time.perf_counter()
    unit.press()
    while len(unit.delivered) == sent:
        await asyncio.sleep(0.002)
    taken_s = time.perf_counter() - began_s - unit.feed_s  # the paper's own way past the sensors
    await _until("the scan to arrive", lambda: _ready(house, _UNITS))
    await asyncio.sleep(3.5)  # the press has stopped ringing
    return measure.Sample(taken_s, cpu_used_s(pid) - cpu_s, resident_mb(pid))


async def _flooded(house: House, pid: int, ports: Ports) -> measure.Sample:
    """Press while garbage pours in on every port of the daemon."""
    events = next(iter(house.simulation.air.units.values())).session.holder.event_port
    targets = [str(events), str(ports.advertisement)]
    with python(["-m", "tests.bench.flood", str(_FLOOD_PER_S), str(_FLOOD_S), *targets]) as flood:
        await asyncio.to_thread(first_line, flood)
        await asyncio.sleep(2)
        sample = await _first_page(house, pid)
        await asyncio.to_thread(flood.wait)
    return sample
