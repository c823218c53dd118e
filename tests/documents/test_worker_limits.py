"""What the worker holds out against: hostile pages, a hostile child, a source that fails, and impatience."""

import asyncio
import io
import json
import os
import signal
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from drivers.raw import MEDIA_TYPE, Layout, RawHeader
from gateway.documents import worker
from gateway.documents.assemble import Coding
from gateway.documents.worker import Encoded, EncodeError, Limits, Worker

MIB = 1024 * 1024


def jpeg(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


def enlarged(data: bytes, width_px: int, height_px: int) -> bytes:
    """Return a JPEG whose frame header claims another size."""
    at = data.index(b"\xff\xc0") + 5  # marker 2 | length 2 | precision 1 | height 2 | width 2
    return data[:at] + height_px.to_bytes(2, "big") + width_px.to_bytes(2, "big") + data[at + 4 :]


async def chunks(*pieces: bytes) -> AsyncGenerator[bytes]:
    for piece in pieces:
        yield piece


async def endless() -> AsyncGenerator[bytes]:
    yield b"\xff\xd8"
    await asyncio.Event().wait()


async def encode(
    page: AsyncIterator[bytes],
    *,
    by: Worker | None = None,
    target: str = "lineart",
    kind: str = "image/jpeg",
    high: int = 1,
) -> Encoded | None:
    return await (by or Worker()).encode(page, media_type=kind, height_px=high, target=target)


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[asyncio.subprocess.Process]:
    """The children that the worker starts."""
    started: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def starting(*args: str, **options: object) -> asyncio.subprocess.Process:
        started.append(await start(*args, **options))  # type: ignore[arg-type]
        return started[-1]

    monkeypatch.setattr(worker.asyncio, "create_subprocess_exec", starting)
    return started


async def confined(children: list[asyncio.subprocess.Process]) -> Path:
    """Wait until a child has confined itself; return its folder in /proc."""
    while True:
        await asyncio.sleep(0.01)
        if children and "Max open files            3 " in Path(f"/proc/{children[0].pid}/limits").read_text("ascii"):
            return Path(f"/proc/{children[0].pid}")


@pytest.mark.parametrize(
    ("page", "kind", "high", "sentence"),
    [
        ([enlarged(jpeg(Image.new("L", (16, 16))), 20_000, 15_000)], "image/jpeg", 1, "20000 x 15000 pixels"),
        ([enlarged(jpeg(Image.new("L", (16, 16))), 0, 16)], "image/jpeg", 1, "can be read|pixels"),
        ([RawHeader(Layout.GRAY, 2**31, False).encode()], MEDIA_TYPE, 1, "pixels"),
        ([RawHeader(Layout.GRAY, 4, False).encode(), bytes(9)], MEDIA_TYPE, 2, "more rows"),
        ([RawHeader(Layout.RGB, 13_000, False).encode()], MEDIA_TYPE, 15_000, "memory"),
        ([jpeg(Image.new("CMYK", (16, 16)))], "image/jpeg", 16, "neither gray nor colour"),
        ([b"GIF89a", bytes(100)], "image/jpeg", 1, "no JPEG"),
    ],
    ids=["bomb", "flat", "wide", "long", "heavy", "cmyk", "gif"],
)
async def test_a_hostile_page_gets_a_sentence(page: list[bytes], kind: str, high: int, sentence: str) -> None:
    with pytest.raises(EncodeError, match=sentence):
        await encode(chunks(*page), kind=kind, high=high)


async def test_memory_is_limited() -> None:
    page = jpeg(Image.new("L", (10_000, 10_000)))
    with pytest.raises(EncodeError, match=r"memory|limits|decoded"):
        await encode(chunks(page), by=Worker(limits=Limits(memory_bytes=100 * MIB)))
    assert await encode(chunks(page)) is not None


async def test_computing_is_limited() -> None:
    page = jpeg(Image.effect_noise((6_000, 6_000), 80).resize((13_000, 13_000), Image.Resampling.NEAREST), quality=50)
    with pytest.raises(EncodeError, match="limits"):
        await encode(chunks(page), by=Worker(limits=Limits(cpu_s=1, memory_bytes=2048 * MIB)))


async def test_patience_is_limited(children: list[asyncio.subprocess.Process]) -> None:
    with pytest.raises(EncodeError, match="too long"):
        await encode(endless(), by=Worker(limits=Limits(wall_s=0.5)))
    assert children[0].returncode == -signal.SIGKILL


@pytest.mark.parametrize("error", [ConnectionResetError, TimeoutError, RuntimeError])
async def test_what_the_page_raises_comes_out_at_once(
    error: type[Exception], children: list[asyncio.subprocess.Process]
) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"\xff\xd8"
        raise error("the page's own trouble")

    with pytest.raises(error, match="own trouble"):
        await encode(failing())
    assert children[0].returncode is not None


async def test_a_killed_child_is_a_sentence_and_the_page_is_closed(children: list[asyncio.subprocess.Process]) -> None:
    page = endless()
    encoding = asyncio.ensure_future(encode(page))
    os.kill(int((await confined(children)).name), signal.SIGKILL)
    with pytest.raises(EncodeError, match="died"):
        await encoding
    assert page.ag_frame is None


async def test_a_page_given_up_early_is_closed() -> None:
    page = chunks(b"no header at all", bytes(10))
    with pytest.raises(EncodeError):
        await encode(page, kind=MEDIA_TYPE)
    assert page.ag_frame is None


async def test_the_running_child_has_nothing_of_ours(children: list[asyncio.subprocess.Process]) -> None:
    encoding = asyncio.ensure_future(encode(endless()))
    about = await confined(children)
    assert (about / "environ").read_bytes() == b""
    assert (about / "cwd").readlink() == Path("/")
    assert sorted(entry.name for entry in (about / "fd").iterdir()) == ["0", "1", "2"]
    limits = (about / "limits").read_text("ascii")
    assert f"Max address space         {512 * MIB} " in limits
    assert "Max cpu time              60 " in limits
    assert "Max file size             0 " in limits
    if (about / "ns/net").readlink() != Path("/proc/self/ns/net").readlink():
        assert [line.split(":")[0].strip() for line in (about / "net/dev").read_text("ascii").splitlines()[2:]] == [
            "lo"
        ]
    encoding.cancel()
    await asyncio.gather(encoding, return_exceptions=True)
    assert not about.exists()


async def test_slots_bound_how_many_children_there_are(children: list[asyncio.subprocess.Process]) -> None:
    one = Worker(slots=1)
    first, second = (asyncio.ensure_future(encode(endless(), by=one)) for _ in range(2))
    await confined(children)
    assert len(children) == 1
    first.cancel()
    while len(children) == 1:
        await asyncio.sleep(0.01)
    assert children[0].returncode is not None
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)


