"""The codec against pinned bytes that nobody here wrote, and against rubbish."""

import tomllib
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import DriverError, MisuseError, PeerError
from drivers.models import MODELS, lookup
from drivers.scsi import blocks, tables, wire
from drivers.scsi.blocks import Composition, HardwareStatus, Inquiry, PixelSize, Vpd, Window
from drivers.scsi.wire import Command, ScsiStatus, Sense, WindowId
from drivers.usb import wire as usb_wire
from tests.drivers.vectors import FUJITSU, vector

BOTH = (WindowId.FRONT, WindowId.BACK)
FRONT, BACK = BOTH


def test_every_vector_has_a_source_and_every_source_a_vector() -> None:
    sources = tomllib.loads((FUJITSU / "SOURCES.toml").read_text())
    assert set(sources) == {path.stem for path in FUJITSU.glob("*.hex")}
    assert {row["kind"] for row in sources.values()} <= {"capture", "third-party", "derived"}
    assert all(row["source"] and row["meaning"] for row in sources.values())


COMMANDS: dict[str, Command] = {
    "inquiry": wire.inquiry(),
    "vpd": wire.inquiry_vpd(),
    "send-device-id": wire.get_device_id(),
    "read-device-id": wire.read_device_id(),
    "request-sense": wire.request_sense(),
    "pre-read": wire.send_diagnostic(bytes(32)),
    "mode-page": wire.mode_select(bytes(12)),
    "mode-page-39": wire.mode_select(bytes(14)),
    "set-window-duplex": wire.set_window(bytes(0x88)),
    "lut-256": wire.send_lut(tables.lut(256)),
    "lut-1024": wire.send_lut(tables.lut(1024)),
    "q-table": wire.send_q_table(tables.q_table()),
    "lamp-on": wire.lamp_on(),
    "hardware-status": wire.hardware_status(),
    "feed": wire.feed(),
    "scan-duplex": wire.scan(BOTH),
    "pixel-size-front": wire.read_pixel_size(FRONT),
    "pixel-size-back": wire.read_pixel_size(BACK),
    "ric-front": wire.image_ready(FRONT, 0xFD0E),
    "ric-back": wire.image_ready(BACK, 0xFD0E),
    "read-front": wire.read_image(FRONT, 0xFD0E),
    "read-back": wire.read_image(BACK, 0xFD0E),
    "cancel": wire.cancel(),
}


def test_every_cdb_vector_is_compared() -> None:
    assert set(COMMANDS) == {path.stem.removeprefix("cdb-") for path in FUJITSU.glob("cdb-*.hex")}


@pytest.mark.parametrize("name", COMMANDS)
def test_cdb_is_what_sane_sends(name: str) -> None:
    assert COMMANDS[name].cdb == vector(f"cdb-{name}")


@pytest.mark.parametrize(
    ("name", "length"), [("inquiry", 96), ("vpd", 204), ("read-device-id", 10), ("pixel-size-back", 32)]
)
def test_a_command_announces_its_data_in(name: str, length: int) -> None:
    assert COMMANDS[name].data_in_length == length


def test_the_remaining_cdbs() -> None:
    assert wire.test_unit_ready().cdb == bytes(6)
    assert wire.use_adf().cdb == b"\xf1" + bytes(9)
    assert wire.scan((FRONT,)).cdb == bytes.fromhex("1b0000000100")
    assert wire.scan(BOTH).data_out == b"\x00\x80"
    assert wire.get_device_id().data_out == vector("device-id-request")
    assert wire.read_image(FRONT, 1).name == "READ"


def test_a_read_of_nothing_is_our_fault() -> None:
    with pytest.raises(MisuseError):
        wire.read_image(FRONT, 0)


def test_envelope_is_31_bytes_with_the_cdb_at_0x13() -> None:
    assert usb_wire.envelope(bytes(6)) == vector("envelope-test-unit-ready")
    assert usb_wire.envelope(wire.inquiry().cdb) == vector("envelope-inquiry")
    with pytest.raises(MisuseError):
        usb_wire.envelope(bytes(13))


