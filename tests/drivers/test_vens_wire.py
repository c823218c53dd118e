"""The VENS codec against pinned bytes that nobody here wrote, and against rubbish."""

import tomllib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import DriverError, MisuseError, PeerError
from drivers.scsi.wire import Command, ScsiStatus, Sense
from drivers.vens import frames, wire
from drivers.vens.frames import Answer, ControlReply, DataReply
from drivers.vens.wire import Advertisement, DeviceInfo, Event, Family, Request
from tests.drivers.vectors import VENS
from tests.drivers.vectors import vector as read_vector

US = IPv4Address("192.168.1.50")
UNIT = IPv4Address("192.168.1.20")
TOKEN = bytes.fromhex("021122334455")
PAIRED = datetime(2026, 11, 23, 9, 30, tzinfo=timezone(timedelta(hours=2)))
MOBILE = frames.Reserve(
    family=Family.VENS,
    token=TOKEN,
    length=0x180,
    interface=4,
    alive_s=5,
    host_type=1,
    client=US,
    event_port=55265,
    password="0700",
    manager=b"",
    at=PAIRED,
)
PC = replace(MOBILE, length=0x80, interface=6, alive_s=30, host_type=0, manager=TOKEN + bytes(2))


def vector(name: str) -> bytes:
    return read_vector(name, folder=VENS)


def test_every_vector_says_where_it_comes_from() -> None:
    sources = tomllib.loads((VENS / "SOURCES.toml").read_text())
    assert set(sources) == {path.stem for path in VENS.glob("*.hex")}
    assert all(set(row) == {"kind", "source", "meaning"} for row in sources.values())
    assert {row["kind"] for row in sources.values()} == {"capture", "third-party", "derived"}


# --- what we send


@pytest.mark.parametrize("family", Family)
def test_units_of_every_family_are_called_by_their_own_key_and_tag(family: Family) -> None:
    assert Request(family, US, TOKEN, 55264).encode() == vector(f"request-{family.lower()}")


def test_keep_alive_is_the_same_request_with_a_flag() -> None:
    assert Request(Family.VENS, US, TOKEN, 55264, alive=True).encode() == vector("keep-alive-vens")


@pytest.mark.parametrize(("request_", "name"), [(MOBILE, "reserve-mobile"), (PC, "reserve-pc")])
def test_reserve_is_the_published_frame(request_: frames.Reserve, name: str) -> None:
    assert request_.encode() == vector(name)


@pytest.mark.parametrize(
    ("zone", "octets"),
    [(UTC, "00000000"), (timezone(timedelta(hours=9)), "ffff8170"), (timezone(timedelta(hours=-5)), "00004650")],
)
def test_reserve_tells_minus_the_offset_from_utc(zone: timezone, octets: str) -> None:
    assert replace(MOBILE, at=PAIRED.astimezone(zone)).encode()[0x74:0x78].hex() == octets


@pytest.mark.parametrize(("password", "digits"), [("0700", b"171136176174"), ("8122", b"179130178176"), ("", b"")])
def test_the_identity_of_a_password_is_the_published_one(password: str, digits: bytes) -> None:
    assert frames.identity(password) == digits


def test_the_longest_password_fills_the_field_of_reserve() -> None:
    longest = replace(MOBILE, password="x" * 16).encode()
    assert len(longest) == 0x180
    assert longest[0x34:0x64] == frames.identity("x" * 16)


@pytest.mark.parametrize("password", ["x" * 17, "pässword", "\N{DIGIT ONE}\N{COMBINING ENCLOSING KEYCAP}"])
def test_a_password_that_no_unit_can_have_is_ours_to_refuse(password: str) -> None:
    with pytest.raises(MisuseError):
        replace(MOBILE, password=password).encode()


@given(password=st.text(max_size=20))
def test_any_password_is_encoded_within_its_field_or_refused(password: str) -> None:
    with suppress(MisuseError):
        assert len(frames.identity(password)) == 3 * len(password) <= 48


def test_release_is_the_published_frame() -> None:
    assert frames.release(Family.VENS, TOKEN) == vector("release")


def test_a_body_that_does_not_fit_its_frame_is_ours_to_refuse() -> None:
    with pytest.raises(MisuseError):
        frames.control(Family.VENS, frames.Control.RELEASE, TOKEN, bytes(9))


@pytest.mark.parametrize("token", [b"", bytes(5), bytes(8)])
def test_a_token_has_six_bytes(token: bytes) -> None:
    with pytest.raises(MisuseError):
        frames.release(Family.VENS, token)


def test_a_read_is_the_published_frame() -> None:
    command = Command(bytes.fromhex("28 00 00 02 00 80 04 00 00 00 01 02"), data_in_length=0x40000)
    assert frames.data_request(Family.VENS, TOKEN, command) == vector("read-back-block-2")


