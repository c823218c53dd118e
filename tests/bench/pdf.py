"""Our assembly beside img2pdf: the same JPEG pages into one PDF file on disk.

`python -m tests.bench.pdf ours|img2pdf|img2pdf-internal FOLDER OUT` is one measured run; `bench()` alternates them.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tests.bench import measure
from tests.bench.table import Row

_PAGES = 100
_RUNS = 5
_READ_BYTES = 128 * 1024
_CREATED = datetime(2024, 1, 1, tzinfo=UTC)
_PEERS = ("ours", "img2pdf", "img2pdf-internal")


def bench() -> list[Row]:
    """Measure each assembler `_RUNS` times in turn, and check that ours kept every byte of every page."""
    from tests.bench import pages

    with tempfile.TemporaryDirectory(prefix="bench-pdf-") as name:
        folder = Path(name) / "pages"
        folder.mkdir()
        paths = pages.make(folder, _PAGES)
        samples: dict[str, list[measure.Sample]] = {peer: [] for peer in _PEERS}
        for _ in range(_RUNS):
            for peer in _PEERS:
                samples[peer].append(measure.in_fresh_process(__name__, peer, folder, Path(name) / f"{peer}.pdf"))
        _verify(Path(name) / "ours.pdf", paths)
        size_mb = sum(p.stat().st_size for p in paths) / 1e6
    what = f"{_PAGES} JPEG pages, {size_mb:.0f} MB -> PDF"
    results = {peer: measure.medians(taken) for peer, taken in samples.items()}
    return [Row(what, peer, results[peer], results["img2pdf"]) for peer in _PEERS]


def _verify(document: Path, paths: list[Path]) -> None:
    import pikepdf

    with pikepdf.open(document) as pdf:
        for page, path in zip(pdf.pages, paths, strict=True):
            picture = page.obj["/Resources"]["/XObject"]["/Im0"]
            if picture.read_raw_bytes() != path.read_bytes():
                raise AssertionError(f"{path.name} was changed")


def _ours(folder: Path, out: Path) -> None:
    from gateway.documents.assemble import PageSource, plan

    async def chunks(path: Path) -> AsyncIterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(_READ_BYTES):
                yield chunk

    paths = sorted(folder.glob("*.jpg"))

    async def assemble() -> None:
        sources = [PageSource(2480, 3508, 300, path.stat().st_size, partial(chunks, path)) for path in paths]
        document = plan(sources, title="bench", created_at=_CREATED, identity="bench")
        with out.open("wb") as file:
            async for chunk in document.stream():
                file.write(chunk)

    asyncio.run(assemble())


def _img2pdf(folder: Path, out: Path, *, internal: bool) -> None:
    import img2pdf  # type: ignore[import-untyped]

    layout = img2pdf.get_fixed_dpi_layout_fun((300, 300))
    engine = {"engine": img2pdf.Engine.internal} if internal else {}
    with out.open("wb") as file:
        img2pdf.convert([str(p) for p in sorted(folder.glob("*.jpg"))], layout_fun=layout, outputstream=file, **engine)


_WORK: dict[str, Callable[[Path, Path], None]] = {
    "ours": _ours,
    "img2pdf": partial(_img2pdf, internal=False),
    "img2pdf-internal": partial(_img2pdf, internal=True),
}

if __name__ == "__main__":
    peer, source, target = sys.argv[1:]
    measure.report(lambda: _WORK[peer](Path(source), Path(target)))
