"""SNMP messages of versions 1 and 2c (RFC 1157, RFC 3416): requests in, responses out. No socket, no MIB."""

from dataclasses import dataclass
from enum import IntEnum

from simulator.snmp.ber import NULL, SEQUENCE, BerError, Oid, Reader, integer, object_id, octets, tlv

V1, V2C = 0, 1
MAX_BINDINGS = 128  # snmpwalk asks for one, a poller for a dozen
NO_SUCH_OBJECT = tlv(0x80, b"")
END_OF_VIEW = tlv(0x82, b"")
UNSPECIFIED = tlv(NULL, b"")
_RESPONSE = 0xA2


class Kind(IntEnum):
    """What is asked, by the tag of its PDU."""

    GET = 0xA0
    GET_NEXT = 0xA1
    SET = 0xA3
    GET_BULK = 0xA5


class Error(IntEnum):
    """Error status of a response."""

    NONE = 0
    TOO_BIG = 1
    NO_SUCH_NAME = 2  # version 1
    NOT_WRITABLE = 17  # version 2c
    READ_ONLY = 4  # version 1


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `non_repeaters` and `repetitions` are those of GET_BULK, 0 otherwise."""

    version: int
    community: bytes
    kind: Kind
    id: int
    oids: tuple[Oid, ...]
    non_repeaters: int = 0
    repetitions: int = 0


@dataclass(frozen=True, slots=True)
class Binding:
    """A name and its value, encoded."""

    oid: Oid
    value: bytes


def parse(datagram: bytes) -> Request:
    """Read a request; BerError for whatever is none."""
    whole = Reader(datagram)
    message = Reader(whole.take(SEQUENCE))
    version, community = message.integer(), message.take(0x04)
    if whole or version not in (V1, V2C):
        raise BerError(f"no request of version 1 or 2c: {version}")
    tag, contents = message.any()
    if message or tag not in set(Kind) or (tag == Kind.GET_BULK and version == V1):
        raise BerError(f"no request: {tag:02x}")
    pdu = Reader(contents)
    id_, first, second = pdu.integer(), pdu.integer(), pdu.integer()
    bulk = tag == Kind.GET_BULK
    oids = _names(Reader(pdu.take(SEQUENCE)))
    return Request(version, community, Kind(tag), id_, oids, max(0, first) * bulk, max(0, second) * bulk)


def response(request: Request, bindings: tuple[Binding, ...], error: Error = Error.NONE, index: int = 0) -> bytes:
    """Return the answer to a request; `index` counts its bindings from 1."""
    rows = b"".join(tlv(SEQUENCE, object_id(row.oid) + row.value) for row in bindings)
    pdu = integer(request.id) + integer(error) + integer(index) + tlv(SEQUENCE, rows)
    return tlv(SEQUENCE, integer(request.version) + octets(request.community) + tlv(_RESPONSE, pdu))


def _names(rows: Reader) -> tuple[Oid, ...]:
    oids: list[Oid] = []
    while rows:
        row = Reader(rows.take(SEQUENCE))
        oids.append(row.object_id())
        row.any()  # its value: NULL, or what SET would write
        if row or len(oids) > MAX_BINDINGS:
            raise BerError("bindings that no request has")
    return tuple(oids)
