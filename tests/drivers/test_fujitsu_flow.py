"""The dialogue, driven by a list of replies: what is sent in which order, and what every kind of answer leads to."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from drivers import flow as flows
from drivers.errors import (
    Busy,
    DriverError,
    MisuseError,
    PaperError,
    PaperFault,
    PeerError,
    Refused,
    Unreachable,
    Unsupported,
)
from drivers.models import MODELS
from drivers.port import Colour, Profile
from drivers.scsi import blocks, flow, sense, tables, wire
from drivers.scsi.blocks import Vpd
from drivers.scsi.flow import Block, Dialogue, Result
from drivers.scsi.job import Job, capabilities, plan
from drivers.scsi.wire import Command, Reply, ScsiStatus, Sense, WindowId
from tests.drivers.vectors import vector

MODEL = {model.name: model for model in MODELS}
VPD = Vpd.decode(vector("vpd-ix500"))
GOOD = Reply(ScsiStatus.GOOD)
BUSY = Reply(ScsiStatus.BUSY)
PAPER = Reply(ScsiStatus.GOOD, vector("hardware-ix500-paper"))
EMPTY = Reply(ScsiStatus.GOOD, vector("hardware-s1500-idle"))
NO_DATA = Reply(ScsiStatus.CHECK, b"", Sense.decode(vector("sense-no-data-yet")))
HOPPER_EMPTY = Reply(ScsiStatus.CHECK, b"", Sense.decode(vector("sense-hopper-empty")))


def failed(
    key: int, asc: int = 0, ascq: int = 0, *, data: bytes = b"", residual: int | None = None, eom: bool = False
) -> Reply:
    return Reply(ScsiStatus.CHECK, data, Sense(key, asc, ascq, eom, residual is not None, residual or 0, None))


def play(dialogue: Dialogue[Result], replies: Sequence[Reply | Exception]) -> tuple[Result, list[Command], float]:
    """Return the result, the commands that were sent, and the seconds that were waited."""
    rest = list(replies)
    sent: list[Command] = []
    waited: list[float] = []

    def exchange(command: Command) -> Reply:
        sent.append(command)
        reply = rest.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    result = flows.run(dialogue, exchange, sleep=waited.append)
    assert not rest
    return result, sent, sum(waited)


def job(model: str = "iX500", /, **profile: object) -> Job:
    return plan(MODEL[model], Profile(**profile), VPD)  # type: ignore[arg-type]


def test_identify_asks_inquiry_vpd_and_device_id() -> None:
    replies = [Reply(ScsiStatus.GOOD, vector(name)) for name in ("inquiry-ix500", "vpd-ix500")]
    replies += [GOOD, Reply(ScsiStatus.GOOD, vector("device-id-700"))]
    identity, sent, _ = play(flow.identify(), replies)
    assert (identity.inquiry.product, identity.vpd, identity.serial) == ("ScanSnap iX500", VPD, 700)
    assert [c.cdb for c in sent] == [vector(f"cdb-{n}") for n in ("inquiry", "vpd", "send-device-id", "read-device-id")]


def test_another_vendor_is_refused() -> None:
    data = bytearray(vector("inquiry-ix500"))
    data[8:15] = b"EPSON  "
    with pytest.raises(Refused):
        play(flow.identify(), [Reply(ScsiStatus.GOOD, bytes(data))])


IX500_BATCH = [
    *("pre-read", "mode-page", "mode-page", "mode-page", "mode-page-39", "mode-page", "mode-page"),
    *("set-window-duplex", "lut-256", "q-table", "lamp-on", "hardware-status"),
]


def test_an_ix500_batch_begins_in_the_order_of_the_recorded_one() -> None:
    _, sent, _ = play(flow.begin_batch(job()), [GOOD] * 11 + [PAPER])
    assert [command.cdb for command in sent] == [vector(f"cdb-{name}") for name in IX500_BATCH]
    assert [command.data_out[4] for command in sent[1:7]] == [0x3C, 0x38, 0x37, 0x39, 0x3A, 0x33]
    assert sent[1].data_out == vector("mode-3c-length")
    assert sent[2].data_out == blocks.mode_page(0x38, b"\x90"), "stop at a double feed, by thickness"
    assert sent[4].data_out == vector("mode-39-none")
    assert sent[5].data_out == vector("mode-3a-on-clear")
    assert sent[9].data_out == vector("q-table")


def test_an_s1500_batch_has_a_large_table_and_no_hopper_check() -> None:
    _, sent, _ = play(flow.begin_batch(job("S1500")), [GOOD] * 7)
    assert [c.cdb[0] for c in sent] == [0x15, 0x15, 0x15, 0x15, 0x24, 0x2A, 0xF1]
    assert sent[5] == wire.send_lut(tables.lut(1024))


@pytest.mark.parametrize("name", ["iX1300", "iX1400", "iX1500", "iX1600"])
def test_a_unit_with_its_own_gamma_is_sent_no_table(name: str) -> None:
    _, sent, _ = play(flow.begin_batch(job(name)), [GOOD] * 6 + [PAPER])
    assert [c.cdb[0] for c in sent] == [0x15, 0x15, 0x15, 0x15, 0x24, 0xF1, 0xC2]
    assert sent[4].data_out[8 + 0x28 : 8 + 0x2C] == b"\xc1\x00\x01\x00"


def test_a_unit_with_a_card_path_is_told_to_use_its_feeder() -> None:
    with_path = plan(MODEL["iX1300"], Profile(), replace(VPD, return_path=True))
    _, sent, _ = play(flow.begin_batch(with_path), [GOOD] * 7 + [PAPER])
    assert sent[0] == wire.use_adf()


def test_the_window_is_jpeg_in_whole_blocks_with_the_quality_of_the_profile() -> None:
    window = job(resolution_dpi=300, jpeg_quality=5).window.encode((WindowId.FRONT,))[8:]
    assert window[0x20:0x22] == b"\x81\x05"
    width, length = int.from_bytes(window[0x0E:0x12], "big"), int.from_bytes(window[0x12:0x16], "big")
    assert (-(-width * 300 // 1200), -(-length * 300 // 1200)) == (2544, 4456)
    assert job().width_px % 8 == job().height_px % 8 == 0


@pytest.mark.parametrize("dpi", [150, 200, 300, 600])
def test_the_unit_that_rounds_up_arrives_at_our_pixels(dpi: int) -> None:
    planned = job(resolution_dpi=dpi)
    assert -(-planned.window.width_1200 * dpi // 1200) == planned.width_px
    assert -(-planned.window.length_1200 * dpi // 1200) == planned.height_px


def test_an_empty_hopper_stops_the_batch_before_the_feed() -> None:
    with pytest.raises(PaperError) as caught:
        play(flow.begin_batch(job()), [GOOD] * 11 + [EMPTY])
    assert caught.value.kind is PaperFault.EMPTY


def test_a_rejected_mode_page_is_done_without() -> None:
    replies = [GOOD] * 12
    replies[5] = failed(5, 0x26, 0x00)
    play(flow.begin_batch(job()), [*replies[:11], PAPER])


def test_the_lamp_may_take_its_time() -> None:
    _, _, waited_s = play(flow.begin_batch(job("S1500")), [GOOD] * 6 + [BUSY] * 4 + [GOOD])
    assert waited_s == pytest.approx(2.0)


def test_feed_is_followed_by_a_ready_check_where_the_model_has_one() -> None:
    assert play(flow.feed(job("iX500")), [GOOD])[:2] == (True, [wire.feed()])
    assert play(flow.feed(job("iX1600")), [GOOD, GOOD])[:2] == (True, [wire.feed(), wire.test_unit_ready()])


def test_feed_of_an_empty_hopper_is_the_end_and_no_error() -> None:
    assert play(flow.feed(job("iX1600")), [HOPPER_EMPTY])[0] is False


def test_start_sheet_scans_the_sides_of_the_window() -> None:
    assert play(flow.start_sheet(job()), [GOOD])[1] == [wire.scan((WindowId.FRONT, WindowId.BACK))]
    assert play(flow.start_sheet(job(duplex=False)), [GOOD])[1] == [wire.scan((WindowId.FRONT,))]


def test_open_side_waits_in_half_seconds_until_the_image_is_ready() -> None:
    size = Reply(ScsiStatus.GOOD, vector("pixel-size-ix500"))
    opened, sent, waited_s = play(flow.open_side(job(), WindowId.BACK), [size, NO_DATA, BUSY, GOOD])
    assert opened == flow.Opened(256 * 1024, header=None, byte_count=0)
    assert sent[0] == wire.read_pixel_size(WindowId.BACK)
    assert sent[1:] == [wire.image_ready(WindowId.BACK, 256 * 1024)] * 3
    assert waited_s == 1.0


def test_open_side_gives_up_after_a_minute() -> None:
    size = Reply(ScsiStatus.GOOD, vector("pixel-size-ix500"))
    with pytest.raises(Busy):
        play(flow.open_side(job(), WindowId.FRONT), [size] + [NO_DATA] * 130)


def test_a_unit_that_does_not_tell_its_pixels_is_scanned_anyway() -> None:
    assert play(flow.open_side(job(), WindowId.FRONT), [failed(5, 0x24), GOOD])[0].byte_count == 0


def test_open_side_ignores_what_only_the_read_can_tell_but_not_a_jam() -> None:
    play(flow.open_side(job(), WindowId.FRONT), [failed(5, 0x24), failed(5, 0x20)])
    with pytest.raises(PaperError):
        play(flow.open_side(job(), WindowId.FRONT), [failed(5, 0x24), failed(3, 0x80, 0x01)])


def read(*replies: Reply) -> Block:
    return play(flow.read_block(flow.Opened(100, None, 0), WindowId.FRONT), replies)[0]


def test_a_full_block_is_not_the_end() -> None:
    assert read(Reply(ScsiStatus.GOOD, bytes(100))) == Block(bytes(100), end=False)


def test_a_short_block_with_both_flags_is_the_end() -> None:
    assert read(failed(0, data=bytes(30), residual=70, eom=True)) == Block(bytes(30), end=True)


def test_the_end_may_come_without_data() -> None:
    assert read(failed(0, residual=100, eom=True)) == Block(b"", end=True)


def test_end_of_medium_without_a_residual_asks_once_more() -> None:
    assert read(failed(0, eom=True), failed(0, residual=100, eom=True)) == Block(b"", end=True)


def test_a_short_block_alone_is_not_the_end() -> None:
    assert read(failed(0, data=bytes(30), residual=70)) == Block(bytes(30), end=False)


def test_the_residual_is_right_and_the_transfer_may_hold_more() -> None:
    assert read(failed(0, data=bytes(100), residual=60, eom=True)) == Block(bytes(40), end=True)


@pytest.mark.parametrize("residual", [60, 101])
def test_a_residual_that_the_data_contradicts_is_the_peers_fault(residual: int) -> None:
    with pytest.raises(PeerError):
        read(failed(0, data=bytes(30), residual=residual, eom=True))


def test_no_data_yet_is_waited_for() -> None:
    assert read(NO_DATA, BUSY, GOOD, Reply(ScsiStatus.GOOD, bytes(100))) == Block(bytes(100), end=False)


def test_a_short_block_that_is_not_called_short_has_a_hole() -> None:
    with pytest.raises(PeerError, match="lost image data"):
        read(Reply(ScsiStatus.GOOD, bytes(99)))


def test_a_unit_that_sends_nothing_for_a_minute_is_given_up() -> None:
    with pytest.raises(Unreachable):
        read(*[GOOD] * 310)


def test_the_batch_ends_with_cancel_and_a_cleared_buffer() -> None:
    _, sent, _ = play(flow.finish_batch(MODEL["iX500"]), [GOOD, GOOD])
    assert [sent[0].cdb, sent[1].data_out] == [vector("cdb-cancel"), vector("mode-3a-off-clear")]


def test_the_buffer_is_cleared_although_the_cancel_failed() -> None:
    with pytest.raises(Refused):
        play(flow.finish_batch(MODEL["iX500"]), [failed(4, 0x80, 0x05), GOOD])


def test_recovery_is_ready_cancel_clear() -> None:
    assert [c.cdb[0] for c in play(flow.recover(MODEL["iX500"]), [GOOD] * 3)[1]] == [0x00, 0xF1, 0x15]


def test_ready_asks_three_times() -> None:
    play(flow.ready(), [Unreachable("no"), Unreachable("no"), GOOD])
    with pytest.raises(Unreachable):
        play(flow.ready(), [Unreachable("no")] * 3)


def test_a_busy_unit_is_asked_again_but_not_for_ever() -> None:
    assert play(flow.status(), [BUSY, BUSY, PAPER])[2] == pytest.approx(0.4)
    with pytest.raises(Busy):
        play(flow.status(), [BUSY] * 12)


def test_a_unit_attention_repeats_the_command_but_not_for_ever() -> None:
    play(flow.status(), [failed(6), failed(6, 0x80, 0x01), PAPER])
    with pytest.raises(PeerError):
        play(flow.status(), [failed(6)] * 4)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ((3, 0x80, 0x01), PaperFault.JAM),
        ((3, 0x80, 0x02), PaperFault.COVER_OPEN),
        ((3, 0x80, 0x07), PaperFault.DOUBLE_FEED),
        ((3, 0x80, 0x09), PaperFault.CARRIER_SHEET),
        ((3, 0x80, 0x30), PaperFault.EMPTY),
    ],
)
def test_paper_faults(code: tuple[int, int, int], kind: PaperFault) -> None:
    with pytest.raises(PaperError) as caught:
        play(flow.start_sheet(job()), [failed(*code)])
    assert caught.value.kind is kind


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ((3, 0x80, 0x33), Refused),
        ((4, 0x80, 0x06), Refused),
        ((5, 0x26, 0x00), MisuseError),
        ((5, 0x25, 0x00), Unsupported),
        ((0xB, 0x80, 0x03), Refused),
        ((0xB, 0x47, 0x00), PeerError),
        ((3, 0x99, 0x99), Refused),
        ((4, 0x99, 0x99), Refused),
        ((9, 0x99, 0x99), PeerError),
    ],
)
def test_other_senses(code: tuple[int, int, int], error: type[DriverError]) -> None:
    with pytest.raises(error):
        play(flow.start_sheet(job()), [failed(*code)])


def test_every_sense_stands_for_a_driver_error_with_a_sentence() -> None:
    for key in range(16):
        for asc in (0x00, 0x24, 0x26, 0x80):
            for ascq in range(256):
                found = sense.error(wire.feed(), Sense(key, asc, ascq, False, False, 0, 7))
                assert isinstance(found, DriverError)
                assert len(str(found)) > 10


def test_a_failure_without_sense_is_the_peers_fault() -> None:
    with pytest.raises(PeerError):
        play(flow.start_sheet(job()), [Reply(ScsiStatus.CHECK)])


def test_capabilities_are_what_the_unit_says_of_itself() -> None:
    found = capabilities(MODEL["iX500"], VPD)
    assert (found.resolutions_dpi, found.colours, found.duplex) == ((150, 200, 300, 600), tuple(Colour), True)
    assert (found.max_width_mm, found.max_height_mm, found.has_button) == (221.1, 876.8, True)


@pytest.mark.parametrize("profile", [{"resolution_dpi": 1200}, {"resolution_dpi": 40}])
def test_a_profile_that_the_unit_cannot_do_is_unsupported(profile: dict[str, object]) -> None:
    with pytest.raises(Unsupported):
        job(**profile)


def test_a_simplex_unit_scans_fronts_only() -> None:
    assert plan(MODEL["iX500"], Profile(), replace(VPD, duplex=False)).sides == (WindowId.FRONT,)
