"""One image of both sides, put together here by hand and taken apart by the driver: each side as if encoded alone."""

import io
import random
import re
import tracemalloc
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from drivers.errors import PeerError
from drivers.scsi.interlaced import Splitter

WIDTH_PX, HEIGHT_PX = 72, 152  # more rows of blocks than there are restart markers
KINDS = [("L", "", 8), ("RGB", "4:4:4", 8), ("RGB", "4:2:2", 16), ("RGB", "4:2:0", 16)]  # and the width of an MCU
END = b"\xff\xd9"
DRI = b"\xff\xdd\x00\x04"
SOS = b"\xff\xda"


@lru_cache
def alone(seed: int, kind: tuple[str, str, int] = KINDS[3], width_px: int = WIDTH_PX) -> bytes:
    """Encode a picture of noise as a side of its own, one restart interval per row of MCUs."""
    mode, subsampling, mcu_px = kind
    noise = random.Random(seed).randbytes(width_px * HEIGHT_PX * len(mode))
    more: dict[str, object] = {"subsampling": subsampling} if subsampling else {}
    stream = io.BytesIO()
    picture = Image.frombytes(mode, (width_px, HEIGHT_PX), noise)
    picture.save(stream, "JPEG", quality=80, restart_marker_blocks=-(-width_px // mcu_px), **more)
    return stream.getvalue()


def taken_apart(image: bytes) -> tuple[bytes, list[bytes]]:
    """Return the headers of a one-scan JPEG and its restart intervals."""
    scan = image.index(SOS)
    start = scan + 2 + int.from_bytes(image[scan + 2 : scan + 4], "big")
    return image[:start], re.split(rb"\xff[\xd0-\xd7]", image[start : image.rindex(END)])


def with_width(headers: bytes, width_px: int) -> bytes:
    at = headers.index(b"\xff\xc0") + 7
    return headers[:at] + width_px.to_bytes(2, "big") + headers[at + 2 :]


def numbered(intervals: list[bytes], first: int = 0) -> bytes:
    """Join intervals by restart markers, of which the first one is number `first`."""
    image = intervals[0]
    for number, interval in enumerate(intervals[1:], first):
        image += b"\xff" + (0xD0 + number % 8).to_bytes(1, "big") + interval
    return image


def interlaced(front: bytes, back: bytes, fill: bytes = b"") -> bytes:
    """Put two sides together: rows in turn, front first, restart markers counted through, twice the width."""
    headers, fronts = taken_apart(front)
    _, backs = taken_apart(back)
    rows = [row + fill for pair in zip(fronts, backs, strict=True) for row in pair]
    width_px = int.from_bytes(headers[headers.index(b"\xff\xc0") + 7 :][:2], "big")
    return with_width(headers, 2 * width_px) + numbered(rows) + END


FRONT, BACK = alone(1), alone(2)
BOTH = interlaced(FRONT, BACK)
HEADERS, ROWS = taken_apart(BOTH)


def fed(chunks: Iterable[bytes]) -> tuple[Splitter, bytes, bytes]:
    splitter, front, back = Splitter(), b"", b""
    for chunk in chunks:
        of_front, of_back = splitter.feed(chunk)
        front, back = front + of_front, back + of_back
    return splitter, front, back


def split(*chunks: bytes) -> tuple[bytes, bytes]:
    splitter, front, back = fed(chunks)
    splitter.finish()
    return front, back


def stepped(data: bytes, step: int) -> list[bytes]:
    return [data[at : at + step] for at in range(0, len(data), step)]


def pixels(image: bytes) -> bytes:
    with Image.open(io.BytesIO(image)) as picture:
        return picture.tobytes()


@pytest.mark.parametrize("width_px", [72, 64, 33])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[1] or "gray")
def test_each_side_is_the_image_that_it_is_alone(kind: tuple[str, str, int], width_px: int) -> None:
    front, back = alone(1, kind, width_px), alone(2, kind, width_px)
    assert front.count(b"\xff\x00") > 5
    splitter, *found = fed([interlaced(front, back)])
    splitter.finish()
    assert found == [front, back]
    assert [pixels(side) for side in found] == [pixels(front), pixels(back)]
    assert splitter.width_px == width_px
    assert splitter.complete


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 4096])
def test_steps_of_any_size_give_the_same_sides(step: int) -> None:
    assert split(*stepped(BOTH, step)) == (FRONT, BACK)


