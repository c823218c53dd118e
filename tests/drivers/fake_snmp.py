"""An SNMP agent on a loopback port, its BER written by hand: it answers as it was told to, well or badly."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

Oid: TypeAlias = tuple[int, ...]
Datum: TypeAlias = str | bytes | int | Oid
Reply: TypeAlias = Callable[[bytes], list[bytes]]

PUBLIC = b"\x04\x06public"
NO_SUCH_OBJECT, END_OF_MIB = b"\x80\x00", b"\x82\x00"
GET, GET_BULK = 0xA0, 0xA5

DESCR, OBJECT_ID, NAME = [(1, 3, 6, 1, 2, 1, 1, number, 0) for number in (1, 2, 5)]
DEVICE, SERIAL = (1, 3, 6, 1, 2, 1, 25, 3, 2, 1, 3, 1), (1, 3, 6, 1, 2, 1, 43, 5, 1, 1, 17, 1)
TYPE, MAC = (1, 3, 6, 1, 2, 1, 2, 2, 1, 3), (1, 3, 6, 1, 2, 1, 2, 2, 1, 6)

MFP: dict[Oid, Datum] = {
    DESCR: "RICOH MP C3003 1.17 / RICOH Network Printer C model",
    OBJECT_ID: (1, 3, 6, 1, 4, 1, 367, 1, 1),
    NAME: "copier",
    (*TYPE, 1): 24,  # softwareLoopback
    (*TYPE, 2): 6,
    (*MAC, 1): b"",
    (*MAC, 2): bytes.fromhex("002673010203"),
    DEVICE: "RICOH MP C3003",
    SERIAL: "W503L700123",
}


def snmp_vector(name: str) -> bytes:
    """Return the bytes of one vector."""
    return bytes.fromhex((Path(__file__).parents[1] / "vectors" / "snmp" / f"{name}.hex").read_text())


def tlv(tag: int, contents: bytes) -> bytes:
    size = len(contents)
    return bytes((tag, size) if size < 128 else (tag, 0x82, size >> 8, size & 0xFF)) + contents


def number(value: int) -> bytes:
    return tlv(2, value.to_bytes(5, "big", signed=True))


def name(oid: Oid) -> bytes:
    octets = bytearray((oid[0] * 40 + oid[1],))
    for part in oid[2:]:
        groups = [part >> shift & 0x7F for shift in (28, 21, 14, 7, 0)]
        first = next((at for at, group in enumerate(groups) if group), 4)
        octets += bytes(group | 0x80 for group in groups[first:-1]) + bytes(groups[-1:])
    return tlv(6, bytes(octets))


def datum(value: Datum) -> bytes:
    if isinstance(value, int):
        return number(value)
    if isinstance(value, tuple):
        return name(value)
    return tlv(4, value.encode() if isinstance(value, str) else value)


def response(request_id: bytes, rows: bytes, error: int = 0, community: bytes = PUBLIC) -> bytes:
    """Write a response; `request_id` is a whole element, as it came."""
    pdu = tlv(0xA2, request_id + number(error) + number(0) + tlv(0x30, rows))
    return tlv(0x30, b"\x02\x01\x01" + community + pdu)


def row(oid: Oid, value: bytes) -> bytes:
    return tlv(0x30, name(oid) + value)


class Question:
    """A request taken apart; what we send is short enough for one or two bytes of length."""

    def __init__(self, data: bytes) -> None:
        [message] = _elements(data)
        _, _, pdu = _elements(message[1])
        self.kind = pdu[0]
        request_id, _, most, rows = _elements(pdu[1])
        self.request_id = tlv(*request_id)
        self.most = int.from_bytes(most[1], "big")
        self.oids = [_oid(_elements(pair)[0][1]) for _, pair in _elements(rows[1])]


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        head, size = (2, data[1]) if data[1] < 128 else (2 + data[1] - 128, int.from_bytes(data[2 : data[1] - 126]))
        found.append((data[0], data[head : head + size]))
        data = data[head + size :]
    return found


def _oid(octets: bytes) -> Oid:
    parts, part = [octets[0] // 40, octets[0] % 40], 0
    for octet in octets[1:]:
        part = part << 7 | octet & 0x7F
        if not octet & 0x80:
            parts.append(part)
            part = 0
    return tuple(parts)


def agent(objects: Mapping[Oid, Datum]) -> Reply:
    """Return what an agent with these objects answers; changes of the mapping are seen."""

    def reply(data: bytes) -> list[bytes]:
        question = Question(data)
        if question.kind == GET:
            rows = [row(oid, datum(objects[oid]) if oid in objects else NO_SUCH_OBJECT) for oid in question.oids]
            return [response(question.request_id, b"".join(rows))]
        [after] = question.oids
        following = [oid for oid in sorted(objects) if oid > after][: question.most]
        rows = [row(oid, datum(objects[oid])) for oid in following]
        end = row(following[-1] if following else after, END_OF_MIB)
        return [response(question.request_id, b"".join(rows) + (end if len(rows) < question.most else b""))]

    return reply


class Agent(asyncio.DatagramProtocol):
    """Answers each datagram with those of `reply`, and counts them; `reply` may be changed while it runs."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asked = 0
        self.port = 0
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        for datagram in self.reply(data):
            self.say(datagram, addr)

    def say(self, datagram: bytes, to: tuple[str, int]) -> None:
        self._transport.sendto(datagram, to)


@asynccontextmanager
async def listening(
    reply: Reply, *, host: str = "127.0.0.1", port: int = 0, made: type[Agent] = Agent
) -> AsyncIterator[Agent]:
    loop = asyncio.get_running_loop()
    transport, it = await loop.create_datagram_endpoint(lambda: made(reply), local_addr=(host, port))
    try:
        yield it
    finally:
        transport.close()
