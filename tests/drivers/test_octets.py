"""The cursor is bounded; the writers refuse what does not fit."""

import pytest

from drivers import octets
from drivers.errors import MisuseError, PeerError
from drivers.octets import Reader


def test_reads_big_endian_in_order() -> None:
    reader = Reader(bytes.fromhex("01 0203 04050607 4142 20"), "block")
    assert (reader.u8(), reader.u16(), reader.u32(), reader.text(3)) == (1, 0x0203, 0x04050607, "AB")
    assert reader.left == 0


@pytest.mark.parametrize("count", [3, 4, 1000])
def test_reading_past_the_end_is_the_peers_fault(count: int) -> None:
    with pytest.raises(PeerError):
        Reader(b"\1\2", "block").take(count)


def test_seeking_outside_is_the_peers_fault() -> None:
    with pytest.raises(PeerError):
        Reader(b"\1\2", "block").seek(3)


def test_unprintable_text_is_the_peers_fault() -> None:
    with pytest.raises(PeerError):
        Reader(b"A\x1b[2J", "block").text(5)


def test_writes_big_endian() -> None:
    assert octets.u8(1) + octets.u16(2) + octets.u24(3) + octets.u32(4) == bytes.fromhex("01 0002 000003 00000004")


@pytest.mark.parametrize(("write", "value"), [(octets.u8, 256), (octets.u16, -1), (octets.u24, 1 << 24)])
def test_what_does_not_fit_is_our_fault(write: object, value: int) -> None:
    with pytest.raises(MisuseError):
        write(value)  # type: ignore[operator]