def test_the_parameters_go_out_in_the_published_frame() -> None:
    published = vector("d4-colour-duplex-200")
    command = Command(vector("cdb-parameters"), published[64:])
    assert frames.data_request(Family.VENS, TOKEN, command) == published


@pytest.mark.parametrize("family", Family)
def test_the_family_of_the_unit_is_the_key_of_every_frame(family: Family) -> None:
    written = (
        replace(MOBILE, family=family).encode(),
        frames.release(family, TOKEN),
        frames.data_request(family, TOKEN, Command(vector("cdb-feed"))),
    )
    assert {frame[4:8] for frame in written} == {family.encode()}


# --- what units say

IX500 = DeviceInfo(
    family=Family.VENS,
    notify=0,
    interface=4,
    address=UNIT,
    data_port=53218,
    control_port=53219,
    mac="00:80:92:01:02:03",
    host_name="iX500-AK7CC00700",
    product="ScanSnap iX500",
    client=IPv4Address(0),
    manager=bytes(8),
)


def longer(reply: bytes) -> bytes:
    """Make the 144-byte form of a 132-byte reply (section 2.3): host name at 48, product at 112."""
    return reply[:0x28] + bytes(8) + reply[0x28:0x68] + reply[0x68:0x78].ljust(24) + bytes(8)


def test_device_information_of_an_ix500() -> None:
    info = DeviceInfo.decode(vector("device-info-ix500"))
    assert info == IX500
    assert (info.model, info.serial) == ("iX500", "AK7CC00700")


def test_the_longer_device_information_has_its_names_further_on() -> None:
    data = longer(vector("device-info-ix500"))
    assert len(data) == 144
    assert DeviceInfo.decode(data) == IX500


def test_device_information_without_its_last_bytes_knows_no_manager() -> None:
    assert DeviceInfo.decode(vector("device-info-ix500")[:124]) == IX500


def test_device_information_names_client_and_manager() -> None:
    data = bytearray(vector("device-info-ix500"))
    data[0x05], data[0x09] = 1, 6
    data[0x78:] = US.packed + bytes.fromhex("00225fa6b5730000")
    expected = replace(IX500, notify=1, interface=6, client=US, manager=bytes.fromhex("00225fa6b5730000"))
    assert DeviceInfo.decode(bytes(data)) == expected


@pytest.mark.parametrize(
    ("offset", "octets"),
    [
        (0x00, b"XXXX"),
        (0x14, bytes(4)),  # no port
        (0x18, b"\0\1\0\0"),  # a port that does not exist
        (0x28, b"\x1b[2J"),  # would play with a terminal
        (0x68, b"\xff\xfe"),
    ],
)
def test_device_information_that_cannot_be_is_the_peers_fault(offset: int, octets: bytes) -> None:
    data = bytearray(vector("device-info-ix500"))
    data[offset : offset + len(octets)] = octets
    with pytest.raises(PeerError):
        DeviceInfo.decode(bytes(data))


def test_the_short_answer_to_a_keep_alive_is_no_device_information() -> None:
    with pytest.raises(PeerError):
        DeviceInfo.decode(vector("device-info-ix500")[:12])


def test_an_advertisement_tells_where_a_unit_is() -> None:
    assert Advertisement.decode(vector("advertisement-ix500")) == Advertisement(UNIT, "00:80:92:01:02:03")


def test_an_event_is_no_advertisement() -> None:
    with pytest.raises(PeerError):
        Advertisement.decode(vector("event-button"))


@pytest.mark.parametrize("kind", [*wire.Notice, 0x7F])
def test_an_event_tells_its_kind_known_or_not(kind: int) -> None:
    data = bytearray(vector("event-button"))
    assert Event.decode(bytes(data)) == Event(wire.Notice.START)
    data[11] = kind
    assert Event.decode(bytes(data)).kind == kind


def test_greeting() -> None:
    assert frames.greeting(vector("greeting-ok")) == 0
    assert frames.greeting(vector("greeting-ok")[:8] + b"\xff\xff\xff\xfc" + bytes(4)) == -4


def test_control_replies() -> None:
    assert ControlReply.decode(vector("reserve-accepted")).status == Answer.ACCEPTED
    refused = ControlReply.decode(vector("reserve-wrong-password"))
    assert (refused.status, refused.body) == (Answer.WRONG_PASSWORD, bytes(4))


def test_the_last_block_is_a_check_with_its_ids_cut_off() -> None:
    head = vector("read-last-block-head")
    length = frames.frame_length(head[:8])
    assert length - len(head) == 43_671
    reply = DataReply.decode(head + b"\x5a" * 9, image=True)
    assert reply == DataReply(ScsiStatus.CHECK, b"\x5a" * 9)


