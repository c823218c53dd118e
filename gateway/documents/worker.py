"""The bounded child process that alone decodes images, seen from outside (SECURITY.md, Images)."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from drivers.errors import PeerError
from drivers.raw import HEADER_BYTES, MEDIA_TYPE, Layout, RawHeader
from gateway.documents.assemble import Coding
from gateway.documents.streams import closing

_PROGRAM = Path(__file__).with_name("encoder.py")
_MOST_OUT_BYTES = 256 * 1024 * 1024  # a page of 200 Mpx as JPEG
_LINE_BYTES = 4096
_CHUNK_BYTES = 256 * 1024
_PICTURES = {"jpeg": "image/jpeg", "png": "image/png"}
_CODINGS = frozenset({*Coding, "as-is"})
_SOURCES = {Layout.LINEART: "lineart", Layout.GRAY: "gray", Layout.RGB: "rgb", Layout.BGR: "bgr"}


class EncodeError(Exception):
    """A page cannot be encoded; `str()` is a sentence for its owner."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One encoded page."""

    coding: Coding
    width_px: int
    height_px: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Picture:
    """One page as browsers show it."""

    media_type: str
    width_px: int
    height_px: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """What one page may take: memory and CPU of the child, which it gives itself; `wall_s` of everything.

    512 MiB hold a page of 100 Mpx in colour; it takes some seconds of CPU. The wall clock is twice the CPU's: machines
    are shared, and the page comes from a disk.
    """

    memory_bytes: int = 512 * 1024 * 1024
    cpu_s: int = 60
    wall_s: float = 120.0


class _Answer(msgspec.Struct):
    """The child's line of JSON. It has seen the page and is not trusted more than the page."""

    coding: str = ""
    width_px: int = 0
    height_px: int = 0
    byte_count: int = 0
    error: str = ""


class Worker:
    """Encodes pages, `slots` at a time."""

    def __init__(self, slots: int = 1, *, limits: Limits = Limits()) -> None:
        self._slots = asyncio.Semaphore(slots)
        self._limits = limits

    async def encode(
        self, page: AsyncIterator[bytes], *, media_type: str, height_px: int, target: str, quality: int = 80
    ) -> Encoded | None:
        """Return a page as it is wanted ("colour", "gray", "lineart", "automatic"); None: it is so already.

        A page is never given more than it was sent with: gray stays gray where colour is wanted, and lineart lineart.
        EncodeError; what `page` raises comes out. The child is gone when this returns, whatever happened.
        """
        asked: dict[str, object] = {"target": target, "quality": quality}
        answer, data = await self._ask(page, media_type, height_px, asked, _CODINGS)
        if answer.coding == "as-is":
            return None
        return Encoded(Coding(answer.coding), answer.width_px, answer.height_px, data)

    async def picture(
        self, page: AsyncIterator[bytes], *, media_type: str, height_px: int, longest_px: int = 0, quality: int = 80
    ) -> Picture:
        """Return a page as browsers show it: as it was sent, no side longer than `longest_px` (0: as large as it is).

        EncodeError, as with `encode`.
        """
        asked: dict[str, object] = {"target": "picture", "quality": quality, "longest_px": longest_px}
        answer, data = await self._ask(page, media_type, height_px, asked, frozenset(_PICTURES))
        return Picture(_PICTURES[answer.coding], answer.width_px, answer.height_px, data)

    async def _ask(
        self,
        page: AsyncIterator[bytes],
        media_type: str,
        height_px: int,
        asked: dict[str, object],
        codings: frozenset[str],
    ) -> tuple[_Answer, bytes]:
        async with self._slots, closing(page):
            try:
                async with asyncio.timeout(self._limits.wall_s) as patience:
                    head, rest = await _headed(page) if media_type == MEDIA_TYPE else (b"", b"")
                    request = asked | _request(head, height_px) | self._bounds()
                    async with _child(request) as (stdin, stdout):
                        return await _converse(_feed(stdin, rest, page), _receive(stdout, codings))
            except TimeoutError:
                if not patience.expired():  # the page's own
                    raise
                raise EncodeError("a page took too long to encode") from None

    def _bounds(self) -> dict[str, object]:
        return {"memory_bytes": self._limits.memory_bytes, "cpu_s": self._limits.cpu_s}


