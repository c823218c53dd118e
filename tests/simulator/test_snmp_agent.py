"""The SNMP agent: published messages byte for byte, walks, what it refuses, and garbage."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.fleet import FleetError, Snmp
from simulator.snmp.agent import SnmpAgent
from simulator.snmp.ber import BerError, Reader, integer, object_id, octets, tlv
from simulator.snmp.wire import Kind, parse

# escl-mdns-snmp, 5.1: GET of sysDescr.0 and sysObjectID.0, and its response.
ASKED = bytes.fromhex(
    "303402010104067075626c6963a027020101020100020100301c300c06082b06010201010100 0500 300c06082b06010201010200 0500"
)
ANSWERED = bytes.fromhex(
    "304d02010104067075626c6963a2400201010201000201003035"
    "301d06082b06010201010100 0411 46554a495453552066692d373330304e58"
    "301406082b06010201010200 0608 2b06010401815301"
)
FI = Snmp(description="FUJITSU fi-7300NX", object_id="1.3.6.1.4.1.211.1")
FULL = Snmp(description="d", name="n", mac="00:80:92:01:02:03", device="MFP", serial="S1", device_id="MFG:R;MDL:M;")
SYSTEM = (1, 3, 6, 1, 2, 1, 1)


def request(kind: int, *oids: tuple[int, ...], first: int = 0, second: int = 0, version: int = 1) -> bytes:
    rows = b"".join(tlv(0x30, object_id(oid) + b"\x05\x00") for oid in oids)
    pdu = integer(77) + integer(first) + integer(second) + tlv(0x30, rows)
    return tlv(0x30, integer(version) + octets(b"public") + tlv(kind, pdu))


def opened(answer: bytes | None) -> tuple[int, int, list[tuple[tuple[int, ...], int, bytes]]]:
    """Return error, index and rows (name, tag, contents) of a response."""
    assert answer is not None
    message = Reader(Reader(answer).take(0x30))
    message.integer()
    assert message.take(0x04) == b"public"
    pdu = Reader(message.take(0xA2))
    assert pdu.integer() == 77
    error, index, rows = pdu.integer(), pdu.integer(), Reader(pdu.take(0x30))
    found = []
    while rows:
        row = Reader(rows.take(0x30))
        found.append((row.object_id(), *row.any()))
    return error, index, found


def test_the_published_get_is_answered_byte_for_byte() -> None:
    assert SnmpAgent(FI).answer(ASKED) == ANSWERED


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ((1, 3, 6, 1, 4, 1, 211), "06072b060104018153"),
        ((1, 3, 6, 1, 4, 1, 18886), "06082b06010401819346"),
        ((1, 3, 6, 1, 2, 1, 25, 3, 2, 1, 3, 1), "060b2b060102011903020 10301".replace(" ", "")),
    ],
)
def test_object_identifiers_are_as_published(value: tuple[int, ...], encoded: str) -> None:
    assert object_id(value) == bytes.fromhex(encoded)
    assert Reader(bytes.fromhex(encoded)).object_id() == value


@given(st.integers(-(2**31), 2**32 - 1))
def test_a_number_comes_back(value: int) -> None:
    assert Reader(integer(value)).integer() == value


def test_a_walk_sees_every_row_once_and_in_order() -> None:
    agent, oid, names = SnmpAgent(FULL), (1, 3), []
    while True:
        _, _, [(oid, tag, _)] = opened(agent.answer(request(Kind.GET_NEXT, oid)))
        if tag == 0x82:
            break
        names.append(oid)
    assert names == sorted(set(names))
    assert (1, 3, 6, 1, 2, 1, 43, 5, 1, 1, 17, 1) in names
    error, _, rows = opened(agent.answer(request(Kind.GET_BULK, (1, 3), second=50)))
    assert error == 0
    assert [row[0] for row in rows][: len(names)] == names
    assert rows[-1][1] == 0x82


def test_the_card_has_the_address_and_the_loopback_has_none() -> None:
    column = (1, 3, 6, 1, 2, 1, 2, 2, 1, 6)
    _, _, rows = opened(SnmpAgent(FULL).answer(request(Kind.GET, (*column, 1), (*column, 2))))
    assert [row[2] for row in rows] == [b"", bytes.fromhex("008092010203")]


def test_bulk_is_bounded_by_one_frame_whatever_is_asked() -> None:
    agent = SnmpAgent(Snmp(description="x" * 255, device="y" * 255))
    for repeated in (1, 10, 60):
        ask = request(Kind.GET_BULK, *[(1, 3)] * repeated, second=2**31 - 1)
        answer = agent.answer(ask)
        assert answer is not None
        assert len(answer) <= 1400


def test_a_pure_scanner_has_no_printer_objects() -> None:
    oid = (1, 3, 6, 1, 2, 1, 43, 5, 1, 1, 17, 1)
    assert opened(SnmpAgent(FI).answer(request(Kind.GET, oid))) == (0, 0, [(oid, 0x80, b"")])
    error, index, _ = opened(SnmpAgent(FI).answer(request(Kind.GET, (*SYSTEM, 1, 0), oid, version=0)))
    assert (error, index) == (2, 2)


@pytest.mark.parametrize(("version", "error"), [(0, 4), (1, 17)])
def test_nothing_can_be_set(version: int, error: int) -> None:
    assert opened(SnmpAgent(FI).answer(request(Kind.SET, (*SYSTEM, 5, 0), version=version)))[0] == error


def test_another_community_is_not_answered() -> None:
    assert SnmpAgent(Snmp(community="secret")).answer(ASKED) is None


@given(st.binary(max_size=200))
def test_garbage_is_dropped(data: bytes) -> None:
    assert SnmpAgent(FI).answer(data) is None


@given(st.integers(0, len(ASKED) - 1), st.binary(max_size=4))
def test_a_damaged_request_is_answered_or_dropped(at: int, put: bytes) -> None:
    answer = SnmpAgent(FI).answer(ASKED[:at] + put + ASKED[at + 1 :])
    assert answer is None or len(answer) <= 1400


def test_a_request_cut_anywhere_or_with_more_behind_it_is_none() -> None:
    for end in range(len(ASKED)):
        with pytest.raises(BerError):
            parse(ASKED[:end])
    with pytest.raises(BerError):
        parse(ASKED + b"\0")


async def test_it_answers_on_udp_and_counts() -> None:
    agent = SnmpAgent(FI)
    await agent.start()
    loop = asyncio.get_running_loop()
    got: asyncio.Future[bytes] = loop.create_future()

    class Client(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _addr: object) -> None:
            got.set_result(data)

    transport, _ = await loop.create_datagram_endpoint(Client, remote_addr=agent.address)
    transport.sendto(b"junk")
    transport.sendto(ASKED)
    assert await got == ANSWERED
    assert (agent.answered, agent.dropped) == (1, 1)
    transport.close()
    await agent.close()


@pytest.mark.parametrize("wrong", [{"object_id": "abc"}, {"mac": "0"}, {"name": "x" * 256}, {"address": "10.0.0.1"}])
def test_a_spec_that_cannot_be_told_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(FleetError):
        Snmp(**wrong)  # type: ignore[arg-type]
