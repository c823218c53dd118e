"""sane-airscan takes the simulator for an eSCL scanner: glass, feeder, both sides, its quirks, and paper in trouble."""

import hashlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from simulator.escl.images import Document, jpeg
from simulator.escl.quirks import Location, Quirks
from simulator.escl.server import EsclServer
from simulator.faults import Fault, FaultKind
from simulator.fleet import Escl, UnitSpec
from simulator.scanner import Delivered, VirtualScanner
from simulator.sheets import Mode, expected_pixels
from tests.conformance.conftest import need
from tests.conformance.peers import Ran, airscan, in_a_namespace, run, there

pytestmark = pytest.mark.conformance
NO_DOCUMENTS, JAMMED, COVER_OPEN = 7, 6, 8  # SANE_Status
PIL_MODES = {Mode.COLOUR: "RGB", Mode.GRAY: "L"}
SCANIMAGE = {Mode.COLOUR: "Color", Mode.GRAY: "Gray"}
JPEG_LOSS = 4.0  # mean difference to what was printed, of 255; sharp black letters lose most


@pytest.fixture(autouse=True)
def _sane() -> None:
    need(there("scanimage"), "sane-utils")
    need(there("airscan-discover"), "sane-airscan")


@dataclass(frozen=True)
class Office:
    """A unit, and SANE's programs that see no other."""

    server: EsclServer
    folder: Path
    configuration: str

    @property
    def unit(self) -> VirtualScanner:
        return self.server.scanner

    async def scan(
        self, source: str, *options: str, dpi: int = 100, mode: Mode = Mode.COLOUR
    ) -> tuple[Ran, list[Path]]:
        """Scan until SANE says that it is over; the pages in their order. The glass gives one."""
        pages = self.folder / f"pages-{len(self.unit.log)}"
        pages.mkdir()
        device = f"airscan:escl:Office:{self.server.url}"
        words = ("scanimage", "-d", device, "--source", source, "--resolution", str(dpi), "--mode", SCANIMAGE[mode])
        ran = await run(*words, *options, "--format=pnm", f"--batch={pages}/%d.pnm", SANE_CONFIG_DIR=self.configuration)
        return ran, sorted(pages.iterdir(), key=lambda path: int(path.stem))


