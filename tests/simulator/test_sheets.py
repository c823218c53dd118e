"""The printed pages: the same each time, readable, and encoded as the hardware does."""

import hashlib
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from simulator import sheets
from simulator.scsi import encode
from simulator.sheets import Mode, Sheet, Side, View

SHEET = Sheet("ix500", 2, 7)


def jpeg(sheet: Sheet, side: Side, width: int, height: int, dpi: int, *more: Any) -> bytes:
    return encode.jpeg(sheet, side, Mode.COLOUR, dpi, View(width, height), *more)


ROOT = Path(__file__).parents[2]


def segments(image: bytes) -> dict[int, bytes]:
    """Return the marker segments up to the first scan; of several, the first."""
    found: dict[int, bytes] = {}
    at = 2
    while 0xDA not in found:
        length = int.from_bytes(image[at + 2 : at + 4], "big")
        found.setdefault(image[at + 1], image[at + 4 : at + 2 + length])
        at += 2 + length
    return found


def test_a_side_is_the_same_each_time() -> None:
    first = jpeg(SHEET, Side.FRONT, 1272, 1752, 150)
    encode.jpeg.cache_clear()
    sheets._layout.cache_clear()
    assert jpeg(SHEET, Side.FRONT, 1272, 1752, 150) == first


def test_every_side_differs_from_every_other() -> None:
    images = {
        jpeg(Sheet("ix500", batch, number), side, 424, 584, 50)
        for batch in (1, 2)
        for number in (1, 2)
        for side in Side
    }
    assert len(images) == 8


@pytest.mark.parametrize("side", list(Side))
def test_the_mark_says_which_side_it_is(side: Side) -> None:
    image = Image.open(io.BytesIO(jpeg(SHEET, side, 1272, 1752, 150)))
    assert [code.text for code in zxingcpp.read_barcodes(image)] == [f"scansnap:ix500:2:7:{side}"]


@pytest.mark.parametrize(("width", "height", "dpi"), [(2544, 4456, 300), (840, 1096, 100), (8, 8, 300)])
def test_the_image_has_exactly_the_size_of_the_window(width: int, height: int, dpi: int) -> None:
    image = jpeg(SHEET, Side.FRONT, width, height, dpi)
    assert Image.open(io.BytesIO(image)).size == (width, height)


def test_there_is_no_jfif_header_and_a_restart_for_each_row_of_blocks() -> None:
    image = jpeg(SHEET, Side.FRONT, 840, 1096, 100)
    found = segments(image)
    assert 0xE0 not in found
    assert int.from_bytes(found[0xDD], "big") == -(-840 // 16)
    assert found[0xC0][6:] == bytes.fromhex("01 21 00 02 11 01 03 11 01")  # 4:2:2
    assert sum(image.count(bytes((0xFF, 0xD0 + n))) for n in range(8)) == 1096 // 8 - 1


def test_the_tables_that_were_sent_stand_in_the_image_in_zig_zag_order() -> None:
    luma, chroma = tuple(range(1, 65)), tuple(range(101, 165))
    image = jpeg(SHEET, Side.FRONT, 424, 584, 50, 0, (luma, chroma))
    start = image.index(b"\xff\xdb")
    tables = image[start : image.index(b"\xff\xc0")]
    assert bytes(luma) in tables
    assert bytes(chroma) in tables


def test_a_higher_quality_index_gives_more_bytes() -> None:
    sizes = [len(jpeg(SHEET, Side.FRONT, 840, 1096, 100, quality)) for quality in range(1, 8)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize(("mode", "bits"), [("lineart", 1), ("gray", 8), ("rgb", 24), ("bgr", 24), ("lines", 24)])
def test_raw_rows_are_packed(mode: str, bits: int) -> None:
    page = sheets.page(SHEET, Side.FRONT, 424, 584, 50)
    assert len(encode.raw(page, mode)) == 424 * 584 * bits // 8


def test_raw_colour_is_inverted_and_ordered_as_asked() -> None:
    page = Image.new("RGB", (2, 1), (255, 254, 0))
    page.putpixel((1, 0), (0, 1, 2))
    assert encode.raw(page, "rgb").hex(" ") == "00 01 ff ff fe fd"
    assert encode.raw(page, "bgr").hex(" ") == "ff 01 00 fd fe ff"
    assert encode.raw(page, "lines").hex(" ") == "00 ff 01 fe ff fd"
    assert encode.raw(page, "gray").hex(" ") == bytes(255 - v for v in page.convert("L").tobytes()).hex(" ")


def test_lineart_has_black_as_one() -> None:
    page = Image.new("RGB", (8, 1), (255, 255, 255))
    page.putpixel((0, 0), (0, 0, 0))
    assert encode.raw(page, "lineart") == b"\x80"


def test_another_height_can_stand_in_the_frame_header() -> None:
    image = encode.with_height(jpeg(SHEET, Side.FRONT, 424, 584, 50), 720)
    assert segments(image)[0xC0][1:3] == (720).to_bytes(2, "big")


def test_number_and_side_are_printed_above_a_text_that_all_sides_share() -> None:
    first = sheets.page(SHEET, Side.FRONT, 827, 1170, 100)
    heading, body = (0, 0, 500, 340), (0, 340, 827, 1170)
    for other in (Sheet("ix500", 2, 8), SHEET):
        page = sheets.page(other, Side.BACK, 827, 1170, 100)
        assert page.crop(heading).tobytes() != first.crop(heading).tobytes()
        assert page.crop(body).tobytes() == first.crop(body).tobytes()
    assert min(first.crop(body).convert("L").tobytes()) < 64  # ink


def test_another_process_prints_the_same_bytes() -> None:
    script = (
        "import hashlib; from simulator.scsi import encode; from simulator.sheets import Mode, Sheet, Side, View;"
        "image = encode.jpeg(Sheet('ix500', 2, 7), Side.BACK, Mode.COLOUR, 100, View(840, 1096));"
        "print(hashlib.sha256(image).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == hashlib.sha256(jpeg(SHEET, Side.BACK, 840, 1096, 100)).hexdigest()
