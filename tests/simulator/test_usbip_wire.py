"""The USB/IP codec: pinned bytes from the kernel's description, and garbage of every kind."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.usb import wire
from simulator.usb.descriptors import DescriptorError, parse_configuration

BOUNDED = settings(max_examples=100, deadline=None)
WORDS = st.integers(0, 0xFFFF_FFFF)
DEVICE = wire.Device("/sys/x", "1-1", 1, 2, 3, 0x04C5, 0x132B, 0x0100, (255, 255, 255), 1, 1, ((255, 255, 255),))


def test_the_list_request_is_eight_bytes() -> None:
    assert wire.Op(wire.OpCode.REQ_DEVLIST).encode() == bytes.fromhex("0111 8005 00000000")


def test_a_list_is_count_then_devices_each_with_its_interfaces() -> None:
    data = wire.encode_list((DEVICE,))
    assert data[:12] == bytes.fromhex("0111 0005 00000000 00000001")
    assert data[12:18] == b"/sys/x"
    assert data[12 + 256 : 12 + 259] == b"1-1"
    assert data[12 + 288 :] == bytes.fromhex("00000001 00000002 00000003 04c5 132b 0100 ff ff ff 01 01 01 ffffff00")
    assert wire.decode_device(data[12 : 12 + 312], data[12 + 312 :]) == DEVICE


def test_a_submit_has_its_fields_where_the_kernel_has_them() -> None:
    request = wire.Submit(seqnum=7, devid=0x10002, direction=wire.OUT, endpoint=2, length=3, data=b"abc")
    data = request.encode()
    assert data == bytes.fromhex(
        "00000001 00000007 00010002 00000000 00000002 00000000 00000003 00000000 00000000 00000000"
        "0000000000000000 616263"
    )
    assert wire.decode_request(data[:48]) == wire.Submit(7, 0x10002, wire.OUT, 2, 3)


def test_a_return_states_a_negative_errno() -> None:
    data = wire.Return(7, -32, 0).encode()
    assert data == bytes.fromhex("00000003 00000007" + "00000000" * 3 + "ffffffe0" + "00000000" * 6)
    assert wire.decode_answer(data) == wire.Return(7, -32, 0)


def test_an_unlink_names_its_target_and_gets_an_answer() -> None:
    data = wire.Unlink(8, 0x10002, 7).encode()
    assert data == bytes.fromhex("00000002 00000008 00010002 00000000 00000000 00000007" + "00000000" * 6)
    assert wire.decode_request(data) == wire.Unlink(8, 0x10002, 7)
    assert wire.decode_answer(wire.Unlinked(8, -104).encode()) == wire.Unlinked(8, -104)


def test_a_stated_length_is_bounded() -> None:
    huge = wire.Submit(1, 0, wire.IN, 1, 0x0100_0001).encode()
    with pytest.raises(wire.WireError):
        wire.decode_request(huge)
    with pytest.raises(wire.WireError):
        wire.decode_count(b"\xff\xff\xff\xff")


@BOUNDED
@given(seqnum=WORDS, devid=WORDS, direction=st.sampled_from([0, 1]), endpoint=st.integers(0, 15), length=WORDS)
def test_submits_come_back_as_they_went(seqnum: int, devid: int, direction: int, endpoint: int, length: int) -> None:
    request = wire.Submit(seqnum, devid, direction, endpoint, length % wire.MAX_TRANSFER_BYTES)
    assert wire.decode_request(request.encode()) == request


@BOUNDED
@given(st.binary(max_size=400))
def test_garbage_raises_and_does_nothing_else(data: bytes) -> None:
    decoders = (
        wire.decode_op,
        wire.decode_count,
        wire.interface_count,
        wire.decode_device,
        wire.decode_busid,
        wire.decode_request,
        wire.decode_answer,
    )
    for decode in decoders:
        try:
            decode(data)
        except wire.WireError:
            continue


@BOUNDED
@given(st.binary(min_size=48, max_size=48))
def test_headers_of_garbage_raise_or_are_bounded(header: bytes) -> None:
    try:
        request = wire.decode_request(header)
    except wire.WireError:
        return
    if isinstance(request, wire.Submit):
        assert 0 <= request.length <= wire.MAX_TRANSFER_BYTES


@BOUNDED
@given(st.binary(max_size=80))
def test_garbage_is_no_configuration(tail: bytes) -> None:
    for data in (tail, bytes.fromhex("09022000010100c000") + tail):
        try:
            parse_configuration(data)
        except DescriptorError:
            continue
