"""SANE's own `fujitsu` backend takes the simulator for a ScanSnap: it attaches, lists, scans, and gets every pixel."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from simulator.faults import Fault, FaultKind
from simulator.sheets import Mode, expected_pixels

pytestmark = [pytest.mark.conformance, pytest.mark.usefixtures("sane")]
MODELS = ("S510M", "S1500", "iX500", "iX1500", "iX1600")
PAPER = ("--page-width", "210", "--page-height", "297", "-x", "210", "-y", "297")
MAGIC = {b"P6": Mode.COLOUR, b"P5": Mode.GRAY, b"P4": Mode.LINEART}
SANE_THRESHOLD = 127  # its default, where it makes line art itself
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
    """Return the pixels that SANE must have: as they were sent, or made of colour as it does for the iX500.

    There gray is the mean of the three colours, and black what is below the middle.
    """
    pixels = expected_pixels(side.sheet, side.side, side.mode, side.dpi, side.view)
    if wanted is side.mode:
        return pixels
    assert side.mode is Mode.COLOUR
    gray = bytes((red + green + blue) // 3 for red, green, blue in zip(*(pixels[n::3] for n in range(3)), strict=True))
    if wanted is Mode.GRAY:
        return gray
    ink = gray.translate(bytes(255 * (value < SANE_THRESHOLD) for value in range(256)))
    size = side.view.width_px, side.view.height_px
    return Image.frombytes("L", size, ink).convert("1", dither=Image.Dither.NONE).tobytes()


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
        assert pixels == shown(side, kind), page.name
    assert there.unit.errors == []


@pytest.mark.parametrize("model", ["iX1300", "iX1400", "iX100", "S500", "iX500EE"])
async def test_their_relatives_scan_too(bus: Callable[..., Any], model: str) -> None:
    there = await bus(model, sheets=1)
    ran, pages = await there.scan("--mode", "Color", "--source", "ADF Front", "--resolution", "150", *PAPER)
    assert ran.code == 0, ran.err
    assert len(pages) == 1
    assert [pnm(page)[1] for page in pages] == [shown(side, Mode.COLOUR) for side in in_order(there.unit)]
    assert there.unit.errors == []


async def test_six_hundred_dots_per_inch(bus: Callable[..., Any]) -> None:
    there = await bus("iX500", sheets=1)
    ran, pages = await there.scan("--mode", "Color", "--source", "ADF Duplex", "--resolution", "600", *PAPER)
    assert ran.code == 0, ran.err
    assert len(pages) == 2
    for page, side in zip(pages, in_order(there.unit), strict=True):
        assert pnm(page)[1] == shown(side, Mode.COLOUR), page.name
    assert there.unit.errors == []


async def test_all_of_them_are_listed_by_name_and_serial(bus: Callable[..., Any]) -> None:
    there = await bus(*MODELS)
    ran = await there.scanners()
    for unit in there.bench.units.values():
        assert f"`fujitsu:{unit.model.product}:{unit.spec.serial}'" in ran.out
        assert unit.errors == []


@pytest.mark.parametrize("model", MODELS)
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
    for page, side in zip(pages, there.unit.delivered, strict=False):  # the page that stopped is a file without pixels
        assert pnm(page)[1] == shown(side, Mode.COLOUR)
    assert there.unit.errors == []