def test_a_cut_at_any_place_gives_the_same_sides() -> None:
    for at in range(len(BOTH) + 1):
        assert split(BOTH[:at], BOTH[at:]) == (FRONT, BACK)


@given(cuts=st.lists(st.integers(0, len(BOTH))))
def test_cuts_at_any_places_give_the_same_sides(cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), len(BOTH)]
    assert split(*(BOTH[start:end] for start, end in pairwise(bounds))) == (FRONT, BACK)


def test_a_side_comes_while_the_image_is_still_coming() -> None:
    splitter, front, back = fed([HEADERS + numbered(ROWS[:5])])
    assert not splitter.complete
    assert FRONT.startswith(front)
    assert BACK.startswith(back)
    assert len(front) + len(back) > 2 * len(HEADERS) + sum(map(len, ROWS[:5]))


def test_the_width_is_known_once_the_frame_went_by() -> None:
    end_of_frame = HEADERS.index(b"\xff\xc0") + 2 + 17
    assert Splitter().width_px == 0
    assert fed([HEADERS[: end_of_frame - 1]])[0].width_px == 0
    assert fed([HEADERS[:end_of_frame]])[0].width_px == WIDTH_PX


@pytest.mark.parametrize("step", [1, 2, 5, 4096])
def test_junk_before_and_after_is_cut(step: int) -> None:
    assert split(*stepped(b"\xff\x00junk\xff" + BOTH + b"\x00\xff\xd8\xff", step)) == (FRONT, BACK)


@pytest.mark.parametrize("step", [1, 2, 5, 4096])
def test_fill_bytes_before_markers_change_no_pixel(step: int) -> None:
    image = interlaced(FRONT, BACK, fill=b"\xff\xff")
    for marker in (DRI, SOS):
        image = image.replace(marker, b"\xff\xff\xff" + marker)
    assert tuple(map(pixels, split(*stepped(image, step)))) == (pixels(FRONT), pixels(BACK))


@pytest.mark.parametrize("step", [1, 4096])
def test_markers_inside_a_segment_are_not_markers(step: int) -> None:
    comment = b"\xff\xfe\x00\x0a\xff\xd9\xff\xd8\xff\xd0\xff\xda"
    front, back = split(*stepped(BOTH[:2] + comment + BOTH[2:], step))
    assert (front, back) == tuple(side[:2] + comment + side[2:] for side in (FRONT, BACK))


def test_the_number_of_lines_after_the_scan_goes_to_both_sides() -> None:
    lines = b"\xff\xdc\x00\x04" + HEIGHT_PX.to_bytes(2, "big")
    assert split(BOTH[:-2] + lines + END) == (FRONT[:-2] + lines + END, BACK[:-2] + lines + END)


def test_an_image_cut_short_is_not_whole_wherever_it_breaks() -> None:
    for length in range(len(BOTH)):
        splitter, *_ = fed([BOTH[:length]])
        assert not splitter.complete
        with pytest.raises(PeerError):
            splitter.finish()


