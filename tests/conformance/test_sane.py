"""SANE's own `fujitsu` backend takes the simulator for a ScanSnap: it attaches, lists, scans, and gets every pixel."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator.faults import Fault, FaultKind
from simulator.sheets import Mode, expected_pixels

pytestmark = [pytest.mark.conformance, pytest.mark.usefixtures("sane")]
MODELS = ("S510M", "S1500", "iX500", "iX1500", "iX1600")
PAPER = ("--page-width", "210", "--page-height", "297", "-x", "210", "-y", "297")
MAGIC = {b"P6": Mode.COLOUR, b"P5": Mode.GRAY, b"P4": Mode.LINEART}
SOURCES = {"simplex": ("ADF Front", 1), "duplex": ("ADF Duplex", 2)}


def pnm(path: Path) -> tuple[Mode, bytes]:
    """Return kind and pixels of a PNM file."""
    data, at, tokens = path.read_bytes(), 0, []
    while len(tokens) < (3 if data[:2] == b"P4" else 4):
        if data[at : at + 1] == b"#":
            at = data.index(b"\n", at)
        elif data[at : at + 1].isspace():
            at += 1
        else:
            start = at
            while not data[at : at + 1].isspace():
                at += 1
            tokens.append(data[start:at])
    return MAGIC[tokens[0]], data[at + 1 :]


def shown(side: Any, wanted: Mode) -> bytes:
    """Return the pixels that SANE must have: as they were sent, or gray made of colour as it does for the iX500."""
    pixels = expected_pixels(side.sheet, side.side, side.mode, side.dpi, side.view)
    if wanted is side.mode:
        return pixels
    assert (side.mode, wanted) == (Mode.COLOUR, Mode.GRAY)
    return bytes((red + green + blue) // 3 for red, green, blue in zip(*(pixels[n::3] for n in range(3)), strict=True))


def in_order(unit: Any) -> list[Any]:
    return sorted(unit.delivered, key=lambda side: (side.sheet.number, side.side != "front"))


@pytest.mark.parametrize("dpi", [150, 300])
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("mode", ["Color", "Gray", "Lineart"])
@pytest.mark.parametrize("model", MODELS)
async def test_every_pixel_of_a_batch_is_the_sheets(
    bus: Callable[..., Any], model: str, mode: str, source: str, dpi: int
) -> None:
    name, sides = SOURCES[source]
    there = await bus(model, sheets=2 if dpi == 150 else 1)
    sheets = there.unit.sheets
    ran, pages = await there.scan("--mode", mode, "--source", name, "--resolution", str(dpi), *PAPER)
    assert ran.code == 0, ran.err
    assert len(pages) == len(there.unit.delivered) == sheets * sides
    for page, side in zip(pages, in_order(there.unit), strict=True):
        kind, pixels = pnm(page)
        if (side.mode, kind) != (Mode.COLOUR, Mode.LINEART):  # SANE's own conversion for the iX500
            assert pixels == shown(side, kind), page.name
    assert there.unit.errors == []


@pytest.mark.parametrize("model", ["iX1300", "iX1400", "iX100", "S500", "iX500EE"])
async def test_their_relatives_scan_too(bus: Callable[..., Any], model: str) -> None:
    there = await bus(model, sheets=1)
    ran, pages = await there.scan("--mode", "Color", "--source", "ADF Front", "--resolution", "150", *PAPER)
    assert ran.code == 0, ran.err
    assert [pnm(page)[1] for page in pages] == [shown(side, Mode.COLOUR) for side in in_order(there.unit)]
    assert there.unit.errors == []


async def test_six_hundred_dots_per_inch(bus: Callable[..., Any]) -> None:
    there = await bus("iX500", sheets=1)
    ran, pages = await there.scan("--mode", "Color", "--source", "ADF Duplex", "--resolution", "600", *PAPER)
    assert ran.code == 0, ran.err
    assert [
        pnm(page)[1] == shown(side, Mode.COLOUR) for page, side in zip(pages, in_order(there.unit), strict=True)
    ] == [
        True,
        True,
    ]
    assert there.unit.errors == []


async def test_all_of_them_are_listed_by_name_and_serial(bus: Callable[..., Any]) -> None:
    there = await bus(*MODELS)
    ran = await there.scanners()
    for unit in there.bench.units.values():
        assert f"`fujitsu:{unit.model.product}:{unit.spec.serial}'" in ran.out
        assert unit.errors == []


@pytest.mark.parametrize("model", ["S1500", "iX500", "iX1600"])
@pytest.mark.parametrize(
    ("kind", "code"),
    [(None, 7), (FaultKind.JAM, 6), (FaultKind.DOUBLE_FEED, 6), (FaultKind.COVER, 8)],
    ids=["empty", "jam", "double-feed", "cover"],
)
async def test_paper_trouble_is_what_sane_calls_it(
    bus: Callable[..., Any], model: str, kind: FaultKind | None, code: int
) -> None:
    there = await bus(model, sheets=2 if kind else 0)
    if kind:
        there.unit.inject(Fault(kind, at_sheet=2))
    ran, pages = await there.scan("--mode", "Color", "--source", "ADF Front", "--resolution", "150", *PAPER)
    assert ran.code == code, ran.err
    assert len(there.unit.delivered) == (1 if kind else 0) <= len(pages)
    assert there.unit.errors == []


async def test_the_exec_command_puts_units_beneath_scanimage(bus: Callable[..., Any], tmp_path: Path) -> None:
    import sys

    there = await bus("S1500")  # only for its way to run a command; the command brings a bus of its own
    words = [sys.executable, "-m", "simulator", "exec", "--unit", "ix500", "--sheets", "2", "--", "scanimage", "-L"]
    ran = await there.run(*words, LD_PRELOAD="", UMOCKDEV_DIR="")
    assert "FUJITSU ScanSnap iX500" in ran.out
    assert ran.code == 0