@pytest.mark.parametrize("status", list(ScsiStatus))
def test_status_frames(status: ScsiStatus) -> None:
    frame = vector(f"status-{status.name.lower()}")
    assert usb_wire.decode_status(frame) is status
    assert usb_wire.early_status(frame, 96) is status
    assert usb_wire.early_status(frame, 13) is None
    for wrong in (frame[:-1], frame + b"\0", b"\x54" + frame[1:], b""):
        with pytest.raises(PeerError):
            usb_wire.decode_status(wrong)


def test_an_unknown_status_asks_for_sense() -> None:
    assert usb_wire.decode_status(b"\x53" + bytes(8) + b"\x18\0\0\0") is ScsiStatus.CHECK


def test_thirteen_image_bytes_that_begin_with_53_are_image() -> None:
    assert usb_wire.early_status(b"\x53" + bytes(11) + b"\xd9", 65536) is None
    assert usb_wire.early_status(b"\x53" + bytes(8) + b"\x07\0\0\0", 65536) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("no-data-yet", Sense(3, 0x80, 0x13, False, False, 0, None)),
        ("end-of-page", Sense(0, 0, 0, True, True, 0x036A19, None)),
        ("hopper-empty", Sense(3, 0x80, 0x03, False, False, 0, None)),
        ("bad-cdb", Sense(5, 0x24, 0x00, False, False, 0, None)),
        ("eom-only", Sense(0, 0, 0, True, False, 0, None)),
        ("last-front-block", Sense(0, 0, 0, True, True, 11682, None)),
    ],
)
def test_sense(name: str, expected: Sense) -> None:
    assert Sense.decode(vector(f"sense-{name}")) == expected


def test_sense_names_the_offending_byte() -> None:
    data = bytes.fromhex("f0 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 28")
    assert Sense.decode(data).field == 0x28


def test_inquiry_of_an_ix500() -> None:
    assert Inquiry.decode(vector("inquiry-ix500")) == Inquiry(product="ScanSnap iX500", firmware="0M00")


@pytest.mark.parametrize("name", ["vpd-ix500-start", "vpd-ix500"])
def test_vpd_of_an_ix500(name: str) -> None:
    vpd = Vpd.decode(vector(name))
    assert (vpd.basic_dpi, vpd.min_dpi, vpd.max_dpi, vpd.any_dpi) == (600, 50, 600, True)
    assert (vpd.max_width_units, vpd.max_length_units) == (0x1468, 0x50E8)
    assert vpd.listed_dpi == (60, 75, 100, 120, 150, 160, 180, 200, 240, 300, 320, 400, 480, 600)
    assert (vpd.duplex, vpd.flatbed, vpd.return_path) == (True, False, False)
    assert vpd.offers(299)
    assert not vpd.offers(601)


def test_a_vpd_page_shorter_than_sane_takes_is_refused() -> None:
    data = bytearray(vector("vpd-ix500"))
    data[4] = 0x5E
    with pytest.raises(PeerError):
        Vpd.decode(bytes(data))


def test_bytes_past_the_page_length_are_not_believed() -> None:
    data = bytearray(vector("vpd-ix500"))
    data[0x7C] = 0x80
    assert Vpd.decode(bytes(data)).return_path
    data[4] = 0x5F
    assert not Vpd.decode(bytes(data)).return_path


def test_device_id() -> None:
    assert blocks.decode_device_id(vector("device-id-700")) == 700


@pytest.mark.parametrize(
    ("name", "empty", "button"),
    [
        ("s1500-idle", True, False),  # bit 7 of byte 4 is set and means nothing
        ("s1500-button", True, True),
        ("s1500-released", True, False),
        ("s1500-paper", False, False),
        ("ix500-paper", False, False),
    ],
)
def test_hardware_status(name: str, empty: bool, button: bool) -> None:
    status = HardwareStatus.decode(vector(f"hardware-{name}"))
    assert status == HardwareStatus(hopper_empty=empty, cover_open=False, button=button, double_feed=False)


