"""Running rclone: one process for each question, with our options only, and never one that outlives us.

The environment is empty but for a fixed PATH, HOME is nowhere, standard input is ours, nothing goes through a shell.
What rclone says is bounded; what an owner gets to read of it is in rclone_words.py.
"""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.destinations.port import Rejected, Unavailable

_PATH = "/usr/local/bin:/usr/bin:/bin"
_OUT_BYTES = 64 * 1024  # of an answer: one object, or what a remote can do
_ERR_BYTES = 8 * 1024  # of complaints: the last ones tell why
_CHUNK_BYTES = 64 * 1024
ANSWER_S = 300.0  # a copy within the remote, which some need for a rename, takes minutes for a gigabyte
# A remote's chunk is up to 96 MiB (B2): at 1 Mbit/s rclone takes nothing from us meanwhile. A connection that is dead
# rclone itself notices, after the minute of --timeout.
STALL_S = 900.0
# The first two, or rclone asks for a password where our document is; no second attempt, or it would not see its end.
_OPTIONS = (
    "--ask-password=false",
    "--auto-confirm=false",
    "--retries=1",
    "--low-level-retries=3",
    "--contimeout=10s",
    "--timeout=60s",
    "--log-level=ERROR",
    "--stats=0",
)
# The kernel ends rclone with us, kill -9 included (PR_SET_PDEATHSIG, prctl(2)). It has to be said in the child, and
# between fork and exec no Python is safe beside threads: so a process of its own says it and becomes rclone.
_TETHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """How rclone ended; `out` is None if it was longer than an answer may be."""

    code: int
    out: bytes | None
    err: str


class Rclone:
    """The program with the administrator's configuration file."""

    def __init__(self, config: Path) -> None:
        """Take rclone.conf; nothing is looked at before the first use."""
        self._config = config

    async def ask(self, *words: str) -> Ran:
        """Run to the end with nothing on standard input; Rejected without rclone, Unavailable if it takes too long."""
        async with self.running(*words) as child:
            child.close_stdin()
            return await child.end(ANSWER_S)

    @asynccontextmanager
    async def running(self, *words: str) -> AsyncIterator["Child"]:
        """Give the running program; at the end of the block it is dead, its whole process group, whatever happened."""
        command = [self._program(), words[0], "--config", str(self._config), *_OPTIONS, *words[1:]]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            "-c",
            _TETHER,
            str(os.getpid()),
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": _PATH, "HOME": "/nonexistent", "LANG": "C.UTF-8"},
            cwd="/",
            start_new_session=True,
        )
        child = Child(process)
        try:
            yield child
        finally:
            await child.kill()

    def _program(self) -> str:
        program = shutil.which("rclone", path=_PATH)
        if program is None:
            raise Rejected("rclone is not installed on the gateway; the administrator can install it")
        if not self._config.is_file():
            raise Rejected("the administrator has set up no rclone remotes: there is no rclone.conf")
        return program


class Child:
    """One running rclone. Its standard error is read all the time, so that it never waits for a reader."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise RuntimeError("a child without pipes")
        self._process = process
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self._listening = asyncio.create_task(self._listen(), name="listen to rclone")

    async def write(self, chunk: bytes) -> bool:
        """Hand over a chunk; False if rclone takes no more. Unavailable if it takes nothing for too long."""
        try:
            async with asyncio.timeout(STALL_S):
                self._stdin.write(chunk)
                await self._stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            return False
        except TimeoutError:
            raise Unavailable("the remote stopped taking the upload") from None
        return True

    def close_stdin(self) -> None:
        """Say that this was all."""
        self._stdin.close()

    async def read(self) -> bytes:
        """Return what comes next of the output, b"" at its end."""
        try:
            async with asyncio.timeout(STALL_S):
                return await self._stdout.read(_CHUNK_BYTES)
        except TimeoutError:
            raise Unavailable("the remote stopped answering") from None

    async def end(self, patience_s: float) -> Ran:
        """Wait until it is done; Unavailable if it takes too long."""
        try:
            async with asyncio.timeout(patience_s):
                out = await self._answer()
                code = await self._process.wait()
                return Ran(code, out, await self._listening)
        except TimeoutError:
            raise Unavailable("the remote does not answer in time") from None

    async def kill(self) -> None:
        """End the process group if it is still there, and take what the pipes hold."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._stdin.close()
        while await self._stdout.read(_CHUNK_BYTES):
            continue
        await self._listening
        await self._process.wait()

    async def _answer(self) -> bytes | None:
        out = b""
        while more := await self._stdout.read(_CHUNK_BYTES):
            out = (out + more)[: _OUT_BYTES + 1]
        return out if len(out) <= _OUT_BYTES else None

    async def _listen(self) -> str:
        heard = b""
        while more := await self._stderr.read(_CHUNK_BYTES):
            heard = (heard + more)[-_ERR_BYTES:]
        return heard.decode("utf-8", "replace")