def answer(**fields: object) -> str:
    """Return a program that answers with these fields and three bytes of image."""
    honest = {"coding": "ccitt", "width_px": 1, "height_px": 1, "byte_count": 3}
    return f"print({json.dumps(honest | fields)!r}, end='\\nxyz')"


@pytest.mark.parametrize(
    "program",
    [
        "",
        "print('no JSON')",
        "print('{}', end='\\nxyz')",
        "import os\nwhile True: os.write(1, b'x' * 65536)",
        answer(coding="gif"),
        answer(width_px=0),
        answer(byte_count=4),
        answer(byte_count=2),
        answer(byte_count=999_999_999),
        answer(byte_count=-1),
        answer(coding="as-is"),
        answer() + "\nwhile True: print('x' * 65536)",
    ],
    ids=[
        "mute",
        "no-json",
        "empty",
        "endless-line",
        "coding",
        "flat",
        "short",
        "long",
        "huge",
        "negative",
        "as-is",
        "endless",
    ],
)
async def test_a_child_that_lies_is_not_believed(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lie.py"
    path.write_text(program, "ascii")
    monkeypatch.setattr(worker, "_PROGRAM", path)
    with pytest.raises(EncodeError):
        await encode(chunks(jpeg(Image.new("L", (16, 16)))))


async def test_a_page_of_600_dpi_fits_and_our_own_memory_stays_flat() -> None:
    width_px, height_px, block = 5100, 7016, bytes(5100 * 3 * 8)

    async def page() -> AsyncIterator[bytes]:
        yield RawHeader(Layout.BGR, width_px, True).encode()
        for _ in range(height_px // 8):
            yield block

    tracemalloc.start()
    try:
        encoded = await encode(page(), target="colour", kind=MEDIA_TYPE, high=height_px)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert encoded is not None
    assert (encoded.coding, encoded.width_px, encoded.height_px) == (Coding.JPEG_COLOUR, width_px, height_px)
    assert peak < 3 * len(encoded.data) + 4 * MIB
