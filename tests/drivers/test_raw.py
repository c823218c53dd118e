"""The header of raw rows: what was written is read, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import DriverError, PeerError
from drivers.raw import HEADER_BYTES, Layout, RawHeader
from drivers.scsi.image import Rows


@given(layout=st.sampled_from(Layout), width_px=st.integers(1, 200_000), inverted=st.booleans())
def test_a_header_says_what_was_written(layout: Layout, width_px: int, inverted: bool) -> None:
    header = RawHeader(layout, width_px, inverted)
    assert len(header.encode()) == HEADER_BYTES
    assert RawHeader.decode(header.encode()) == header


def test_its_bytes_are_those_of_the_docstring() -> None:
    header = RawHeader(Layout.RGB, 0x9B0, inverted=True)
    assert header.encode() == bytes.fromhex("535352415701 02 01 000009b0 00001d10")


@given(data=st.binary(max_size=40))
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(PeerError):
        RawHeader.decode(data)


@given(blocks=st.lists(st.binary(max_size=50), max_size=20), width_px=st.integers(1, 20))
def test_rows_are_counted_and_half_a_row_is_none(blocks: list[bytes], width_px: int) -> None:
    rows = Rows(RawHeader(Layout.GRAY, width_px, inverted=True))
    out = b"".join(rows.feed(block) for block in blocks)
    data = b"".join(blocks)
    try:
        rows.finish()
    except DriverError:
        assert not data or len(data) % width_px
    else:
        assert out[HEADER_BYTES:] == data
        assert rows.size_px == (width_px, len(data) // width_px)