def test_a_reply_that_is_no_image_has_its_data_at_once() -> None:
    frame = vector("read-last-block-head")[:40]
    assert DataReply.decode(frame + b"\1\2\3", image=False).data == b"\1\2\3"


@pytest.mark.parametrize("octets", range(3))
def test_a_check_may_come_without_data_or_ids(octets: int) -> None:
    frame = vector("read-last-block-head")[:40] + bytes(octets)
    assert DataReply.decode(frame, image=True) == DataReply(ScsiStatus.CHECK, b"")


@pytest.mark.parametrize(("offset", "value"), [(11, 1), (15, 3), (12, 1)])
def test_a_transfer_that_failed_or_an_unknown_status_is_the_peers_fault(offset: int, value: int) -> None:
    frame = bytearray(vector("read-last-block-head"))
    frame[offset] = value
    with pytest.raises(PeerError):
        DataReply.decode(bytes(frame), image=True)


def test_the_sense_at_the_end_of_an_image() -> None:
    assert Sense.decode(vector("sense-end-of-image")) == Sense(0, 0, 0, True, True, 0x036A19, None)


# --- rubbish

MOST = frames.MAX_FRAME_BYTES


@pytest.mark.parametrize("length", [0, 8, 15, MOST + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_frame_of_an_impossible_length_is_refused_at_its_head(length: int) -> None:
    with pytest.raises(PeerError):
        frames.frame_length(length.to_bytes(4, "big") + b"VENS")


@pytest.mark.parametrize("length", [16, MOST])
def test_frames_between_head_and_limit_are_read(length: int) -> None:
    assert frames.frame_length(length.to_bytes(4, "big") + b"VENS") == length


@pytest.mark.parametrize("head", [b"", b"\0\0\0\x10", b"\0\0\0\x10HTTP", b"\0\0\0\x10\xff\xff\xff\xff"])
def test_a_frame_of_nobody_is_refused_at_its_head(head: bytes) -> None:
    with pytest.raises(PeerError):
        frames.frame_length(head)


DATAGRAMS: dict[str, Callable[[bytes], object]] = {
    "device-info-ix500": DeviceInfo.decode,
    "advertisement-ix500": Advertisement.decode,
    "event-button": Event.decode,
}
FRAMES: dict[str, Callable[[bytes], object]] = {
    "greeting-ok": frames.greeting,
    "reserve-accepted": ControlReply.decode,
    "read-last-block-head": lambda frame: DataReply.decode(frame, image=True),
    "sense-end-of-image": Sense.decode,
}
DECODERS = {**DATAGRAMS, **FRAMES}
LEAST = {"device-info-ix500": 124, "advertisement-ix500": 48, "event-button": 48, "greeting-ok": 12}


@pytest.mark.parametrize("name", DECODERS)
def test_a_truncated_message_is_decoded_or_the_peers_fault(name: str) -> None:
    whole = vector(name)
    for length in range(len(whole)):
        with suppress(PeerError):
            DECODERS[name](whole[:length])
            assert length >= LEAST.get(name, 1)


@pytest.mark.parametrize("name", DATAGRAMS)
def test_an_endless_datagram_is_the_peers_fault(name: str) -> None:
    with pytest.raises(PeerError):
        DATAGRAMS[name](vector(name) + bytes(512))


@pytest.mark.parametrize("name", ["advertisement-ix500", "event-button"])
def test_a_datagram_with_a_byte_too_many_is_the_peers_fault(name: str) -> None:
    with pytest.raises(PeerError):
        DATAGRAMS[name](vector(name) + b"\0")


@given(name=st.sampled_from(sorted(DECODERS)), data=st.binary(max_size=600))
def test_rubbish_raises_nothing_but_driver_errors(name: str, data: bytes) -> None:
    with suppress(DriverError):
        DECODERS[name](data)


@given(name=st.sampled_from(sorted(DECODERS)), data=st.data())
def test_flipped_bytes_raise_nothing_but_driver_errors(name: str, data: st.DataObject) -> None:
    raw = bytearray(vector(name))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(DriverError):
        DECODERS[name](bytes(raw))


@given(data=st.data())
def test_what_is_kept_of_device_information_is_short_and_printable(data: st.DataObject) -> None:
    raw = bytearray(vector("device-info-ix500"))
    at = data.draw(st.integers(0x28, 0x70))
    octets = data.draw(st.binary(min_size=1, max_size=20))
    raw[at : at + len(octets)] = octets
    with suppress(PeerError):
        info = DeviceInfo.decode(bytes(raw[:132]))
        assert len(info.host_name) <= 64
        assert len(info.product) <= 24
        assert (info.host_name + info.product).isprintable()
        assert (info.host_name + info.product).isascii()


@given(data=st.binary(max_size=16))
def test_a_frame_length_is_bounded_or_refused(data: bytes) -> None:
    with suppress(PeerError):
        assert 16 <= frames.frame_length(data) <= MOST
