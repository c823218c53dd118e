"""The simulator's command codec: pinned bytes from the protocol description, and garbage."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.models import BY_NAME
from simulator.scsi import blocks
from simulator.scsi.window import parse_windows
from simulator.scsi.wire import Command, Sense, Status, WireError, parse_envelope, status_frame

BOUNDED = settings(max_examples=100, deadline=None)


def envelope(cdb: str) -> bytes:
    return (b"C" + bytes(18) + bytes.fromhex(cdb)).ljust(31, b"\0")


@pytest.mark.parametrize(
    ("cdb", "out", "in_"),
    [
        ("00 00 00 00 00 00", 0, 0),
        ("03 00 00 00 12 00", 0, 0x12),
        ("12 01 f0 00 cc 00", 0, 0xCC),
        ("15 10 00 00 0e 00", 0x0E, 0),
        ("1a 00 32 00 14 00", 0, 0x14),
        ("1b 00 00 00 02 00", 2, 0),
        ("1c 00 00 00 0a 00", 0, 0x0A),
        ("1d 00 00 00 20 00", 0x20, 0),
        ("24 00 00 00 00 00 00 00 88 00", 0x88, 0),
        ("28 00 80 00 00 80 00 00 20 00", 0, 0x20),
        ("28 00 00 00 00 00 00 ff ee 00", 0, 0xFFEE),
        ("2a 00 83 00 00 00 00 04 0a 00", 0x40A, 0),
        ("31 01 00 00 00 00 00 00 00 00", 0, 0),
        ("c2 00 00 00 00 00 00 00 0c 00", 0, 0x0C),
        ("f1 10 80 00 00 00 00 fd 0e 00", 0, 0),
    ],
)
def test_the_phases_of_a_command_follow_from_its_cdb(cdb: str, out: int, in_: int) -> None:
    command = parse_envelope(envelope(cdb))
    assert (command.out_length, command.in_length, command.violations) == (out, in_, ())


@pytest.mark.parametrize("data", [b"", b"C" + bytes(29), b"C" + bytes(31), b"D" + bytes(30)])
def test_what_is_no_envelope_raises(data: bytes) -> None:
    with pytest.raises(WireError):
        parse_envelope(data)


@pytest.mark.parametrize("at", [1, 18, 0x14, 0x13 + 6, 30])
def test_what_should_be_zero_is_named(at: int) -> None:
    data = bytearray(envelope("00 00 00 00 00 00"))
    data[at] = 1
    assert len(parse_envelope(bytes(data)).violations) == 1


def test_status_frames_are_those_of_the_description() -> None:
    assert status_frame(Status.GOOD).hex() == "53000000000000000000000000"
    assert status_frame(Status.CHECK).hex() == "53000000000000000002000000"
    assert status_frame(Status.BUSY).hex() == "53000000000000000008000000"


@pytest.mark.parametrize(
    ("sense", "data"),
    [
        (Sense(3, 0x80, 0x13), "f0 00 03 00 00 00 00 0a 00 00 00 00 80 13 00 00 00 00"),
        (Sense(0, eom=True, ili=True, information=0x036A19), "f0 00 60 00 03 6a 19 0a 00 00 00 00 00 00 00 00 00 00"),
        (Sense(5, 0x24, 0x00), "f0 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 00 00 00"),
        (Sense(5, 0x26, 0x00, field_at=0x21), "f0 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 80 00 21"),
    ],
)
def test_sense_is_that_of_captured_units(sense: Sense, data: str) -> None:
    assert sense.encode() == bytes.fromhex(data)


def test_the_captured_window_is_understood() -> None:
    descriptor = bytes.fromhex(
        "00 00 02 58 02 58 00 00 00 00 00 00 00 00 00 00 26 c0 00 00 36 d0 00 00 00 05 08 00 00 00 00 00"
        "00 00 00 00 00 00 00 00 c1 80 01 00 00 00 00 00 00 00 00 00 00 c0 00 00 26 c3 00 00 36 d1 00 00"
    )
    (window,) = parse_windows(bytes.fromhex("0000000000000040") + descriptor, BY_NAME["iX500"])
    assert (window.dpi, window.width_px, window.height_px, window.lut) == (600, 4960, 7016, True)
    assert blocks.pixel_size(4960, 7016, paper=True) == bytes.fromhex(
        "00001360 00001b68 00001360 00001b68 00000000 00000000 00001360 00001b68"
    )


@BOUNDED
@given(st.binary(min_size=12, max_size=12))
def test_any_cdb_gives_a_command(cdb: bytes) -> None:
    command = parse_envelope(b"C" + bytes(18) + cdb)
    assert isinstance(command, Command)
    assert not (command.out_length and command.in_length)


@BOUNDED
@given(st.binary(max_size=140))
def test_garbage_blocks_raise_field_errors_only(data: bytes) -> None:
    for parse in (
        lambda: parse_windows(data, BY_NAME["iX500"]),
        lambda: parse_windows(bytes(6) + b"\0\x40" + data[:64].ljust(64, b"\0"), BY_NAME["iX500"]),
        lambda: blocks.parse_mode_page(data),
        lambda: blocks.parse_lut(data),
        lambda: blocks.parse_q_table(data),
    ):
        with suppress(blocks.FieldError):
            parse()
