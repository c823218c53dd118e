"""The driver's dialogue and the simulated unit, in one process: the same bytes on both sides, and no complaint."""

import hashlib
import io
from contextlib import suppress

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from drivers.errors import PaperError, PaperFault, Refused
from drivers.models import lookup
from drivers.port import Profile
from drivers.scsi import blocks as driver_blocks
from drivers.scsi import flow, tables
from drivers.scsi import wire as driver_wire
from drivers.scsi.job import Identity, Job, plan
from drivers.scsi.jpeg import JpegCheck
from simulator import models, sheets
from simulator.faults import Fault, FaultKind
from simulator.scsi import blocks, encode, wire
from simulator.scsi.window import parse_windows
from simulator.sheets import Side
from tests.treaty.exchange import converse, read_batch
from tests.treaty.target import Bench

DRIVEN = [model for model in models.MODELS if lookup(model.vendor_id, model.product_id) is not None]
ALL = [model.name for model in DRIVEN if not model.interlaced_jpeg]  # what is one JPEG per side
PROFILE = Profile(resolution_dpi=150)
BOUNDED = settings(max_examples=100, deadline=None)
BYTE, WORD = st.integers(0, 0xFF), st.integers(0, 0xFFFF_FFFF)


def planned(model: models.Model, profile: Profile) -> Job:
    known = lookup(model.vendor_id, model.product_id)
    assert known is not None
    return plan(known, profile, driver_blocks.Vpd.decode(model.vpd))


async def identified(bench: Bench) -> Identity:
    return await converse(bench, flow.identify())


def marks(image: bytes) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(Image.open(io.BytesIO(image)))]


@pytest.mark.parametrize("name", ALL)
async def test_a_unit_is_who_it_says_it_is(name: str) -> None:
    bench = Bench(name, serial=1200753)
    identity = await identified(bench)
    assert identity.inquiry.product == f"ScanSnap {name}"
    assert identity.inquiry.firmware == bench.scanner.model.firmware
    assert identity.serial == 1200753
    assert (identity.vpd.duplex, identity.vpd.max_dpi) == (bench.scanner.model.duplex, 600)
    assert bench.scanner.errors == []


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("duplex", [True, False])
async def test_a_batch_arrives_byte_for_byte_and_in_order(name: str, duplex: bool) -> None:
    bench = Bench(name)
    bench.scanner.load(3)
    job = planned(bench.scanner.model, Profile(resolution_dpi=150, duplex=duplex))
    images = await read_batch(bench, job)
    sides = (Side.FRONT, Side.BACK) if duplex and bench.scanner.model.duplex else (Side.FRONT,)
    assert [hashlib.sha256(image).hexdigest() for image in images] == [sent.sha256 for sent in bench.scanner.delivered]
    assert [marks(image) for image in images] == [
        [f"scansnap:bench:1:{number}:{side}"] for number in (1, 2, 3) for side in sides
    ]
    assert bench.scanner.errors == []


async def test_the_bytes_are_those_of_the_printed_page() -> None:
    bench = Bench("iX500")
    bench.scanner.load(1)
    job = planned(bench.scanner.model, PROFILE)
    front, _ = await read_batch(bench, job)
    quantised = blocks.parse_q_table(tables.q_table())
    width_px, lines = job.width_px, -(-sheets.PAPER_LENGTH_1200 * 150 // 1200 // 8) * 8
    left_px = (job.window.paper_width_1200 - sheets.PAPER_WIDTH_1200) // 2 * 150 // 1200
    sheet = bench.scanner.delivered[0].sheet
    view = sheets.View(width_px, lines, left_px)
    assert front == encode.jpeg(sheet, Side.FRONT, sheets.Mode.COLOUR, 150, view, 4, quantised)


@pytest.mark.parametrize("name", ALL)
async def test_the_driver_finds_the_end_of_the_paper_in_the_image(name: str) -> None:
    bench = Bench(name)
    bench.scanner.load(1)
    job = planned(bench.scanner.model, Profile(resolution_dpi=150, duplex=False))
    (image,) = await read_batch(bench, job)
    check = JpegCheck()
    assert check.feed(image) == image
    check.finish()
    lines = -(-sheets.PAPER_LENGTH_1200 * 150 // 1200 // 8) * 8
    lines = min(lines, job.height_px)  # an iX2400 ends with its window
    assert check.scanned_height_px() == lines
    assert check.height_px == (job.height_px if bench.scanner.model.sof_is_window else lines)
    assert check.width_px == job.width_px


async def test_a_side_that_is_not_ready_is_waited_for() -> None:
    bench = Bench("iX500", busy_polls=3)
    bench.scanner.load(1)
    assert len(await read_batch(bench, planned(bench.scanner.model, PROFILE))) == 2
    assert bench.scanner.errors == []


@pytest.mark.parametrize("name", ALL)
async def test_an_empty_feeder_leaves_nothing_owed(name: str) -> None:
    bench = Bench(name)
    job = planned(bench.scanner.model, PROFILE)
    for _ in range(2):
        with suppress(PaperError):  # from models that are asked before the feed
            assert await read_batch(bench, job) == []
        await converse(bench, flow.finish_batch(job.model))
    assert bench.scanner.errors == []


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (FaultKind.JAM, PaperFault.JAM),
        (FaultKind.DOUBLE_FEED, PaperFault.DOUBLE_FEED),
        (FaultKind.COVER, PaperFault.COVER_OPEN),
    ],
)
@pytest.mark.parametrize("side", [None, Side.FRONT, Side.BACK])
async def test_paper_trouble_has_one_meaning_and_the_sheet_is_scanned_after_it(
    kind: FaultKind, fault: PaperFault, side: Side | None
) -> None:
    bench = Bench("iX500")
    bench.scanner.load(2)
    bench.scanner.inject(Fault(kind, at_sheet=2, side=side))
    job = planned(bench.scanner.model, PROFILE)
    with pytest.raises(PaperError) as caught:
        await read_batch(bench, job)
    assert caught.value.kind is fault
    await converse(bench, flow.finish_batch(job.model))
    bench.scanner.open_cover()
    bench.scanner.close_cover()
    await read_batch(bench, job)
    assert {(sent.sheet.number, sent.side) for sent in bench.scanner.delivered} == {
        (number, side) for number in (1, 2) for side in Side
    }
    assert bench.scanner.errors == []


