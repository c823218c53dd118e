"""Where children come from: forked from a parent that is warm, or as fresh processes."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tests.walk.crash.orders import Order
from tests.walk.crash.zygote import PATIENCE_S

ROOT = Path(__file__).parents[3]
START_S = 120.0  # to import everything on a machine that is busy


@dataclass(frozen=True, slots=True)
class End:
    """How a life ended: its exit status (minus the signal), and whether it was killed from outside."""

    status: int
    outside: bool


class Nursery(Protocol):
    """Brings up one child at a time."""

    async def live(self, order: Order) -> End:
        """Have an order lived to its end."""


class Zygote:
    """The forking parent."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def live(self, order: Order) -> End:
        """Have a child forked for it."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("a zygote without pipes")
        self._process.stdin.write(order.encode().encode() + b"\n")
        async with asyncio.timeout(2 * PATIENCE_S):
            answer = await self._process.stdout.readline()
        return End(**json.loads(answer))


@asynccontextmanager
async def zygote(environment: Mapping[str, str] | None = None) -> AsyncIterator[Zygote]:
    """Run a forking parent, with this beside its environment."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.walk.crash.zygote",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=1024 * 1024,
        cwd=ROOT,
        env=os.environ | dict(environment or {}),
    )
    async with _ended(process):
        if process.stdout is None:
            raise RuntimeError("a zygote without pipes")
        async with asyncio.timeout(START_S):
            if await process.stdout.readline() != b"ready\n":
                raise RuntimeError("the zygote did not start")
        yield Zygote(process)


class Cold:
    """Fresh processes; the time until a kill from outside counts from the start of the interpreter."""

    async def live(self, order: Order) -> End:
        """Start a daemon for it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.walk.crash.life",
            order.encode(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=ROOT,
        )
        after_s = order.life.kill_after_s
        async with _ended(process):
            try:
                async with asyncio.timeout(START_S if after_s is None else after_s):
                    return End(await process.wait(), outside=False)
            except TimeoutError:
                if process.returncode is None:
                    process.kill()
                return End(await process.wait(), outside=True)


def stretched(order: Order, factor: float) -> Order:
    """Return an order whose kill from outside comes so many times later."""
    after_s = order.life.kill_after_s
    return order if after_s is None else replace(order, life=replace(order.life, kill_after_s=after_s * factor))


@asynccontextmanager
async def _ended(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_end, process)
        yield


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
    process._transport.close()  # type: ignore[attr-defined]