def test_a_short_tap_an_open_cover_and_a_double_feed_are_seen() -> None:
    status = HardwareStatus.decode(bytes.fromhex("00 00 00 20 01 01 01 00 00 00 00 00"))
    assert status == HardwareStatus(hopper_empty=False, cover_open=True, button=True, double_feed=True)


def test_pixel_size() -> None:
    assert PixelSize.decode(vector("pixel-size-ix500")) == PixelSize(4960, 7016)


def test_raw_window_is_the_captured_one() -> None:
    captured = vector("window-ix500-600dpi-raw")
    window = Window(600, 0x26C0, 0x36D0, 0x26C3, 0x36D1, Composition.COLOUR, jpeg=False, quality=0, lut=True)
    assert window.encode(BOTH) == captured
    assert window.encode((FRONT,)) == captured[: 8 + 0x40]


def test_jpeg_window_is_what_sane_sends() -> None:
    window = Window(100, 0x2760, 0x3360, 0x27AF, 0x337F, Composition.COLOUR, jpeg=True, quality=0, lut=True)
    assert window.encode(BOTH) == vector("window-jpeg-100dpi")


def test_pre_read_is_the_captured_one_save_for_uninitialised_bytes() -> None:
    payload = blocks.pre_read(
        Window(600, 0x26C0, 0x36D0, 0x26C3, 0x36D1, Composition.COLOUR, jpeg=True, quality=4, lut=True)
    )
    assert payload[:0x1D] == vector("pre-read-ix500")[:0x1D]
    assert payload[0x1D:] == bytes(3)


@pytest.mark.parametrize(
    ("name", "code", "settings"),
    [
        ("3c-off", 0x3C, b""),
        ("3c-length", 0x3C, b"\x00\x80"),
        ("38-default", 0x38, b""),
        ("39-none", 0x39, b""),
        ("3a-off-clear", 0x3A, b"\x80\xc0"),
        ("3a-on-clear", 0x3A, b"\xc0\xc0"),
    ],
)
def test_mode_pages(name: str, code: int, settings: bytes) -> None:
    assert blocks.mode_page(code, settings) == vector(f"mode-{name}")


def test_tables() -> None:
    small, large = tables.lut(256), tables.lut(1024)
    assert small[:10] == vector("lut-256-header")
    assert small[10:] == bytes([0, *range(255)])
    assert large[:10] == vector("lut-1024-header")
    assert large[10:20] == bytes([0] * 6 + [1] * 4)
    assert large[-4:] == b"\xfe\xfe\xff\xff"
    assert tables.q_table() == vector("q-table")


DECODERS: dict[str, Callable[[bytes], object]] = {
    "sense-no-data-yet": Sense.decode,
    "inquiry-ix500": Inquiry.decode,
    "vpd-ix500": Vpd.decode,
    "device-id-700": blocks.decode_device_id,
    "hardware-s1500-idle": HardwareStatus.decode,
    "pixel-size-ix500": PixelSize.decode,
    "status-good": usb_wire.decode_status,
}


@pytest.mark.parametrize("name", DECODERS)
def test_a_truncated_block_is_decoded_or_the_peers_fault(name: str) -> None:
    whole = vector(name)
    for length in range(len(whole)):
        try:
            DECODERS[name](whole[:length])
        except PeerError:
            continue
    with pytest.raises(PeerError):
        DECODERS[name](b"")


@given(name=st.sampled_from(sorted(DECODERS)), data=st.binary(max_size=300))
def test_rubbish_raises_nothing_but_driver_errors(name: str, data: bytes) -> None:
    with suppress(DriverError):
        DECODERS[name](data)


@given(name=st.sampled_from(sorted(DECODERS)), data=st.data())
def test_a_flipped_byte_raises_nothing_but_driver_errors(name: str, data: st.DataObject) -> None:
    raw = bytearray(vector(name))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(DriverError):
        DECODERS[name](bytes(raw))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_models_are_found_by_their_usb_identity(model: object) -> None:
    assert lookup(model.vendor_id, model.product_id) is model  # type: ignore[attr-defined]


def test_an_unlisted_device_is_not_driven() -> None:
    assert lookup(0x04C5, 0x0FFF) is None
