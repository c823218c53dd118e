"""Programs that nobody here wrote, as children: run to their end, or kept while a test lasts. Bounded, always ended."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 60.0
_READY_S = 20.0  # a daemon on a busy machine
_GOODBYE_S = 5.0  # what a daemon needs to end; then it is killed
# A network with nothing in it but a loopback; mounts, and processes that all end with the first of them.
_NAMESPACE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


def there(program: str) -> str | None:
    """Return a program's path, also where only root looks for programs."""
    return shutil.which(program, path=_path())


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Ran:
    """What a program left."""

    code: int
    out: str
    err: str


async def run(*words: str, patience_s: float = PATIENCE_S, **more: str) -> Ran:
    """Run a program to its end, with `more` in its environment."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        *words, stdout=pipe, stderr=pipe, env={**os.environ, "PATH": _path(), **more}
    )
    try:
        async with asyncio.timeout(patience_s):
            out, err = await child.communicate()
    except TimeoutError:
        child.kill()
        await child.communicate()
        raise
    return Ran(child.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace"))


@asynccontextmanager
async def kept(*words: str, until: bytes, **more: str) -> AsyncIterator[None]:
    """Run a daemon while the context lasts, from when it has said `until` on stdout or stderr."""
    pipe, joined = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
    child = await asyncio.create_subprocess_exec(
        *words, stdout=pipe, stderr=joined, env={**os.environ, "PATH": _path(), **more}
    )
    ready = asyncio.Event()
    listening = asyncio.create_task(_listen(child, until, ready), name=f"listen to {words[0]}")
    try:
        async with asyncio.timeout(_READY_S):
            await ready.wait()
        yield
    finally:
        await _end(child)
        heard = await listening
    assert until in heard, f"{words[0]} said: {heard[-2000:]!r}"


async def _listen(child: asyncio.subprocess.Process, until: bytes, ready: asyncio.Event) -> bytes:
    """Read what a daemon says to its end, all of it, so that it never waits for a reader."""
    assert child.stdout is not None
    heard = b""
    while more := await child.stdout.read(4096):
        heard += more
        if until in heard:
            ready.set()
    ready.set()
    return heard


async def _end(child: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        child.terminate()
    try:
        async with asyncio.timeout(_GOODBYE_S):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()


async def in_a_namespace(what: str) -> Any:
    """Run a part of tests.conformance.namespace by its name; what it printed as JSON. Skips where only root may."""
    if os.geteuid() != 0:
        pytest.skip("a network namespace takes root")
    ran = await run(*_NAMESPACE, sys.executable, "-m", "tests.conformance.namespace", what)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def airscan(folder: Path, *, discovery: bool = False) -> str:
    """Write a SANE configuration with this one backend; its folder. Without discovery it looks for nobody."""
    folder = folder / "sane.d"
    folder.mkdir()
    (folder / "dll.conf").write_text("airscan\n", "ascii")
    on = "enable" if discovery else "disable"
    (folder / "airscan.conf").write_text(f"[options]\ndiscovery = {on}\nws-discovery = off\n", "ascii")
    return str(folder)
