"""The driver's raw and interlaced images against the simulated unit, without a cable: the pixels are the sheet's."""

from contextlib import nullcontext
from dataclasses import replace

import pytest

from drivers.errors import PaperError
from drivers.models import lookup
from drivers.port import Colour, Paper, Profile
from drivers.raw import Layout
from drivers.scsi import blocks as driver_blocks
from drivers.scsi import flow
from drivers.scsi.interlaced import Splitter
from drivers.scsi.job import Job, plan
from simulator import models, sheets
from simulator.faults import Fault, FaultKind
from simulator.scsi import encode
from simulator.sheets import Mode, Side
from tests.treaty.exchange import converse, read_batch, read_side
from tests.treaty.target import Bench

DRIVEN = [model for model in models.MODELS if lookup(model.vendor_id, model.product_id) is not None]
INVERT = bytes(255 - value for value in range(256))


def planned(model: models.Model, profile: Profile, *, jpeg: bool = False) -> Job:
    known = lookup(model.vendor_id, model.product_id)
    assert known is not None
    return plan(replace(known, jpeg=jpeg), profile, driver_blocks.Vpd.decode(model.vpd))


def as_pnm(job: Job, image: bytes) -> bytes:
    """Return raw rows as the body of a PNM file, by what the driver says of them."""
    header = job.raw_header(job.width_px)
    assert header is not None
    pixels = image.translate(INVERT) if header.inverted else image
    if header.layout is not Layout.BGR:
        return pixels
    swapped = bytearray(pixels)
    swapped[0::3], swapped[2::3] = pixels[2::3], pixels[0::3]
    return bytes(swapped)


@pytest.mark.parametrize("colour", [Colour.COLOUR, Colour.GRAY, Colour.LINEART])
@pytest.mark.parametrize("model", DRIVEN, ids=lambda model: model.name)
async def test_a_raw_batch_is_the_printed_sheet_pixel_for_pixel(model: models.Model, colour: Colour) -> None:
    bench = Bench(model.name, busy_polls=1)
    bench.scanner.load(2)
    job = planned(model, Profile(resolution_dpi=150, colour=colour))
    images = await read_batch(bench, job)
    assert len(images) == 4 if model.duplex else 2
    assert [as_pnm(job, image) for image in images] == [
        sheets.expected_pixels(sent.sheet, sent.side, sent.mode, sent.dpi, sent.view)
        for sent in bench.scanner.delivered
    ]
    assert bench.scanner.errors == []


@pytest.mark.parametrize("paper", [Paper.A5, Paper.A6, Paper.CARD])
async def test_a_smaller_page_is_where_the_driver_expects_it(paper: Paper) -> None:
    bench = Bench("iX1600")
    bench.scanner.load(1, paper.value)
    job = planned(bench.scanner.model, Profile(resolution_dpi=300, colour=Colour.GRAY, paper=paper))
    await read_batch(bench, job)
    view = bench.scanner.delivered[0].view
    assert view.left_px in (0, 1)
    assert view.top_px == 0
    assert (view.width_px, view.height_px) == (job.width_px, job.height_px)
    assert bench.scanner.errors == []


async def test_overscan_and_brightness_reach_the_unit() -> None:
    bench = Bench("iX1600")
    bench.scanner.load(1)
    await read_batch(bench, planned(bench.scanner.model, Profile(resolution_dpi=300, overscan=True)))
    assert bench.scanner.delivered[0].view.top_px == 0x58 * 300 // 600
    older = Bench("S510")
    older.scanner.load(1)
    profile = Profile(resolution_dpi=150, colour=Colour.GRAY, duplex=False, brightness=-16, contrast=8)
    await read_batch(older, planned(older.scanner.model, profile))
    view = older.scanner.delivered[0].view
    assert (view.brightness, view.contrast) == (0x70, 0x88)
    assert older.scanner.errors == []


@pytest.mark.parametrize(("wanted", "scanned"), [(True, 1), (False, 2)])
async def test_double_feeds_are_looked_for_as_the_profile_says(wanted: bool, scanned: int) -> None:
    bench = Bench("iX1600")
    bench.scanner.load(3)
    bench.scanner.inject(Fault(FaultKind.DOUBLE_FEED, at_sheet=2))
    job = planned(bench.scanner.model, Profile(resolution_dpi=150, duplex=False, double_feed=wanted))
    with pytest.raises(PaperError) if wanted else nullcontext():
        await read_batch(bench, job)
    assert len(bench.scanner.delivered) == scanned
    assert bench.scanner.errors == []


@pytest.mark.parametrize("model", [model for model in DRIVEN if model.interlaced_jpeg], ids=lambda model: model.name)
async def test_an_interlaced_jpeg_is_taken_apart_into_its_sides(model: models.Model) -> None:
    bench = Bench(model.name)
    bench.scanner.load(1)
    job = planned(model, Profile(resolution_dpi=150), jpeg=True)
    await converse(bench, flow.begin_batch(job))
    await converse(bench, flow.feed(job))
    await converse(bench, flow.start_sheet(job))
    image = await read_side(bench, job, 0)
    splitter = Splitter()
    found = splitter.feed(image)
    splitter.finish()
    sent = bench.scanner.delivered[0]
    assert found == tuple(
        encode.jpeg(sent.sheet, side, Mode.COLOUR, 150, sent.view, job.window.quality) for side in Side
    )
    assert splitter.width_px == job.width_px
