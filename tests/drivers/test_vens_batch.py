"""From a wish to the parameters of a batch: what the published clients send, and what is bounded."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import Unsupported
from drivers.port import Colour, Paper, Profile
from drivers.scsi.wire import WindowId
from drivers.vens import dialects
from drivers.vens.batch import Batch, capabilities, plan
from drivers.vens.dialects import Dialect
from drivers.vens.wire import DeviceInfo, Family
from tests.drivers.vectors import VENS, vector

APP = vector("d4-colour-duplex-200", folder=VENS)[64:]
INFO = DeviceInfo.decode(vector("device-info-ix500", folder=VENS))
FRONT, BACK = WindowId.FRONT, WindowId.BACK


def dialect(model: str = "iX500", interface: int = 4) -> Dialect:
    return dialects.of(replace(INFO, product=f"ScanSnap {model}", interface=interface))


IX500, IX100, IX1300 = dialect(), dialect("iX100", 0x10), dialect("iX1300", 0x10)
APP_PROFILE = Profile(resolution_dpi=200)


def changed(batch: Batch, published: bytes = APP) -> dict[int, tuple[int, int]]:
    """Return where the parameters differ from published ones: offset, theirs, ours."""
    assert len(batch.parameters) == len(published)
    pairs = enumerate(zip(published, batch.parameters, strict=True))
    return {at: (theirs, ours) for at, (theirs, ours) in pairs if theirs != ours}


def window(batch: Batch) -> tuple[int, int]:
    return int.from_bytes(batch.parameters[42:46], "big"), int.from_bytes(batch.parameters[46:50], "big")


def test_the_apps_batch_but_blank_pages_are_kept() -> None:
    assert changed(plan(IX500, APP_PROFILE)) == {8: (0xE0, 0x80)}


def test_without_double_feed_detection_the_batch_has_the_bytes_of_the_captured_one() -> None:
    captured = vector("d4-mono-bleed-through", folder=VENS)
    parameters = plan(IX500, replace(APP_PROFILE, double_feed=False)).parameters
    assert (parameters[4], parameters[6]) == (captured[4], captured[6]) == (0x80, 0xC0)


def test_simplex_is_one_side() -> None:
    batch = plan(IX500, replace(APP_PROFILE, duplex=False))
    assert changed(batch) == {1: (3, 1), 8: (0xE0, 0x80)}
    assert batch.sides == (FRONT,)


def test_duplex_is_front_before_back() -> None:
    assert plan(IX500, APP_PROFILE).sides == (FRONT, BACK)


def test_the_resolution_goes_out_twice() -> None:
    batch = plan(IX500, Profile(resolution_dpi=600))
    assert batch.parameters[34:38] == b"\x02\x58\x02\x58"
    assert batch.resolution_dpi == 600


@pytest.mark.parametrize("colour", Colour)
def test_pages_are_jpeg_and_gray_where_no_colour_is_wanted(colour: Colour) -> None:
    batch = plan(IX500, replace(APP_PROFILE, colour=colour))
    expected = 2 if colour in (Colour.GRAY, Colour.LINEART) else 5
    assert batch.parameters[38:40] == bytes((expected, 0x82))
    assert batch.colour is colour


@pytest.mark.parametrize("quality", range(1, 8))
def test_the_quality_stays_within_what_the_app_sends(quality: int) -> None:
    argument = plan(IX500, replace(APP_PROFILE, jpeg_quality=quality)).parameters[40]
    assert 0x09 <= argument <= 0x0D
    assert argument == {1: 0x09, 4: 0x0B, 7: 0x0D}.get(quality, argument)


@pytest.mark.parametrize(
    ("paper", "size"),
    [(Paper.AUTOMATIC, (10448, 17828)), (Paper.A4, (9936, 14032)), (Paper.A5, (6992, 9920))],
)
def test_papers_are_as_large_as_in_the_app(paper: Paper, size: tuple[int, int]) -> None:
    batch = plan(IX500, replace(APP_PROFILE, paper=paper))
    assert window(batch) == size
    assert batch.parameters[5] == (paper is Paper.AUTOMATIC), "edges are looked for where nobody named them"


def test_an_ix100_is_asked_with_its_own_constants() -> None:
    published = vector("d4-raw-ix100", folder=VENS)
    batch = plan(IX100, Profile(resolution_dpi=300, double_feed=False))
    assert batch.sides == (FRONT,)
    for offset in (0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 15, *range(32, 39), *range(42, 50)):
        assert batch.parameters[offset] == published[offset], hex(offset)


@pytest.mark.parametrize(("dpi", "length"), [(150, 42307), (300, 42307), (600, 17828)])
def test_an_ix100_takes_no_long_sheet_at_its_highest_resolution(dpi: int, length: int) -> None:
    assert window(plan(IX100, Profile(resolution_dpi=dpi))) == (10368, length)


def test_an_ix100_takes_one_sheet_at_a_time_and_looks_for_no_second() -> None:
    assert not capabilities(IX100).double_feed
    assert plan(IX100, Profile(double_feed=True)) == plan(IX100, Profile(double_feed=False))


def test_an_ix1300_has_its_own_word_for_duplex() -> None:
    assert plan(IX1300, APP_PROFILE).parameters[1] == 2
    assert plan(IX1300, APP_PROFILE).block_bytes == 0x300000


@pytest.mark.parametrize("dpi", [0, 75, 201, 1200])
def test_a_resolution_that_is_not_offered_is_unsupported(dpi: int) -> None:
    with pytest.raises(Unsupported):
        plan(IX500, Profile(resolution_dpi=dpi))


def test_capabilities_are_those_of_the_dialect() -> None:
    found = capabilities(IX500)
    assert (found.resolutions_dpi, found.duplex, found.has_button) == ((150, 200, 300, 600), True, True)
    assert (found.max_width_mm, found.max_height_mm) == (221.1, 377.4)
    assert not capabilities(IX100).duplex
    assert not capabilities(IX100).has_button


@pytest.mark.parametrize(
    ("model", "interface", "expected"),
    [
        ("iX500", 4, (0x180, 5, 1, True)),
        ("iX500", 6, (0x80, 30, 0, True)),
        ("iX500EE", 4, (0x180, 5, 1, True)),
        ("iX100", 0x10, (0x80, 30, 0, True)),
        ("iX110", 0x10, (0x80, 30, 0, True)),
        ("iX1300", 0x10, (0x80, 30, 1, True)),
        ("iX9999", 4, (0x180, 30, 1, False)),
    ],
)
def test_models_are_talked_to_as_documented(model: str, interface: int, expected: tuple[int, int, int, bool]) -> None:
    row = dialect(model, interface)
    assert (row.reserve_bytes, row.alive_s, row.host_type, row.proven) == expected
    assert row.source


@pytest.mark.parametrize("family", [Family.SSNR, Family.V2SS])
@pytest.mark.parametrize("model", ["iX500", "iX1600", "iX2500"])
def test_another_family_is_unproven_whatever_it_calls_itself(family: Family, model: str) -> None:
    assert not dialects.of(replace(INFO, family=family, product=f"ScanSnap {model}")).proven


def test_a_unit_that_tells_no_product_is_known_by_its_host_name() -> None:
    info = replace(INFO, product="", address=IPv4Address("192.0.2.1"))
    assert dialects.of(info) == IX500


PROFILES = st.builds(
    Profile,
    resolution_dpi=st.sampled_from((150, 200, 300, 600)),
    colour=st.sampled_from(Colour),
    duplex=st.booleans(),
    jpeg_quality=st.integers(1, 7),
    paper=st.sampled_from(Paper),
    overscan=st.booleans(),
    double_feed=st.booleans(),
    brightness=st.integers(-127, 127),
    contrast=st.integers(-127, 127),
)


@given(row=st.sampled_from((IX500, dialect("iX500", 6), IX100, IX1300)), profile=PROFILES)
def test_every_profile_is_one_window_that_the_unit_can_scan(row: Dialect, profile: Profile) -> None:
    batch = plan(row, profile)
    width, length = window(batch)
    assert len(batch.parameters) == 0x50
    assert batch.parameters[31] == 0x30
    assert 0 < width <= row.max_width_1200
    assert 0 < length <= row.max_length_1200
    pixels = (width * profile.resolution_dpi // 1200) * (length * profile.resolution_dpi // 1200)
    assert pixels < batch.max_side_bytes < 4 * pixels + 128 * 1024
