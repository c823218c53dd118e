"""eSCL's XML: what makers send is read, what is none ends inside the error tree, and names lead nowhere else."""

import tomllib
from contextlib import suppress

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import DriverError, PeerError
from drivers.escl.browse import _path
from drivers.escl.wire import PWG, SCAN, About, Job, Source, State, job_path
from tests.drivers.vectors import VECTORS

ESCL = VECTORS / "escl"
LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY l2 "&lol;&lol;&lol;&lol;&lol;">]>
<s:ScannerStatus xmlns:s="http://schemas.hp.com/imaging/escl/2011/05/03">&l2;</s:ScannerStatus>"""
STATUS = f'<s:ScannerStatus xmlns:s="{SCAN}" xmlns:p="{PWG}">%s</s:ScannerStatus>'


def read(name: str) -> bytes:
    return (ESCL / f"{name}.xml").read_bytes()


def test_every_vector_says_where_it_comes_from() -> None:
    sources = tomllib.loads((ESCL / "SOURCES.toml").read_text())
    assert set(sources) == {file.stem for file in ESCL.glob("*.xml")}


def test_capabilities_with_other_prefixes() -> None:
    about = About.decode(read("capabilities-adf"))
    assert (about.make_and_model, about.serial) == ("ScanSnap iX500", "AK7CC00700")
    assert about.uuid == about.identity == "4509a320-00a0-008f-00b6-002507510eca"
    assert about.duplex
    feeder, platen = about.feeder, about.platen
    assert feeder is not None
    assert platen is not None
    assert (feeder.max_width, feeder.max_height, feeder.resolutions_dpi) == (2550, 10193, (150, 300))
    assert feeder.colours == {"RGB24", "Grayscale8"}
    assert (platen.dpi_range, platen.offers(100), platen.offers(99)) == ((100, 600), True, False)


def test_a_source_that_gives_no_jpeg_is_none() -> None:
    xml = read("capabilities-adf").replace(b"image/jpeg", b"image/png")
    about = About.decode(xml)
    assert (about.feeder, about.platen, about.duplex) == (None, None, False)


def test_status() -> None:
    text = STATUS % "<p:State>Processing</p:State><s:AdfState>ScannerAdfJam</s:AdfState>"
    assert State.decode(text.encode()) == State(idle=False, adf="ScannerAdfJam")
    assert State.decode((STATUS % "").encode()) == State(idle=False, adf="")


def test_a_job_says_what_sane_airscan_says() -> None:
    job = Job(Source.FEEDER, 2550, 4200, "RGB24", 100, duplex=True)

    def flat(xml: bytes) -> list[tuple[str, str]]:
        return [(element.tag, (element.text or "").strip()) for element in fromstring(xml).iter()]

    assert flat(job.encode()) == flat(read("scan-settings-airscan"))
    assert b"Duplex" not in Job(Source.PLATEN, 1, 1, "RGB24", 100, duplex=False).encode()


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/eSCL/ScanJobs/1", "/eSCL/ScanJobs/1"),
        ("http://10.0.0.9:80/eSCL/ScanJobs/a-b/", "/eSCL/ScanJobs/a-b"),
        ("ScanJobs/7", "/eSCL/ScanJobs/7"),
        ("https://[fe80::1]/eSCL/ScanJobs/1", "/eSCL/ScanJobs/1"),
    ],
)
def test_where_a_job_is(location: str, path: str) -> None:
    assert job_path(location, "/eSCL") == path


@pytest.mark.parametrize(
    "location",
    [
        "",
        "/",
        "/eSCL/ScanJobs",
        "/admin/reset",
        "http://evil/steal",
        "/eSCL/../admin",
        "/eSCL/%2e%2e/admin",
        "/eSCLx/1",
        "http://[bad",
        "/eSCL/" + "x" * 600,
    ],
)
def test_a_job_elsewhere_is_refused(location: str) -> None:
    with pytest.raises(PeerError):
        job_path(location, "/eSCL")


@pytest.mark.parametrize("data", [LAUGHS, b"", b"<", b"<a/>", b"\xff" * 100, STATUS.encode() + b"x" * (1 << 21)])
def test_entities_and_other_documents_are_refused(data: bytes) -> None:
    for decode in (State.decode, About.decode):
        with pytest.raises(PeerError):
            decode(data)


@given(
    data=st.one_of(
        st.binary(max_size=300), st.text(max_size=200).map(lambda t: (STATUS % t).encode("utf-8", "replace"))
    )
)
def test_any_bytes_end_inside_the_error_tree(data: bytes) -> None:
    for decode in (State.decode, About.decode):
        with suppress(DriverError):
            decode(data)  # type: ignore[operator]


@given(st.lists(st.tuples(st.integers(0, 3500), st.integers(0, 255)), max_size=20))
def test_damaged_capabilities_are_read_or_refused(flips: list[tuple[int, int]]) -> None:
    data = bytearray(read("capabilities-adf"))
    for at, value in flips:
        data[at % len(data)] = value
    with suppress(PeerError):
        about = About.decode(bytes(data))
        assert len(about.make_and_model) <= 120
        assert about.make_and_model.isprintable()


@pytest.mark.parametrize(
    ("text", "path"),
    [(b"eSCL", "eSCL"), (b"/eSCL/", "eSCL"), (b"a/b", "a/b"), (None, "eSCL"), (b"\xc3\xa9", "%C3%A9")],
)
def test_resource_paths(text: bytes | None, path: str) -> None:
    assert _path({b"RS": text}) == path


@pytest.mark.parametrize("text", [b"http://evil/", b"../admin", b"a/%2e%2e/b", b"a\\b", b"x" * 101, b"a\nb"])
def test_resource_paths_to_keep_off(text: bytes) -> None:
    assert _path({b"rs": text}) is None
