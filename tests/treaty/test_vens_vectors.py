"""Both VENS codecs against the published bytes, and against bytes that are none."""

import tomllib
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import DriverError, MisuseError, PeerError
from drivers.port import Colour, Paper, Profile
from drivers.scsi.wire import Command, ScsiStatus, WindowId
from drivers.vens import batch, dialects, flow, frames
from drivers.vens import wire as ours
from drivers.vens.frames import ControlReply, DataReply, Reserve
from drivers.vens.wire import Advertisement, DeviceInfo, Event, Family, Request
from simulator import models
from simulator.vens import parameters
from simulator.vens import wire as theirs
from tests.drivers.vectors import VENS, vector

TOKEN = bytes.fromhex("021122334455")
CLIENT, UNIT = IPv4Address("192.168.1.50"), IPv4Address("192.168.1.20")
MAC = "00:80:92:01:02:03"


def v(name: str) -> bytes:
    return vector(name, folder=VENS)


def test_every_vector_says_where_it_comes_from() -> None:
    sources = tomllib.loads((VENS / "SOURCES.toml").read_text())
    assert set(sources) == {file.stem for file in VENS.glob("*.hex")}
    assert {row["kind"] for row in sources.values()} <= {"capture", "third-party", "derived"}


@pytest.mark.parametrize(
    ("name", "family", "alive"),
    [
        ("request-vens", Family.VENS, False),
        ("request-ssnr", Family.SSNR, False),
        ("keep-alive-vens", Family.VENS, True),
    ],
)
def test_calls(name: str, family: Family, alive: bool) -> None:
    assert Request(family, CLIENT, TOKEN, 55264, alive).encode() == v(name)
    call = theirs.parse_call(v(name))
    assert (call.family, call.alive, call.client, call.port) == (family.encode(), alive, CLIENT, 55264)


def test_what_a_unit_tells_of_itself() -> None:
    info = DeviceInfo.decode(v("device-info-ix500"))
    assert (info.family, info.interface, info.address, info.mac) == (Family.VENS, 4, UNIT, MAC)
    assert (info.serial, info.model, info.data_port, info.control_port) == ("AK7CC00700", "iX500", 53218, 53219)
    assert (info.notify, int(info.client)) == (0, 0)
    assert dialects.of(info).proven
    told = theirs.Info(
        b"VENS", 4, UNIT, 53218, 53219, bytes.fromhex("008092010203"), info.host_name, info.product, IPv4Address(0)
    )
    assert told.encode() == v("device-info-ix500")


def test_the_longer_form_has_its_names_further_on() -> None:
    names = ("iX100-BM3CC01234", "ScanSnap iX100")
    told = theirs.Info(b"VENS", 16, UNIT, 1, 2, bytes(6), *names, IPv4Address(0), longer=True)
    assert len(told.encode()) == 144
    info = DeviceInfo.decode(told.encode())
    assert (info.host_name, info.product, info.serial) == (*names, "BM3CC01234")


def test_advertisement_event_and_greeting() -> None:
    assert Advertisement.decode(v("advertisement-ix500")) == Advertisement(UNIT, MAC)
    assert theirs.advertisement(UNIT, bytes.fromhex("008092010203")) == v("advertisement-ix500")
    assert Event.decode(v("event-button")).kind == ours.Notice.START
    assert theirs.event() == v("event-button")
    assert frames.greeting(v("greeting-ok")) == 0
    assert theirs.greeting(b"VENS") == v("greeting-ok")


def test_reserve_and_its_answers() -> None:
    asked = Reserve(
        family=Family.VENS,
        token=TOKEN,
        length=0x180,
        interface=4,
        alive_s=5,
        host_type=1,
        client=CLIENT,
        event_port=55265,
        password="0700",
        manager=b"",
        at=datetime(2026, 11, 23, 9, 30, tzinfo=timezone(timedelta(hours=2))),
    )
    assert asked.encode() == v("reserve-mobile")
    read = theirs.parse_control(v("reserve-mobile")).reserve()
    assert (read.interface, read.alive_s, read.client, read.event_port) == (4, 5, CLIENT, 55265)
    assert read.identity == theirs.identity("0700") == frames.identity("0700") == b"171136176174"
    assert frames.identity("8122") == theirs.identity("8122") == b"179130178176"
    for name, status in (("reserve-accepted", 0), ("reserve-wrong-password", -3)):
        assert ControlReply.decode(v(name)).status == status
        assert theirs.reserve_reply(b"VENS", status, 4) == v(name)


def test_release() -> None:
    assert frames.release(Family.VENS, TOKEN) == v("release")
    assert theirs.parse_control(v("release")).command == theirs.RELEASE