WRONG: dict[str, Callable[[], bytes]] = {
    "no JPEG": lambda: bytes(70_000),
    "no DRI": lambda: BOTH.replace(DRI, b"\xff\xfe\x00\x04"),
    "restarts switched off": lambda: BOTH.replace(DRI + b"\x00\x05", DRI + b"\x00\x00"),
    "intervals of whole rows": lambda: BOTH.replace(DRI + b"\x00\x05", DRI + b"\x00\x09"),
    "one side as it is alone": lambda: FRONT,
    "a row lost": lambda: HEADERS + numbered(ROWS[:6]) + numbered([b"", *ROWS[7:]], 6) + END,
    "a row of both sides lost": lambda: HEADERS + numbered(ROWS[:5]) + numbered([b"", *ROWS[7:]], 6) + END,
    "odd width": lambda: with_width(BOTH, 2 * WIDTH_PX + 1),
    "no width": lambda: with_width(BOTH, 0),
    "more than twice the width": lambda: with_width(BOTH, 4 * WIDTH_PX),
    "no frame": lambda: BOTH.replace(b"\xff\xc0", b"\xff\xfe"),
    "a frame cut short": lambda: BOTH.replace(b"\xff\xc0\x00\x11", b"\xff\xc0\x00\x08"),
    "no scan": lambda: BOTH[: BOTH.index(SOS)] + END,
    "a second scan": lambda: BOTH[:-2] + HEADERS[HEADERS.index(SOS) :] + ROWS[0] + END,
    "no segment": lambda: b"\xff\xd8\xff\xd8" + BOTH[2:],
    "a restart before the scan": lambda: b"\xff\xd8\xff\xd0" + BOTH[2:],
    "a length of one": lambda: b"\xff\xd8\xff\xfe\x00\x01" + BOTH[2:],
    "no marker": lambda: b"\xff\xd8\x00\x00" + BOTH[2:],
}


@pytest.mark.parametrize("step", [1, 1000, 100_000])
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_image_of_both_sides_is_refused_before_it_ends(wrong: str, step: int) -> None:
    image = WRONG[wrong]()
    assert image != BOTH
    with pytest.raises(PeerError):
        fed(stepped(image, step))


@pytest.mark.parametrize("rows", [1, 3, len(ROWS) - 1])
def test_sides_of_different_length_are_refused_at_the_end(rows: int) -> None:
    splitter, *_ = fed([HEADERS + numbered(ROWS[:rows]) + END])
    assert splitter.complete
    with pytest.raises(PeerError):
        splitter.finish()


def test_gray_blocks_are_counted_whatever_the_sampling_factor() -> None:
    front, back = (alone(seed, KINDS[0]).replace(b"\x01\x01\x11\x00", b"\x01\x01\x22\x00") for seed in (1, 2))
    assert b"\x01\x01\x22\x00" in front
    assert split(interlaced(front, back)) == (front, back)


def test_the_hand_made_defects_start_from_an_image_that_is_none() -> None:
    assert split(HEADERS + numbered(ROWS[:7]) + numbered([b"", *ROWS[7:]], 6) + END) == (FRONT, BACK)


@given(data=st.binary(max_size=300), step=st.integers(1, 50), start=st.sampled_from([b"", b"\xff\xd8\xff", HEADERS]))
def test_rubbish_raises_nothing_but_peer_errors(data: bytes, step: int, start: bytes) -> None:
    with suppress(PeerError):
        split(start, *stepped(data, step))


@given(at=st.integers(0, len(BOTH)), more=st.binary(max_size=8), gone=st.integers(0, 8), step=st.integers(1, 5000))
def test_a_damaged_image_raises_nothing_but_peer_errors(at: int, more: bytes, gone: int, step: int) -> None:
    with suppress(PeerError):
        split(*stepped(BOTH[:at] + more + BOTH[at + gone :], step))


@pytest.mark.parametrize(
    ("start", "block"),
    [
        (HEADERS, b"\x5a" * 65_536),
        (HEADERS, b"\xff\x00" * 32_768),
        (HEADERS, b"\xff" * 65_536),
        (b"\xff\xd8", b"\xff" * 65_536),
        (b"\xff\xd8", b"\xff\xfe\xff\xff" + bytes(65_533)),
        (BOTH, b"\x5a" * 65_536),
    ],
    ids=["entropy", "stuffing", "fill in the scan", "fill before a marker", "segments", "after the end"],
)
def test_no_more_than_a_segment_waits_inside_however_much_comes(start: bytes, block: bytes) -> None:
    splitter = Splitter()
    splitter.feed(start)
    tracemalloc.start()
    try:
        for _ in range(64):
            for piece in stepped(block, 50_000):
                splitter.feed(piece)
        waiting, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert waiting < 3 * 65_536  # one segment, the last two pieces and what a bytearray keeps in reserve
    assert peak < 1_000_000