async def test_a_unit_in_use_over_wifi_refuses() -> None:
    bench = Bench("iX1600")
    bench.scanner.load(1)
    bench.scanner.inject(Fault(FaultKind.WIFI))
    with pytest.raises(Refused):
        await read_batch(bench, planned(bench.scanner.model, PROFILE))


async def test_a_host_that_died_in_mid_page_is_forgiven() -> None:
    bench = Bench("iX500")
    bench.scanner.load(2)
    job = planned(bench.scanner.model, PROFILE)
    await converse(bench, flow.begin_batch(job))
    await converse(bench, flow.feed(job))
    await converse(bench, flow.start_sheet(job))
    await converse(bench, flow.recover(job.model))
    assert len(await read_batch(bench, job)) == 2
    assert bench.scanner.errors == []


@BOUNDED
@given(key=st.integers(0, 15), asc=BYTE, ascq=BYTE, eom=st.booleans(), ili=st.booleans(), info=WORD, at=BYTE)
def test_sense_means_the_same_on_both_sides(
    key: int, asc: int, ascq: int, eom: bool, ili: bool, info: int, at: int
) -> None:
    sent = wire.Sense(key, asc, ascq, eom, ili, info, field_at=at or None)
    assert driver_wire.Sense.decode(sent.encode()) == driver_wire.Sense(key, asc, ascq, eom, ili, info, at or None)


@BOUNDED
@given(
    model=st.sampled_from(DRIVEN),
    dpi=st.sampled_from([150, 200, 300, 600]),
    quality=st.integers(1, 7),
    duplex=st.booleans(),
)
def test_a_window_means_the_same_on_both_sides(model: models.Model, dpi: int, quality: int, duplex: bool) -> None:
    job = planned(model, Profile(resolution_dpi=dpi, duplex=duplex, jpeg_quality=quality))
    found = parse_windows(job.window.encode(job.sides), model)
    assert [side.id for side in found] == list(job.sides)
    assert {(side.dpi, side.width_px, side.height_px, side.quality, side.lut) for side in found} == {
        (dpi, job.width_px, job.height_px, quality, model.needs_lut)
    }


@pytest.mark.parametrize("model", DRIVEN, ids=lambda model: model.name)
@given(empty=st.booleans(), cover=st.booleans(), doubled=st.booleans(), button=st.booleans())
def test_the_status_means_the_same_on_both_sides(
    model: models.Model, empty: bool, cover: bool, doubled: bool, button: bool
) -> None:
    sent = blocks.hardware_status(
        model, empty=empty, cover_open=cover, in_path=False, double_feed=doubled, button=button, virgin=not button
    )
    found = driver_blocks.HardwareStatus.decode(sent[:12])
    assert (found.hopper_empty, found.cover_open, found.double_feed) == (empty, cover, doubled)
    assert found.button == (button and model.button_bit != 0)


@BOUNDED
@given(width_px=WORD, height_px=WORD, paper=st.booleans())
def test_the_pixel_size_means_the_same_on_both_sides(width_px: int, height_px: int, paper: bool) -> None:
    found = driver_blocks.PixelSize.decode(blocks.pixel_size(width_px, height_px, paper=paper))
    assert (found.width_px, found.height_px) == (width_px, height_px)
