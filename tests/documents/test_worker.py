"""The worker and its child: every kind of page in, what was wanted out, and nothing but a sentence for the rest."""

import asyncio
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw

from drivers.raw import MEDIA_TYPE, Layout, RawHeader
from gateway.documents import encoder, worker
from gateway.documents.assemble import Coding, PageSource, plan
from gateway.documents.worker import Encoded, EncodeError, Worker

WIDTH, HEIGHT = 640, 905
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def picture(mode: str) -> Image.Image:
    """Return a page of print: text, and a stamp in colour or gray where the mode has it."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    for line in range(8):
        draw.text((40, 40 + 30 * line), "Invoice 4711, payable within 14 days", fill="black", font_size=18)
    if mode in ("RGB", "L"):
        draw.rectangle((400, 600, 600, 800), fill=(190, 20, 30) if mode == "RGB" else (128, 128, 128))
    if mode == "RGB":
        return image
    return image.convert("L") if mode == "L" else image.convert("L").point(lambda v: 255 if v > 127 else 0, "1")


def raw(layout: Layout) -> bytes:
    """Return the rows that a scanner would send of the picture, after their header."""
    image = picture({Layout.GRAY: "L", Layout.LINEART: "1"}.get(layout, "RGB"))
    header = RawHeader(layout, WIDTH, inverted=layout is not Layout.LINEART)
    if layout is Layout.LINEART:
        return header.encode() + image.tobytes("raw", "1;I")
    return header.encode() + ImageChops.invert(image).tobytes("raw", layout.name if layout is not Layout.GRAY else "L")


def jpeg(mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    picture(mode).save(out, "JPEG", quality=90)
    return out.getvalue()


async def chunks(data: bytes, size: int = 10_000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def encode(data: bytes, target: str, *, kind: str = "image/jpeg", height_px: int = HEIGHT) -> Encoded | None:
    return await Worker().encode(chunks(data), media_type=kind, height_px=height_px, target=target)


def near(ours: Image.Image, theirs: Image.Image) -> float:
    """Return the mean difference of two pictures, 0 to 255."""
    difference = ImageChops.difference(ours.convert("RGB"), theirs.convert("RGB")).convert("L").histogram()
    return sum(value * count for value, count in enumerate(difference)) / (WIDTH * HEIGHT)


@pytest.mark.parametrize(
    ("layout", "target", "coding", "mode"),
    [
        (Layout.RGB, "colour", Coding.JPEG_COLOUR, "RGB"),
        (Layout.BGR, "colour", Coding.JPEG_COLOUR, "RGB"),
        (Layout.RGB, "automatic", Coding.JPEG_COLOUR, "RGB"),
        (Layout.GRAY, "gray", Coding.JPEG_GRAY, "L"),
        (Layout.GRAY, "colour", Coding.JPEG_GRAY, "L"),
        (Layout.GRAY, "automatic", Coding.JPEG_GRAY, "L"),
    ],
)
async def test_raw_rows_become_a_jpeg_of_the_same_picture(
    layout: Layout, target: str, coding: Coding, mode: str
) -> None:
    encoded = await encode(raw(layout), target, kind=MEDIA_TYPE)
    assert encoded is not None
    assert (encoded.coding, encoded.width_px, encoded.height_px) == (coding, WIDTH, HEIGHT)
    image = Image.open(io.BytesIO(encoded.data))
    assert image.mode == mode
    assert near(image, picture(mode)) < 3


@pytest.mark.parametrize(
    ("data", "kind", "target"),
    [
        (raw(Layout.LINEART), MEDIA_TYPE, "lineart"),
        (raw(Layout.LINEART), MEDIA_TYPE, "automatic"),
        (raw(Layout.LINEART), MEDIA_TYPE, "gray"),
        (jpeg("1"), "image/jpeg", "lineart"),
        (jpeg("1"), "image/jpeg", "automatic"),
    ],
    ids=["raw", "raw-automatic", "raw-gray", "jpeg", "jpeg-automatic"],
)
@pytest.mark.skipif(shutil.which("pdfimages") is None, reason="poppler-utils is not installed")
async def test_black_and_white_comes_out_of_a_document_pixel_by_pixel(
    data: bytes, kind: str, target: str, tmp_path: Path
) -> None:
    encoded = await encode(data, target, kind=kind)
    assert encoded is not None
    assert encoded.coding is Coding.CCITT
    source = PageSource(WIDTH, HEIGHT, 72, len(encoded.data), lambda: chunks(encoded.data), encoded.coding)
    document = plan([source], title="t", created_at=NOW, identity="i")
    path = tmp_path / "page.pdf"
    path.write_bytes(b"".join([chunk async for chunk in document.stream()]))
    subprocess.run(["pdfimages", "-png", path, tmp_path / "image"], check=True)
    [shown] = tmp_path.glob("image*.png")
    assert near(Image.open(shown), picture("1")) == 0


@pytest.mark.parametrize(("mode", "coding"), [("L", Coding.JPEG_GRAY), ("1", Coding.CCITT)])
async def test_automatic_finds_out_what_a_colour_scan_holds(mode: str, coding: Coding) -> None:
    out = io.BytesIO()
    picture(mode).convert("RGB").save(out, "JPEG", quality=85)
    encoded = await encode(out.getvalue(), "automatic")
    assert encoded is not None
    assert encoded.coding is coding


@pytest.mark.parametrize("target", ["colour", "automatic"])
async def test_a_colour_jpeg_that_is_as_wanted_is_left_alone(target: str) -> None:
    assert await encode(jpeg(), target) is None


async def test_the_same_page_gives_the_same_bytes() -> None:
    assert await encode(raw(Layout.RGB), "lineart", kind=MEDIA_TYPE) == await encode(
        raw(Layout.RGB), "lineart", kind=MEDIA_TYPE
    )


@pytest.mark.parametrize(
    ("data", "kind", "height_px"),
    [
        (b"", "image/jpeg", 1),
        (b"\xff\xd8\xff\xd9", "image/jpeg", 1),
        (jpeg()[:-500], "image/jpeg", HEIGHT),
        (b"", MEDIA_TYPE, 1),
        (b"P6 4 4 255 ....", MEDIA_TYPE, 1),
        (raw(Layout.RGB)[:-1], MEDIA_TYPE, HEIGHT),
        (raw(Layout.RGB), MEDIA_TYPE, HEIGHT + 1),
        (raw(Layout.RGB), MEDIA_TYPE, 10_000_000),
        (raw(Layout.RGB), MEDIA_TYPE, 0),
    ],
)
async def test_what_is_no_whole_page_is_refused_with_a_sentence(data: bytes, kind: str, height_px: int) -> None:
    with pytest.raises(EncodeError) as caught:
        await encode(data, "gray", kind=kind, height_px=height_px)
    assert str(caught.value)


@settings(max_examples=15, deadline=None)
@given(data=st.binary(max_size=2000), cut=st.integers(0, 3000))
def test_no_bytes_get_more_than_a_sentence_out_of_it(data: bytes, cut: int) -> None:
    async def attempt() -> None:
        try:
            await encode(jpeg()[:cut] + data, "gray")
        except EncodeError:
            return

    asyncio.run(attempt())


async def test_a_page_whose_source_fails_says_so_and_leaves_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    children = watched(monkeypatch)

    async def failing() -> AsyncIterator[bytes]:
        yield b"\xff\xd8"
        raise OSError("the seal is broken")

    with pytest.raises((OSError, EncodeError)):
        await Worker().encode(failing(), media_type="image/jpeg", height_px=1, target="gray")
    assert [child.returncode is not None for child in children] == [True]


async def test_a_cancelled_page_leaves_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    children = watched(monkeypatch)

    async def endless() -> AsyncIterator[bytes]:
        yield b"\xff\xd8"
        await asyncio.Event().wait()

    encoding = asyncio.ensure_future(Worker().encode(endless(), media_type="image/jpeg", height_px=1, target="gray"))
    while not children:
        await asyncio.sleep(0.01)
    encoding.cancel()
    await asyncio.gather(encoding, return_exceptions=True)
    with pytest.raises(ProcessLookupError):
        os.kill(children[0].pid, 0)


def watched(monkeypatch: pytest.MonkeyPatch) -> list[asyncio.subprocess.Process]:
    """Return the children that the worker starts from now on."""
    children: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def starting(*args: str, **options: object) -> asyncio.subprocess.Process:
        children.append(await start(*args, **options))  # type: ignore[arg-type]
        return children[-1]

    monkeypatch.setattr(worker.asyncio, "create_subprocess_exec", starting)
    return children


CONFINED = f"""
import sys, socket, json
sys.path.insert(0, {str(Path(encoder.__file__).parent)!r})
import encoder
encoder.confine()
said = {{}}
for name, attempt in {{
    "socket": lambda: socket.socket(),
    "file": lambda: open("/etc/hostname"),
    "child": lambda: __import__("os").fork() or __import__("os")._exit(0),
    "memory": lambda: bytearray(600 * 1024 * 1024),
}}.items():
    try:
        attempt()
        said[name] = "done"
    except (OSError, MemoryError) as error:
        said[name] = type(error).__name__
sys.stdout.write(json.dumps(said))
"""


def test_the_child_can_open_nothing_and_take_no_more_than_its_memory() -> None:
    done = subprocess.run([sys.executable, "-I", "-c", CONFINED], capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    if os.getuid() == 0:
        said.pop("child")  # RLIMIT_NPROC does not bind root
    assert "done" not in said.values(), said
