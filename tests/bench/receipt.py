"""From the last page of a 20-page scan to its receipt, with the gate open, over what the sink itself takes.

A scanner in the daemon's own process tells when its last byte was taken. The sink's own time: the same bytes by a plain
client into the same sink right afterwards, a folder (write, sync, link) or nginx (`curl -T`, MOVE).
"""

import asyncio
import statistics
import tempfile
from pathlib import Path

from tests.bench import own
from tests.bench.daemon import cpu_used_s
from tests.bench.held import Held, holding
from tests.bench.measure import Sample, medians
from tests.bench.pages import HEAVY, USUAL
from tests.bench.release import server_folder
from tests.bench.table import Bound, Row, unmeasured
from tests.destinations.nginx_peer import PACKAGES, nginx, program

_PAGES = 20
_RUNS = 7
_MOST_MS = 150
_WHAT = f"{_PAGES} pages: last page -> receipt"


def bench() -> list[Row | Bound]:
    """Measure a folder and a WebDAV server, with pages as they usually are; heavy ones are told of only."""
    with tempfile.TemporaryDirectory(prefix="bench-receipt-") as name, server_folder() as served:
        return asyncio.run(_bench(Path(name), Path(served)))


async def _bench(folder: Path, served: Path) -> list[Row | Bound]:
    found: list[Row | Bound] = []
    for quality in (USUAL, HEAVY):
        found += await _into(folder / f"folder-{quality}", "", quality)
        if program() is None or own.PROGRAM is None:
            found.append(unmeasured(f"{_WHAT}, WebDAV", f"it takes {PACKAGES}, curl"))
            continue
        (served / str(quality)).mkdir()
        async with nginx(served / str(quality)) as server:
            found += await _into(folder / f"webdav-{quality}", server.url, quality, server.folder)
    return found


async def _into(folder: Path, url: str, quality: int, served: Path | None = None) -> list[Row | Bound]:
    ours, sinks, size_mb = [], [], 0.0
    async with holding(folder, url, quality=quality) as held:
        for _ in range(_RUNS):
            ours.append(await _receipt(held))
            document = max((served or held.house.archive).glob("*.pdf"), key=lambda path: path.stat().st_mtime_ns)
            size_mb = document.stat().st_size / 1e6
            alone = (own.webdav, document, url) if url else (own.folder, document)
            sinks.append(await asyncio.to_thread(*alone))
    what, who = f"{_WHAT}, {size_mb:.0f} MB", "WebDAV" if url else "folder"
    rows: list[Row | Bound] = [
        Row(what, f"ours, {who}", medians(ours), medians(sinks)),
        Row(what, f"{who} alone", medians(sinks), medians(sinks)),
    ]
    if quality == USUAL:
        over_ms = [1000 * (our.wall_s - sink.wall_s) for our, sink in zip(ours, sinks, strict=True)]
        rows.append(_bound(f"{what}, over the {who}'s own", over_ms))
    return rows


def _bound(what: str, over_ms: list[float]) -> Bound:
    median = statistics.median(over_ms)
    return Bound(what, f"{median:.0f} ms", f"under {_MOST_MS}", median < _MOST_MS, f"worst {max(over_ms):.0f}")


async def _receipt(held: Held) -> Sample:
    await held.scan(_PAGES)
    last_page_s, cpu_s = await held.told("last_page"), cpu_used_s(held.pid)
    return Sample(await held.told("delivered") - last_page_s, cpu_used_s(held.pid) - cpu_s, 0.0)
