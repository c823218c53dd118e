"""Our driver beside SANE's on the same simulated bus through the real libusb: the CPU of one side, and memory.

Each is run with a few sheets and with more; the difference is what the further sides cost, without the start.
"""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from simulator.app import Bench, beneath
from simulator.fleet import Fleet
from tests.bench import measure
from tests.bench.table import Row

_ROOT = Path(__file__).parents[2]
_FEW, _MORE, _MANY = 2, 12, 500
_MODEL = "iX1600"


def bench() -> list[Row]:
    """Measure raw colour beside SANE, JPEG beside raw, and memory over 500 sheets beside that over 12."""
    with tempfile.TemporaryDirectory(prefix="bench-driver-", dir="/dev/shm") as name:
        return asyncio.run(_bench(Path(name)))


async def _bench(folder: Path) -> list[Row]:
    ours = await _per_side(folder, _host("raw", 300))
    sane = await _per_side(folder, _scanimage(folder))
    jpeg = await _per_side(folder, _host("jpeg", 300))
    what = "a side in colour, 300 dpi, through libusb"
    rows = [Row(what, "ours, raw", ours, sane), Row(what, "SANE, raw", sane, sane), Row(what, "ours, JPEG", jpeg, sane)]
    short, long = [await _run(folder, _host("jpeg", 150), sheets) for sheets in (_MORE, _MANY)]
    what = f"JPEG batch of {_MANY} sheets, both sides"
    return [*rows, Row(what, "ours", long, short), Row(f"... of {_MORE} sheets", "ours", short, short)]


def _host(kind: str, dpi: int) -> Sequence[str]:
    return ("tests.bench.host", kind, str(dpi))


def _scanimage(folder: Path) -> Sequence[str]:
    options = ("--source", "ADF Duplex", "--mode", "Color", "--resolution", "300", "--page-width", "215.9")
    return ("scanimage", *options, "--page-height", "377.2", "-x", "215.9", "-y", "377.2", f"--batch={folder}/page.pnm")


async def _per_side(folder: Path, words: Sequence[str]) -> measure.Sample:
    few, more = [await _run(folder, words, sheets) for sheets in (_FEW, _MORE)]
    sides = 2 * (_MORE - _FEW)
    return measure.Sample((more.wall_s - few.wall_s) / sides, (more.cpu_s - few.cpu_s) / sides, more.peak_mb)


async def _run(folder: Path, words: Sequence[str], sheets: int) -> measure.Sample:
    async with beneath(Fleet.of(_MODEL, sheets=sheets, feed_s=0.0, busy_polls=0)) as under:
        return await asyncio.to_thread(_measured, folder, words, under)


def _measured(folder: Path, words: Sequence[str], under: Bench) -> measure.Sample:
    (folder / "dll.conf").write_text("fujitsu\n", "ascii")
    (folder / "fujitsu.conf").write_text("usb 0x04c5 0x1632\n", "ascii")
    more = {"SANE_CONFIG_DIR": str(folder), "PYTHONPATH": str(_ROOT)}
    environment = {**os.environ, **under.environment, **more}
    if words[0] == "scanimage":
        return measure.of_command(words, environment)
    return measure.in_fresh_process(*words, environment=environment)
