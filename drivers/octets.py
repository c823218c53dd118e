"""Octets: a bounded big-endian cursor over a peer's bytes, and the writers for our own. Nothing of any protocol."""

from drivers.errors import MisuseError, PeerError


class Reader:
    """Walk through `data` (called `what` in messages); reading past its end raises PeerError, never IndexError."""

    __slots__ = ("_at", "_data", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._what = what
        self._at = 0

    def seek(self, offset: int) -> "Reader":
        """Go to `offset` from the start; PeerError if that lies outside."""
        if not 0 <= offset <= len(self._data):
            raise PeerError(f"{self._what}: {len(self._data)} bytes, offset {offset:#x} lies past the end")
        self._at = offset
        return self

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        end = self._at + count
        if count < 0 or end > len(self._data):
            raise PeerError(f"{self._what}: {len(self._data)} bytes, {count} more wanted at {self._at:#x}")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def skip(self, count: int) -> "Reader":
        """Pass over `count` bytes."""
        self.take(count)
        return self

    def u8(self) -> int:
        """Return the next byte."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Return the next two bytes as an unsigned number."""
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        """Return the next four bytes as an unsigned number."""
        return int.from_bytes(self.take(4), "big")

    def bit(self, offset: int, number: int) -> bool:
        """Tell whether a bit (0 is the lowest) of the byte at `offset` is set."""
        return bool(self.seek(offset).u8() & (1 << number))

    def text(self, count: int) -> str:
        """Return the next `count` bytes as printable ASCII without padding; PeerError on any other byte."""
        raw = self.take(count).rstrip(b" \0")
        if not all(0x20 <= octet < 0x7F for octet in raw):
            raise PeerError(f"{self._what}: unprintable text {raw.hex(' ')}")
        return raw.decode("ascii").strip()

    @property
    def left(self) -> int:
        """Return how many bytes are left."""
        return len(self._data) - self._at


def u8(value: int) -> bytes:
    """Write one byte; MisuseError if `value` does not fit."""
    return _unsigned(value, 1)


def u16(value: int) -> bytes:
    """Write two bytes; MisuseError if `value` does not fit."""
    return _unsigned(value, 2)


def u24(value: int) -> bytes:
    """Write three bytes; MisuseError if `value` does not fit."""
    return _unsigned(value, 3)


def u32(value: int) -> bytes:
    """Write four bytes; MisuseError if `value` does not fit."""
    return _unsigned(value, 4)


def _unsigned(value: int, size: int) -> bytes:
    if not 0 <= value < 1 << (8 * size):
        raise MisuseError(f"{value} does not fit into {size} unsigned bytes")
    return value.to_bytes(size, "big")
