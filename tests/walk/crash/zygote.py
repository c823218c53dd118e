"""A parent that has imported everything and forks a child per life: `python -m tests.walk.crash.zygote`.

One line in is an order, one line out is how the child ended. It has one thread only, and is its children's one waiter,
so that what it kills is surely the child.
"""

import asyncio
import ctypes
import gc
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path

from gateway import app
from tests.walk.crash import shim
from tests.walk.crash.life import live, settings
from tests.walk.crash.orders import DURABLE, Order

PATIENCE_S = 40.0  # a life takes a fraction of a second; on a busy machine some; this one hangs

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG, prctl(2)


def main() -> None:
    """Serve orders until standard input ends."""
    _warm()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(_born(Order.decode(line))), flush=True)


def _warm() -> None:
    """Start the daemon once: migrations, templates and compiled queries are then there for every child."""
    folder = Path(tempfile.mkdtemp())
    try:
        asyncio.run(_start(folder))
    finally:
        shutil.rmtree(folder)
    if threading.active_count() != 1:
        raise RuntimeError("who forks has one thread")
    gc.collect()
    gc.freeze()


async def _start(folder: Path) -> None:
    async with app.build(settings(folder, ()), finders=[]) as daemon:
        ready = asyncio.Event()
        serving = asyncio.ensure_future(daemon.run(ready=lambda _: ready.set()))
        await ready.wait()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def _born(order: Order) -> dict[str, object]:
    child = os.fork()
    if child == 0:
        _be(order)
    kill_after_s = order.life.kill_after_s
    watched = os.pidfd_open(child)
    try:
        ended = _ended(watched, PATIENCE_S if kill_after_s is None else kill_after_s)
        if not ended:
            shim.hold()
            signal.pidfd_send_signal(watched, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        shim.renew()
    finally:
        os.close(watched)
    return {"status": os.waitstatus_to_exitcode(status), "outside": not ended}


def _ended(watched: int, within_s: float) -> bool:
    poll = select.poll()
    poll.register(watched, select.POLLIN)
    return bool(poll.poll(within_s * 1000))


def _be(order: Order) -> None:
    """Be the child, to its end."""
    status = 1
    try:
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if order.disk_log:
            shim.begin(order.disk_log, [f"{order.folder}/{name}" for name in DURABLE])
        live(order)
        status = 0
    finally:
        if sys.exc_info()[0] is not None:
            sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