async def _headed(page: AsyncIterator[bytes]) -> tuple[bytes, bytes]:
    """Read a raw page as far as its header, and return that and what came with it."""
    held = b""
    while len(held) < HEADER_BYTES and (chunk := await anext(page, None)) is not None:
        held += chunk
    return held[:HEADER_BYTES], held[HEADER_BYTES:]


def _request(head: bytes, height_px: int) -> dict[str, object]:
    if not head:
        return {"source": "jpeg"}
    try:
        header = RawHeader.decode(head)
    except PeerError as error:
        raise EncodeError(str(error)) from None
    return {
        "source": _SOURCES[header.layout],
        "width_px": header.width_px,
        "height_px": height_px,
        "row_bytes": header.row_bytes,
        "inverted": header.inverted,
    }


@asynccontextmanager
async def _child(request: dict[str, object]) -> AsyncIterator[tuple[asyncio.StreamWriter, asyncio.StreamReader]]:
    """Run the program for as long as the block runs; no environment, no directory, no descriptor of ours."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(_PROGRAM),
        json.dumps(request),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LINE_BYTES,
        env={},
        cwd="/",
    )
    stdin, stdout = child.stdin, child.stdout
    if stdin is None or stdout is None:
        raise RuntimeError("a child without pipes")
    try:
        yield stdin, stdout
    finally:
        # Not by `Process.kill`: that would reap it behind the event loop's back.
        if child.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
        stdin.close()
        while await stdout.read(_CHUNK_BYTES):  # what nobody read keeps the pipe, and with it the transport, open
            continue
        await child.wait()


async def _converse(
    feed: Coroutine[Any, Any, None], receive: Coroutine[Any, Any, tuple[_Answer, bytes]]
) -> tuple[_Answer, bytes]:
    """Write the page and read the answer at once; where the page fails, its error and not the child's."""
    feeding, receiving = asyncio.ensure_future(feed), asyncio.ensure_future(receive)
    try:
        await asyncio.wait({feeding, receiving}, return_when=asyncio.FIRST_EXCEPTION)
        if feeding.done():
            feeding.result()
        return await receiving
    finally:
        feeding.cancel()
        receiving.cancel()
        await asyncio.gather(feeding, receiving, return_exceptions=True)


async def _feed(pipe: asyncio.StreamWriter, rest: bytes, page: AsyncIterator[bytes]) -> None:
    """Write the page; the pipe is closed only after all of it, so that no part can pass for the whole."""
    pipe.write(rest)
    async for chunk in page:
        pipe.write(chunk)
        try:
            await pipe.drain()
        except (BrokenPipeError, ConnectionResetError):  # the child has given up; its answer says why
            return
    pipe.close()


async def _receive(pipe: asyncio.StreamReader, codings: frozenset[str]) -> tuple[_Answer, bytes]:
    """Read the answer and the image; EncodeError for an error, and for everything that is not a whole image."""
    answer = await _answer(pipe, codings)
    data = bytearray()
    while chunk := await pipe.read(_CHUNK_BYTES):
        data += chunk
        if len(data) > answer.byte_count:
            break
    if len(data) != answer.byte_count:
        raise EncodeError("a page cannot be encoded: its decoder died, or talks nonsense")
    return answer, bytes(data)


async def _answer(pipe: asyncio.StreamReader, codings: frozenset[str]) -> _Answer:
    try:
        line = await pipe.readline()
        answer = msgspec.json.decode(line, type=_Answer)
    except (ValueError, msgspec.DecodeError):  # ValueError: a line without an end
        raise EncodeError("a page cannot be encoded: its decoder died, or reached its limits") from None
    if answer.error:
        raise EncodeError(answer.error)
    if answer.byte_count > _MOST_OUT_BYTES:
        raise EncodeError("a page became too large")
    if not _makes_sense(answer, codings):
        raise EncodeError("a page cannot be encoded: its decoder talks nonsense")
    return answer


def _makes_sense(answer: _Answer, codings: frozenset[str]) -> bool:
    if answer.coding == "as-is":
        return answer.coding in codings and answer.byte_count == 0
    return answer.coding in codings and min(answer.width_px, answer.height_px, answer.byte_count) > 0
