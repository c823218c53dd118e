"""A held scan of 1 GB released to a WebDAV server on loopback; peer: `curl -T` of the very same bytes.

Two servers: `rclone serve webdav`, and nginx, which does little more than copying what comes: there the ratio says how
much more than copying the gateway does. Their folders are in memory where there is room, so that no disk's mood is
measured. Time runs from the answer to the sign-in, which opens the gate, to the receipt in the ledger; pages are
verified, opened, and hashed meanwhile.
"""

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import own
from tests.bench.daemon import cpu_used_s
from tests.bench.held import Held, holding
from tests.bench.measure import Sample, medians, of_command
from tests.bench.table import Bound, Row, unmeasured
from tests.conformance.peers import there
from tests.destinations.nginx_peer import PACKAGES, Nginx, nginx, program
from tests.destinations.rclone_peers import Served, webdav_server

_RUNS = 3
_PAGES = 380  # of 2.7 MB
_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 3 * 10**9  # twice the document, and some air
_LEAST_MB_S, _LEAST_RATIO, _MOST_MB = 100, 0.5, 150

Server = Served | Nginx


@dataclass(frozen=True)
class _Contestant:
    """A server, and what it takes to run it here."""

    name: str
    packages: str
    is_there: bool
    serving: Callable[[Path], AbstractAsyncContextManager[Server]]

    @property
    def what(self) -> str:
        return f"a held scan of 1 GB -> {self.name}"


def _contestants() -> tuple[_Contestant, ...]:
    return (
        _Contestant("rclone serve", "rclone", there("rclone") is not None, webdav_server),
        _Contestant("nginx", PACKAGES, program() is not None, nginx),
    )


def bench() -> list[Row | Bound]:
    """Release and upload in turn."""
    found: list[Row | Bound] = []
    for one in _contestants():
        if not one.is_there or own.PROGRAM is None:
            found.append(unmeasured(one.what, f"it takes {one.packages}, curl"))
            continue
        with tempfile.TemporaryDirectory(prefix="bench-release-") as house, server_folder() as served:
            found += asyncio.run(_bench(one, Path(house), Path(served)))
    return found


def server_folder() -> "tempfile.TemporaryDirectory[str]":
    """Return a folder in memory, or on the disk if there is no room."""
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES
    return tempfile.TemporaryDirectory(prefix="bench-server-", dir=_MEMORY if roomy else None)


async def _bench(one: _Contestant, folder: Path, served: Path) -> list[Row | Bound]:
    ours, peers, sizes = [], [], []
    async with one.serving(served) as server, holding(folder / "house", server.url) as held:
        for _ in range(_RUNS):
            ours.append(await _release(held))
            document = next(server.folder.glob("*.pdf"))
            sizes.append(document.stat().st_size / 1e6)
            peers.append(await asyncio.to_thread(_upload, document, server))
            await _clear(held, server)
    ratios = [peer.wall_s / our.wall_s for our, peer in zip(ours, peers, strict=True)]
    mb_s = [size / our.wall_s for our, size in zip(ours, sizes, strict=True)]
    peer_mb_s = [size / peer.wall_s for peer, size in zip(peers, sizes, strict=True)]
    peak_mb, result, peer = max(our.peak_mb for our in ours), medians(ours), medians(peers)
    speed, share = statistics.median(mb_s), statistics.median(ratios)
    return [
        Row(one.what, "ours", result, peer),
        Row(one.what, "curl -T", peer, peer),
        Bound(
            one.what,
            f"{speed:.0f} MB/s",
            f"at least {_LEAST_MB_S}",
            speed >= _LEAST_MB_S,
            f"by run {_listed(mb_s, 0)}",
        ),
        Bound(
            "... of curl -T of the same bytes",
            f"{share:.2f}",
            f"at least {_LEAST_RATIO}",
            share >= _LEAST_RATIO,
            f"curl -T: {statistics.median(peer_mb_s):.0f} MB/s, by run {_listed(ratios)}",
        ),
        Bound("... the daemon's memory meanwhile", f"{peak_mb:.0f} MB", f"under {_MOST_MB}", peak_mb < _MOST_MB),
    ]


async def _release(held: Held) -> Sample:
    await held.scan_and_hold(_PAGES)
    await held.sign_in()
    Path(f"/proc/{held.pid}/clear_refs").write_text("5", "ascii")  # the peak begins anew: proc(5)
    began_s, cpu_s = time.monotonic(), cpu_used_s(held.pid)
    ended_s = await held.told("delivered")
    return Sample(ended_s - began_s, cpu_used_s(held.pid) - cpu_s, _peak_mb(held.pid))


def _upload(document: Path, server: Server) -> Sample:
    return of_command((str(own.PROGRAM), "-sf", "-T", str(document), f"{server.url}peer.bin"), os.environ)


async def _clear(held: Held, server: Server) -> None:
    for path in server.folder.iterdir():
        path.unlink()
    for scan in await held.house.scans():
        await held.house.call("DELETE", f"/scans/{scan['id']}")


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6


def _listed(values: list[float], digits: int = 2) -> str:
    return " ".join(f"{value:.{digits}f}" for value in values)