Serve = Callable[..., Awaitable[Office]]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Return a maker of units: `await serve(Quirks(end=409), sheets=2)`."""
    async with AsyncExitStack() as stack:

        async def make(quirks: Quirks | None = None, *, tls: bool = False, **options: Any) -> Office:
            spec = UnitSpec(
                "unit", "iX500", 7, usb=False, escl=Escl(platen=True, tls=tls), **{"feed_s": 0.0, **options}
            )
            assert spec.escl is not None
            server = EsclServer(VirtualScanner(spec), spec.escl, quirks)
            stack.push_async_callback(server.close)
            await server.start()
            return Office(server, tmp_path, airscan(tmp_path))

        yield make


def assert_pixels(page: Path, shown: Delivered) -> None:
    """The file has the pixels of the JPEG that was sent, and that shows what was printed."""
    body = jpeg(Document(shown.sheet, shown.side, shown.mode, shown.dpi, shown.view))
    assert hashlib.sha256(body).hexdigest() == shown.sha256
    found, decoded = Image.open(page), Image.open(io.BytesIO(body))
    assert found.mode == PIL_MODES[shown.mode]
    assert all(have >= sent for have, sent in zip(found.size, decoded.size, strict=True))
    whole = Image.new(found.mode, found.size, "white")  # SANE fills with white what it asked for beyond the sheet
    whole.paste(decoded)
    assert ImageChops.difference(found, whole).getbbox() is None
    printed = expected_pixels(shown.sheet, shown.side, shown.mode, shown.dpi, shown.view)
    difference = ImageChops.difference(decoded, Image.frombytes(decoded.mode, decoded.size, printed)).convert("L")
    counts = difference.histogram()
    assert sum(level * count for level, count in enumerate(counts)) / sum(counts) < JPEG_LOSS


@pytest.mark.parametrize("dpi", [75, 300])
@pytest.mark.parametrize("mode", SCANIMAGE)
async def test_every_pixel_from_the_glass(serve: Serve, mode: Mode, dpi: int) -> None:
    office = await serve(sheets=1)
    office.unit.put_on_glass()
    ran, pages = await office.scan("Flatbed", "--batch-count=1", dpi=dpi, mode=mode)
    assert ran.code == 0, ran.err
    assert (len(pages), len(office.unit.delivered), office.unit.sheets) == (1, 1, 1)
    assert_pixels(pages[0], office.unit.delivered[0])
    assert office.unit.errors == []


@pytest.mark.parametrize("mode", SCANIMAGE)
@pytest.mark.parametrize(("source", "sides"), [("ADF", 1), ("ADF Duplex", 2)])
async def test_every_pixel_of_a_batch_from_the_feeder(serve: Serve, source: str, sides: int, mode: Mode) -> None:
    office = await serve(sheets=2, busy_polls=1)
    ran, pages = await office.scan(source, mode=mode)
    assert ran.code == 0, ran.err
    assert len(pages) == len(office.unit.delivered) == 2 * sides
    for page, shown in zip(pages, office.unit.delivered, strict=True):
        assert_pixels(page, shown)
    assert office.server.requests.count("GET NextDocument 503") == 2 * sides
    assert office.unit.errors == []


@pytest.mark.parametrize(
    "quirks",
    [
        Quirks(location=Location.RELATIVE, root="scanners/one"),
        Quirks(chunked=True),
        Quirks(blocking=True, retry_after_s=1),
        Quirks(end=409),
    ],
    ids=["relative", "chunked", "blocking", "conflict"],
)
async def test_it_copes_with_the_quirks_of_makers(serve: Serve, quirks: Quirks) -> None:
    office = await serve(quirks, sheets=1)
    ran, pages = await office.scan("ADF Duplex")
    assert len(pages) == len(office.unit.delivered) == 2, ran.err
    for page, shown in zip(pages, office.unit.delivered, strict=True):
        assert_pixels(page, shown)
    assert office.unit.errors == []


async def test_a_batch_over_tls(serve: Serve) -> None:
    office = await serve(tls=True, sheets=1)
    ran, pages = await office.scan("ADF Duplex")
    assert ran.code == 0, ran.err
    assert len(pages) == 2
    assert_pixels(pages[1], office.unit.delivered[1])


@pytest.mark.parametrize("said", [0, 409, 503])
async def test_an_empty_feeder_is_no_documents(serve: Serve, said: int) -> None:
    office = await serve(Quirks(empty_at_post=said))
    ran, pages = await office.scan("ADF")
    assert "Document feeder out of documents" in ran.err
    # Told at the first page, it counts that one, if it has asked for it by then.
    assert ran.code in ((NO_DOCUMENTS,) if said else (0, NO_DOCUMENTS)), ran.err
    assert pages == []
    assert office.unit.errors == []


@pytest.mark.parametrize(("kind", "code"), [(FaultKind.JAM, JAMMED), (FaultKind.COVER, COVER_OPEN)])
async def test_paper_trouble_is_what_sane_calls_it(serve: Serve, kind: FaultKind, code: int) -> None:
    office = await serve(Quirks(hatch="ScannerAdfDoorOpen"), sheets=3)  # the one word for it that SANE knows
    office.unit.inject(Fault(kind, at_sheet=2))
    ran, pages = await office.scan("ADF Duplex")
    assert ran.code == code, ran.err
    assert len(pages) == len(office.unit.delivered) == 2
    assert office.unit.errors == []


async def test_it_is_found_by_mdns_and_scanned() -> None:
    for program, package in (("avahi-daemon", "avahi-daemon"), ("dbus-daemon", "dbus"), ("ip", "iproute2")):
        need(there(program), package)
    seen = await in_a_namespace("listed")
    assert f"Simulated Office MFP = {seen['url']}/, eSCL" in seen["discovered"]
    assert "Simulated Office MFP" in seen["listed"]
    assert seen["scan"] == [0, ""]
    assert (seen["delivered"], seen["errors"]) == (1, [])
