"""What comes out of the worker: what AUTOMATIC makes of which page, polarity, threshold; documents judged by others."""

import io
import random
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from drivers.raw import MEDIA_TYPE, Layout, RawHeader
from gateway.documents.assemble import Coding, PageSource, plan
from gateway.documents.worker import Encoded, Worker

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WIDTH, HEIGHT = 1240, 1754  # the upper left quarter of A4 at 300 dpi
LINE = "Payable within 14 days of receipt; goods remain the property of the seller. "
WHITE, BLACK = (246, 246, 244), (30, 30, 32)


def printed(*, paper: tuple[int, int, int] = WHITE, ink: tuple[int, int, int] = BLACK, size: int = 42) -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), paper)
    draw = ImageDraw.Draw(image)
    for number, top in enumerate(range(80, HEIGHT - 80, round(size * 1.3))):
        draw.text((70, top), (LINE * 3)[number : number + 2200 // size], fill=ink, font_size=size)
    return image


def marked(image: Image.Image, box: tuple[int, int, int, int], fill: tuple[int, int, int]) -> Image.Image:
    ImageDraw.Draw(image).rectangle(box, fill=fill)
    return image


def photograph(image: Image.Image, darkest: int, lightest: int) -> Image.Image:
    light = Image.radial_gradient("L").resize((500, 500)).point(lambda v: darkest + (lightest - darkest) * v // 255)
    image.paste(light.convert("RGB"), (600, 900))
    return image


def scanned(image: Image.Image) -> Image.Image:
    """Return a page with soft edges and noise in each component, as a scanner sees it."""
    dice = random.Random(4711)  # the same page every time
    grain = [Image.frombytes("L", image.size, dice.randbytes(WIDTH * HEIGHT)) for _ in image.getbands()]
    noise = Image.merge(image.mode, [band.point([128 + value % 25 - 12 for value in range(256)]) for band in grain])
    return ImageChops.add(image.filter(ImageFilter.GaussianBlur(0.8)), noise, 1, -128)


def jpeg(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80, **options)
    return out.getvalue()


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 60_000):
        yield data[at : at + 60_000]


async def encode(data: bytes, target: str, *, kind: str = "image/jpeg", height_px: int = HEIGHT) -> Encoded | None:
    return await Worker().encode(chunks(data), media_type=kind, height_px=height_px, target=target)


PAGES: dict[str, tuple[Callable[[], Image.Image], Coding]] = {
    "print": (printed, Coding.CCITT),
    "small print": (lambda: printed(size=30), Coding.CCITT),
    "yellowish paper": (lambda: printed(paper=(250, 244, 225)), Coding.CCITT),
    "grayish paper": (lambda: printed(paper=(216, 216, 216)), Coding.CCITT),
    "black area": (lambda: marked(printed(), (0, 0, 500, 500), (15, 15, 15)), Coding.CCITT),
    "empty": (lambda: Image.new("RGB", (WIDTH, HEIGHT), WHITE), Coding.CCITT),
    "photograph": (lambda: photograph(printed(), 0, 255), Coding.JPEG_GRAY),
    "pale photograph": (lambda: photograph(printed(), 160, 230), Coding.JPEG_GRAY),
    "shaded table": (lambda: marked(printed(size=90), (100, 900, 900, 1200), (200, 200, 200)), Coding.JPEG_GRAY),
    "stamp": (lambda: marked(printed(), (900, 1500, 980, 1580), (190, 30, 40)), Coding.JPEG_COLOUR),
    "highlighter": (lambda: marked(printed(), (100, 1700, 500, 1740), (250, 245, 120)), Coding.JPEG_COLOUR),
    "blue ink": (lambda: printed(ink=(30, 50, 150)), Coding.JPEG_COLOUR),
}


@pytest.mark.parametrize("name", PAGES)
async def test_automatic_sees_what_a_page_holds(name: str) -> None:
    page, coding = PAGES[name]
    image = scanned(page())
    sent = await encode(jpeg(image), "automatic")
    assert (sent.coding if sent else Coding.JPEG_COLOUR) is coding
    rows = RawHeader(Layout.RGB, WIDTH, False).encode() + image.tobytes()
    raw = await encode(rows, "automatic", kind=MEDIA_TYPE)
    assert raw is not None
    assert raw.coding is coding


async def document(folder: Path, *pages: Encoded | None) -> Path:
    """Write a document of these pages."""
    sources = [
        PageSource(page.width_px, page.height_px, 300, len(page.data), partial(chunks, page.data), page.coding)
        for page in pages
        if page is not None
    ]
    path = folder / "scan.pdf"
    planned = plan(sources, title="t", created_at=NOW, identity="i")
    path.write_bytes(b"".join([chunk async for chunk in planned.stream()]))
    assert path.stat().st_size == planned.byte_count
    return path


needs_poppler = pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="poppler-utils is not installed")


@needs_poppler
@pytest.mark.parametrize("paper", [(246, 246, 244), (216, 216, 216)])
async def test_an_empty_page_has_no_specks_in_black_and_white(paper: tuple[int, int, int], tmp_path: Path) -> None:
    encoded = await encode(jpeg(scanned(Image.new("RGB", (WIDTH, HEIGHT), paper))), "lineart")
    path = await document(tmp_path, encoded)
    subprocess.run(["pdftoppm", "-r", "300", "-mono", path, tmp_path / "shown"], check=True)
    [shown] = tmp_path.glob("shown*")
    assert Image.open(shown).convert("L").getextrema() == (255, 255)


@needs_poppler
@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("width_px", [1, 7, 8, 9, 333])
async def test_rows_of_bits_keep_every_pixel_whatever_their_width(
    width_px: int, inverted: bool, tmp_path: Path
) -> None:
    """Bits have one meaning only: 1 is black; `inverted` speaks of gray and colour."""
    row_bytes, height_px = (width_px + 7) // 8, 41
    body = bytes((at * 89 + at // 7) % 256 for at in range(row_bytes * height_px))
    encoded = await encode(
        RawHeader(Layout.LINEART, width_px, inverted).encode() + body, "colour", kind=MEDIA_TYPE, height_px=height_px
    )
    path = await document(tmp_path, encoded)
    subprocess.run(["pdfimages", "-png", path, tmp_path / "image"], check=True)
    [extracted] = tmp_path.glob("image*")
    sent = Image.frombytes("1", (width_px, height_px), body, "raw", "1;I")
    assert Image.open(extracted).convert("1").tobytes() == sent.tobytes()


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("layout", [Layout.GRAY, Layout.RGB, Layout.BGR])
@pytest.mark.parametrize("target", ["colour", "gray"])
async def test_components_keep_their_order_and_sense(layout: Layout, inverted: bool, target: str) -> None:
    pixel = {Layout.GRAY: (200,), Layout.RGB: (200, 60, 20), Layout.BGR: (20, 60, 200)}[layout]
    row = bytes(255 - v if inverted else v for v in pixel) * 40
    encoded = await encode(RawHeader(layout, 40, inverted).encode() + row * 600, target, kind=MEDIA_TYPE, height_px=600)
    assert encoded is not None
    luma = round(0.299 * 200 + 0.587 * 60 + 0.114 * 20)
    wanted = (200,) * 3 if layout is Layout.GRAY else (200, 60, 20) if target == "colour" else (luma,) * 3
    got = Image.open(io.BytesIO(encoded.data)).convert("RGB").getpixel((20, 599))
    assert isinstance(got, tuple)
    assert max(abs(a - b) for a, b in zip(got, wanted, strict=True)) <= 4


@pytest.mark.parametrize("target", ["gray", "automatic"])
async def test_a_gray_jpeg_that_stays_gray_is_left_alone(target: str) -> None:
    assert await encode(jpeg(photograph(printed(), 0, 255).convert("L")), target) is None


async def test_nothing_that_stood_beside_the_picture_comes_along() -> None:
    secret = Image.Exif()
    secret[0x010F] = "maker"
    encoded = await encode(jpeg(printed(), comment=b"a comment", exif=secret, dpi=(300, 300)), "gray")
    assert encoded is not None
    assert set(Image.open(io.BytesIO(encoded.data)).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert b"maker" not in encoded.data
    assert b"a comment" not in encoded.data


@pytest.mark.parametrize("target", ["gray", "lineart", "automatic"])
async def test_the_same_page_gives_the_same_bytes_every_time(target: str) -> None:
    page = jpeg(photograph(printed(), 0, 255))
    assert await encode(page, target) == await encode(page, target)


@pytest.mark.conformance
@needs_poppler
@pytest.mark.skipif(shutil.which("qpdf") is None, reason="needs qpdf")
async def test_a_document_of_every_coding_passes_for_what_it_is(tmp_path: Path) -> None:
    page = RawHeader(Layout.RGB, WIDTH, False).encode() + photograph(printed(), 0, 255).tobytes()
    pages = [await encode(page, target, kind=MEDIA_TYPE) for target in ("colour", "gray", "lineart")]
    path = await document(tmp_path, *pages)
    checked = subprocess.run(["qpdf", "--check", path], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    listed = subprocess.run(["pdfimages", "-list", path], capture_output=True, text=True, check=True).stdout
    # page num type width height color comp bpc enc interp object ID x-ppi y-ppi size ratio
    rows = [line.split() for line in listed.splitlines()[2:]]
    size = [str(WIDTH), str(HEIGHT)]
    assert [[*row[3:9], row[12]] for row in rows] == [
        [*size, "rgb", "3", "8", "jpeg", "300"],
        [*size, "gray", "1", "8", "jpeg", "300"],
        [*size, "gray", "1", "1", "ccitt", "300"],
    ]