def test_a_read_of_an_image() -> None:
    command = next(flow.read_block(batch.plan(dialects._IX500_4, Profile()), WindowId.BACK, 1, 2))
    assert isinstance(command, Command)
    assert frames.data_request(Family.VENS, TOKEN, command) == v("read-back-block-2")
    read = theirs.parse_data(v("read-back-block-2"))
    assert (read.op, read.in_length, read.cdb[5], read.cdb[10:12]) == (0x28, 0x40000, 0x80, b"\x01\x02")


def test_the_head_of_a_last_block() -> None:
    head = v("read-last-block-head")
    assert frames.frame_length(head[:8]) == 0xAAC1
    reply = DataReply.decode(head + b"image", image=True)
    assert (reply.status, reply.data) == (ScsiStatus.CHECK, b"image")
    body = bytes(2) + bytes(0xAAC1 - 42)
    assert theirs.data_reply(b"VENS", 2, body)[:42] == head


def test_the_parameters_differ_from_the_app_s_only_in_keeping_blank_pages() -> None:
    profile = Profile(resolution_dpi=200, colour=Colour.COLOUR, duplex=True, jpeg_quality=4, paper=Paper.AUTOMATIC)
    sent = bytearray(batch.plan(dialects._IX500_4, profile).parameters)
    published = v("d4-colour-duplex-200")[64:]
    assert sent[8] == 0x80
    sent[8] = published[8]
    assert bytes(sent) == published


@pytest.mark.parametrize("paper", list(Paper))
@pytest.mark.parametrize("colour", list(Colour))
def test_the_simulated_unit_takes_every_profile(paper: Paper, colour: Colour) -> None:
    for dialect in (dialects._IX500_4, dialects._IX500_6, dialects._IX1300):
        for dpi in dialect.resolutions_dpi:
            planned = batch.plan(dialect, Profile(resolution_dpi=dpi, paper=paper, colour=colour))
            read = parameters.parse(planned.parameters, models.BY_NAME["iX500"])
            assert (read.window.dpi, len(read.sides)) == (dpi, 2)
            assert read.to_the_paper is (paper is Paper.AUTOMATIC)


def test_the_captured_lineart_parameters_are_another_format_and_refused() -> None:
    with pytest.raises(parameters.ParametersError):
        parameters.parse(v("d4-mono-duplex"), models.BY_NAME["iX500"])


DECODERS = [
    DeviceInfo.decode,
    Advertisement.decode,
    Event.decode,
    ControlReply.decode,
    frames.greeting,
    frames.frame_length,
    lambda data: DataReply.decode(data, image=True),
    flow._status,
]


@pytest.mark.parametrize("decode", DECODERS)
@given(data=st.one_of(st.binary(max_size=600), st.binary(max_size=160).map(lambda b: b"\x00\x00\x00\x30VENS" + b)))
def test_any_bytes_end_inside_the_error_tree(decode: object, data: bytes) -> None:
    with suppress(DriverError):
        decode(data)  # type: ignore[operator]


@given(flips=st.lists(st.tuples(st.integers(0, 131), st.integers(0, 255)), max_size=8))
def test_a_damaged_reply_is_read_or_refused(flips: list[tuple[int, int]]) -> None:
    data = bytearray(v("device-info-ix500"))
    for at, value in flips:
        data[at] = value
    try:
        info = DeviceInfo.decode(bytes(data))
    except PeerError:
        return
    assert info.host_name.isascii()
    assert len(info.serial) <= 64


@pytest.mark.parametrize("parse", [theirs.parse_call, theirs.parse_control, theirs.parse_data])
@given(data=st.binary(max_size=400))
def test_the_unit_refuses_what_is_no_message(parse: object, data: bytes) -> None:
    with suppress(theirs.WireError):
        parse(data)  # type: ignore[operator]


def test_a_frame_s_length_is_bounded_before_anything_is_allocated() -> None:
    for length in (0, 15, frames.MAX_FRAME_BYTES + 1, 0xFFFFFFFF):
        with pytest.raises(PeerError):
            frames.frame_length(length.to_bytes(4, "big") + b"VENS")


def test_passwords_that_cannot_be_sent_are_misuse() -> None:
    for password in ("x" * 17, "pässword"):
        with pytest.raises(MisuseError):
            frames.identity(password)


def test_times_are_local_with_their_offset() -> None:
    asked = Reserve(Family.VENS, TOKEN, 0x80, 6, 30, 0, CLIENT, 1, "0700", bytes(8), datetime(2026, 1, 1, tzinfo=UTC))
    assert len(asked.encode()) == 0x80
    assert asked.encode()[0x74:0x78] == bytes(4)
