"""The number of colour components stands in the frame header."""

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gateway.documents.jpeg import NotJpeg, components


def jpeg(mode: str, *, progressive: bool = False) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (16, 16)).save(out, "JPEG", progressive=progressive, comment=b"c" * 300)
    return out.getvalue()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(("mode", "count"), [("L", 1), ("RGB", 3), ("CMYK", 4)])
def test_components_are_read_from_the_frame_header(mode: str, count: int, progressive: bool) -> None:
    assert components(jpeg(mode, progressive=progressive)) == count


def test_too_short_a_head_asks_for_more_and_never_guesses() -> None:
    data = jpeg("L")
    answers = [components(data[:n]) for n in range(len(data) + 1)]
    known = answers.index(1)
    assert set(answers[:known]) == {None}
    assert set(answers[known:]) == {1}


def test_fill_bytes_before_a_marker_are_skipped() -> None:
    data = jpeg("RGB")
    assert components(data[:2] + b"\xff\xff" + data[2:]) == 3


@pytest.mark.parametrize(
    "head",
    [b"PK\x03\x04", b"\xff\xd9", b"\xff\xd8\x00\x00\x00\x00", b"\xff\xd8\xff\xda\x00\x08", b"\xff\xd8\xff\xe0\x00\x01"],
)
def test_what_is_no_jpeg_is_refused(head: bytes) -> None:
    with pytest.raises(NotJpeg):
        components(head)


@given(st.binary(max_size=200))
def test_any_bytes_end_in_an_answer_or_a_refusal(tail: bytes) -> None:
    with contextlib.suppress(NotJpeg):
        assert components(b"\xff\xd8" + tail) in {None, *range(256)}
