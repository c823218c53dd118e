"""BER as SNMP uses it (RFC 3417, section 8): tag, length, contents. Definite lengths; no message, no MIB."""

from typing import TypeAlias

Oid: TypeAlias = tuple[int, ...]

INTEGER, OCTETS, NULL, OBJECT_ID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
TIME_TICKS = 0x43
_LONG = 0x80  # the length's own length follows
_MOST_LENGTH_OCTETS = 2  # a datagram has at most 65507 bytes
_MOST_INTEGER_OCTETS = 5  # a 32-bit number and a sign octet
_MOST_ARCS = 128  # RFC 2578, 3.5
_MOST_ARC = 0xFFFF_FFFF
_SECOND = 40  # X.690, 8.19.4: the first two arcs share an octet


class BerError(ValueError):
    """Bytes that are no BER, or more than a request may have."""


def tlv(tag: int, contents: bytes) -> bytes:
    """Return one element."""
    size = len(contents)
    if size < _LONG:
        return bytes((tag, size)) + contents
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG | len(length))) + length + contents


def integer(value: int, tag: int = INTEGER) -> bytes:
    """Return a whole number in the fewest octets."""
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def octets(value: bytes) -> bytes:
    """Return an OCTET STRING."""
    return tlv(OCTETS, value)


def object_id(oid: Oid) -> bytes:
    """Return an OBJECT IDENTIFIER of two arcs or more."""
    arcs = (oid[0] * _SECOND + oid[1], *oid[2:])
    return tlv(OBJECT_ID, b"".join(_arc(arc) for arc in arcs))


class Reader:
    """Takes elements from the front of some bytes; BerError where they are not there."""

    def __init__(self, data: bytes) -> None:
        self._left = memoryview(data)

    def __bool__(self) -> bool:
        return bool(self._left)

    def any(self) -> tuple[int, bytes]:
        """Take an element, whatever it is: its tag and contents."""
        if len(self._left) < 2:
            raise BerError("an element is cut short")
        tag, size, start = self._left[0], self._left[1], 2
        if size & _LONG:
            count = size & ~_LONG
            if not 1 <= count <= _MOST_LENGTH_OCTETS or len(self._left) < 2 + count:
                raise BerError("a length that no datagram has")
            start += count
            size = int.from_bytes(self._left[2:start], "big")
        if len(self._left) < start + size:
            raise BerError("an element is cut short")
        contents = bytes(self._left[start : start + size])
        self._left = self._left[start + size :]
        return tag, contents

    def take(self, tag: int) -> bytes:
        """Take the contents of an element of this tag."""
        found, contents = self.any()
        if found != tag:
            raise BerError(f"tag {found:02x} where {tag:02x} belongs")
        return contents

    def integer(self) -> int:
        """Take a whole number."""
        contents = self.take(INTEGER)
        if not 1 <= len(contents) <= _MOST_INTEGER_OCTETS:
            raise BerError(f"a number of {len(contents)} octets")
        return int.from_bytes(contents, "big", signed=True)

    def object_id(self) -> Oid:
        """Take an OBJECT IDENTIFIER."""
        contents = self.take(OBJECT_ID)
        if not contents or contents[-1] & _LONG:
            raise BerError("an object identifier is cut short")
        arcs: list[int] = []
        arc = 0
        for octet in contents:
            arc = arc << 7 | octet & 0x7F
            if arc > _MOST_ARC or len(arcs) >= _MOST_ARCS:
                raise BerError("an object identifier that is too long")
            if not octet & _LONG:
                arcs.append(arc)
                arc = 0
        first = min(arcs[0] // _SECOND, 2)
        return (first, arcs[0] - first * _SECOND, *arcs[1:])


def _arc(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | _LONG)
    return bytes(reversed(groups))
