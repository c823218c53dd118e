"""The daemon as a process of its own with simulated iX500s: at rest, and from the last page to the receipt.

Peers: at rest an aiohttp server that serves one word; for the receipt img2pdf, which neither seals nor asks anybody."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from simulator import Fleet, running
from simulator.scanner import VirtualScanner
from tests.bench import measure
from tests.bench.table import Row
from tests.walk.conftest import EMAIL, PASSWORD, House, Shifted

_ROOT = Path(__file__).parents[2]
CHILD = _ROOT / "tests" / "walk" / "child.py"
REST_S = 30.0
_UNITS = 4
_SHEETS = 10
_RUNS = 5
_TICKS = os.sysconf("SC_CLK_TCK")


def bench() -> list[Row]:
    """Measure both, each beside its peer in the same run."""
    with tempfile.TemporaryDirectory(prefix="bench-daemon-") as name:
        return asyncio.run(_bench(Path(name)))


async def _bench(folder: Path) -> list[Row]:
    archive = folder / "archive"
    archive.mkdir()
    fleet = Fleet.of(*["iX500"] * _UNITS, feed_s=0.1, busy_polls=0)
    async with AsyncExitStack() as stack:
        simulation = await stack.enter_async_context(running(fleet))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        argv = [str(CHILD), str(folder / "state"), str(archive), str(simulation.usbip_address[1])]
        daemon = stack.enter_context(python(argv))
        url = await asyncio.to_thread(first_line, daemon)
        house = House(url, http, simulation, None, archive, folder / "state", None, Shifted())
        await _prepare(house)
        peer = stack.enter_context(python(["-m", "tests.bench.word"]))
        await asyncio.to_thread(first_line, peer)
        ours, theirs = await asyncio.gather(rest(daemon.pid), rest(peer.pid))
        receipts = await _receipts(house, daemon.pid, folder)
        for unit in list(simulation.units.values())[1:]:
            await _add(house, unit)
        four = await rest(daemon.pid)
        what = f"{REST_S:.0f} s at rest, empty hoppers"
        return [
            Row(what, "ours, one unit", ours, theirs),
            Row(what, f"ours, {_UNITS} units", four, theirs),
            Row(what, "aiohttp alone", theirs, theirs),
            *receipts,
        ]


async def _prepare(house: House) -> None:
    token = (house.state / "setup-token").read_text("ascii").strip()
    await house.call("POST", "/setup", {"token": token, "email": EMAIL, "password": PASSWORD})
    await house.sighting()
    await _add(house, house.unit)
    await house.enable()
    await house.add_folder()


async def _add(house: House, unit: VirtualScanner) -> None:
    """Claim a unit and press its button until it is registered."""
    claim = await house.call("POST", "/claims", {"sighting": f"usb:iX500:{unit.spec.serial}"})
    while (await house.call("GET", f"/claims/{claim['id']}"))["state"] != "registered":
        unit.press()
        await asyncio.sleep(0.5)


async def rest(pid: int) -> measure.Sample:
    before_s = cpu_used_s(pid)
    await asyncio.sleep(REST_S)
    return measure.Sample(REST_S, cpu_used_s(pid) - before_s, resident_mb(pid))


async def _receipts(house: House, pid: int, folder: Path) -> list[Row]:
    ours, theirs = [], []
    for _ in range(_RUNS):
        document = await _batch(house, pid, ours)
        pages = await asyncio.to_thread(_pages, document, folder)
        theirs.append(
            await asyncio.to_thread(
                measure.in_fresh_process, "tests.bench.pdf", "img2pdf", pages, folder / "img2pdf.pdf"
            )
        )
    what = f"{2 * _SHEETS} pages: last page -> receipt"
    result, peer = measure.medians(ours), measure.medians(theirs)
    return [Row(what, "ours", result, peer), Row(what, "img2pdf alone", peer, peer)]


async def _batch(house: House, pid: int, taken: list[measure.Sample]) -> Path:
    """Scan with the gate open; time begins when the unit has sent its last byte."""
    known = set(house.archive.glob("*.pdf"))
    await house.ready()
    house.unit.load(_SHEETS)
    total = len(house.unit.delivered) + 2 * _SHEETS
    house.unit.press()
    while len(house.unit.delivered) < total:
        await asyncio.sleep(0.005)
    began_s, cpu_s = time.perf_counter(), cpu_used_s(pid)
    while not (new := set(house.archive.glob("*.pdf")) - known):
        await asyncio.sleep(0.005)
    await house.delivered(len(known) + 1)
    taken.append(measure.Sample(time.perf_counter() - began_s, cpu_used_s(pid) - cpu_s, resident_mb(pid)))
    return new.pop()


def _pages(document: Path, folder: Path) -> Path:
    import pikepdf

    pages = folder / document.stem
    pages.mkdir()
    with pikepdf.open(document) as pdf:
        for number, page in enumerate(pdf.pages):
            picture = page.obj["/Resources"]["/XObject"]["/Im0"]
            (pages / f"{number:04}.jpg").write_bytes(picture.read_raw_bytes())
    return pages


def python(argv: list[str], *, orders: bool = False) -> "subprocess.Popen[str]":
    """Start Python on these words; with `orders` it is written to."""
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    stdin = pipe if orders else None
    return _Ending([sys.executable, *argv], stdin=stdin, stdout=pipe, stderr=nothing, text=True, cwd=_ROOT)


class _Ending(subprocess.Popen[str]):
    """A process that ends with its block."""

    def __exit__(self, *exc: object) -> None:
        self.terminate()
        super().__exit__(None, None, None)


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def cpu_used_s(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / _TICKS


def resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
