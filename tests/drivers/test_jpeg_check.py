"""The image as it streams by: cut, measured, judged whole or not, in pieces of any size."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import PeerError
from drivers.scsi.jpeg import JpegCheck
from tests.drivers.fake_ix500 import jpeg

IMAGE = jpeg(2544, 3304)


def fed(data: bytes, step: int) -> tuple[JpegCheck, bytes]:
    check = JpegCheck()
    return check, b"".join(check.feed(data[at : at + step]) for at in range(0, len(data), step))


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 100_000])
def test_an_image_passes_unchanged_and_is_measured(step: int) -> None:
    check, out = fed(IMAGE, step)
    check.finish()
    assert out == IMAGE
    assert (check.width_px, check.height_px) == (2544, 3304)


@pytest.mark.parametrize("step", [1, 5, 100_000])
def test_junk_before_and_after_is_cut(step: int) -> None:
    check, out = fed(b"\xff\x00junk\xff" + IMAGE + b"\0\0\xff\xd8", step)
    check.finish()
    assert out == IMAGE


def test_a_truncated_image_is_not_whole_wherever_it_breaks() -> None:
    for length in range(len(IMAGE)):
        check, _ = fed(IMAGE[:length], 50)
        with pytest.raises(PeerError):
            check.finish()


def test_an_end_marker_inside_a_segment_does_not_end_the_image() -> None:
    comment = b"\xff\xfe\x00\x06\xff\xd9\xff\xd8"
    check, out = fed(IMAGE[:2] + comment + IMAGE[2:], 1)
    check.finish()
    assert len(out) == len(IMAGE) + len(comment)


def test_height_by_restart_markers_where_there_is_one_per_row() -> None:
    check, _ = fed(jpeg(2544, 3304, restart_rows=10), 3)
    assert check.scanned_height_px() == 160
    assert check.height_px == 3304


def test_height_of_the_frame_without_restart_markers() -> None:
    check, _ = fed(IMAGE, 3)
    assert check.scanned_height_px() == 3304


def test_endless_junk_is_given_up() -> None:
    check = JpegCheck()
    for _ in range(65):
        check.feed(bytes(1000))
    with pytest.raises(PeerError):
        check.feed(bytes(1000))


def test_an_image_without_size_is_refused() -> None:
    with pytest.raises(PeerError):
        JpegCheck().feed(b"\xff\xd8\xff\xd9")


@given(data=st.binary(max_size=200), step=st.integers(1, 50))
def test_rubbish_raises_nothing_but_peer_errors(data: bytes, step: int) -> None:
    with suppress(PeerError):
        check, _ = fed(b"\xff\xd8\xff" + data, step)
        check.finish()
