"""One PDF of the scanner's own JPEGs: exact length, untouched pictures, the same bytes every time."""

import io
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gateway.documents.assemble import CHUNK_BYTES, Coding, DamagedPage, Document, PageSource, plan

CREATED = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


def jpeg(width: int, height: int, mode: str = "RGB", seed: int = 1) -> bytes:
    noise = Image.effect_noise((width, height), 40 + seed).convert(mode)
    out = io.BytesIO()
    noise.save(out, "JPEG", quality=70)
    return out.getvalue()


def page(
    data: bytes, width: int = 200, height: int = 300, dpi: int = 300, coding: Coding = Coding.JPEG_COLOUR
) -> PageSource:
    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(data), 1000):
            yield data[at : at + 1000]

    return PageSource(width, height, dpi, len(data), chunks, coding)


def planned(*pages: PageSource, title: str = "Scan", identity: str = "scan-1/1", at: datetime = CREATED) -> Document:
    return plan(pages, title=title, created_at=at, identity=identity)


def picture_of(page: pikepdf.Page) -> pikepdf.Stream:
    picture = page.obj["/Resources"]["/XObject"]["/Im0"]
    assert isinstance(picture, pikepdf.Stream)
    return picture


def told_by(*command: str | Path) -> tuple[int, str, str]:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout, result.stderr


async def collect(document: Document, into: bytearray) -> None:
    async for chunk in document.stream():
        into += chunk


async def written(document: Document) -> bytes:
    return b"".join([chunk async for chunk in document.stream()])


async def test_the_length_is_known_before_the_first_byte() -> None:
    document = planned(page(jpeg(200, 300)), page(jpeg(50, 60), 50, 60))
    assert len(await written(document)) == document.byte_count


async def test_the_pictures_inside_are_the_scanners_own_bytes() -> None:
    pictures = [jpeg(200, 300, seed=i) for i in range(5)]
    with pikepdf.open(io.BytesIO(await written(planned(*[page(p) for p in pictures])))) as pdf:
        assert [picture_of(p).read_raw_bytes() for p in pdf.pages] == pictures


async def test_a_page_has_the_size_of_the_paper() -> None:
    a4 = page(jpeg(50, 70), 2480, 3508, 300)
    with pikepdf.open(io.BytesIO(await written(planned(a4)))) as pdf:
        box = [float(v) for v in pdf.pages[0].mediabox]
    assert box == pytest.approx([0, 0, 595.2, 841.92])


@pytest.mark.parametrize(
    ("coding", "mode", "space"), [(Coding.JPEG_GRAY, "L", "/DeviceGray"), (Coding.JPEG_COLOUR, "RGB", "/DeviceRGB")]
)
async def test_gray_and_colour_are_named(coding: Coding, mode: str, space: str) -> None:
    source = page(jpeg(200, 300, mode), coding=coding)
    with pikepdf.open(io.BytesIO(await written(planned(source)))) as pdf:
        image = picture_of(pdf.pages[0])
        assert image.ColorSpace == space
        assert pikepdf.PdfImage(image).as_pil_image().size == (200, 300)


@pytest.mark.parametrize("title", ["Scan", "Büro (2) \\ Müller", "請求書", "a" * 500, ")>>endobj", "\ud800"])
async def test_a_title_of_any_text_is_kept(title: str) -> None:
    with pikepdf.open(io.BytesIO(await written(planned(page(jpeg(20, 30), 20, 30), title=title)))) as pdf:
        assert str(pdf.docinfo["/Title"]) == title.encode("utf-16-be", "replace").decode("utf-16-be")


async def test_the_same_scan_gives_the_same_bytes_and_another_one_another_id() -> None:
    source = page(jpeg(20, 30), 20, 30)
    first = await written(planned(source))
    assert first == await written(planned(source))
    assert first == await written(planned(source, at=CREATED.astimezone(timezone(timedelta(hours=9)))))
    assert first != await written(planned(source, identity="scan-1/2"))
    assert first != await written(planned(source, at=CREATED + timedelta(seconds=1)))


async def test_dates_are_the_scans_own() -> None:
    with pikepdf.open(io.BytesIO(await written(planned(page(jpeg(20, 30), 20, 30))))) as pdf:
        assert str(pdf.docinfo["/CreationDate"]) == str(pdf.docinfo["/ModDate"]) == "D:20240506070809Z"


@pytest.mark.parametrize("change", [1, -1, 1000])
async def test_a_page_of_another_length_is_found_before_the_document_is_complete(change: int) -> None:
    good, data = page(jpeg(20, 30), 20, 30), jpeg(200, 300)
    document = planned(good, replace(page(data), byte_count=len(data) - change), good)
    got = bytearray()
    with pytest.raises(DamagedPage, match="page 2"):
        await collect(document, got)
    assert b"%%EOF" not in got
    assert len(got) < document.byte_count


async def test_chunks_are_of_a_bounded_size_whatever_the_pages_give() -> None:
    data = bytes(1_000_000)

    async def at_once() -> AsyncIterator[bytes]:
        yield data

    document = planned(PageSource(10, 10, 300, len(data), at_once))
    sizes = [len(chunk) async for chunk in document.stream()]
    assert set(sizes[:-1]) == {CHUNK_BYTES}
    assert 0 < sizes[-1] <= CHUNK_BYTES
    assert sum(sizes) == document.byte_count


async def test_a_document_streams_again_from_the_start() -> None:
    document = planned(page(jpeg(20, 30), 20, 30))
    assert await written(document) == await written(document)


async def test_planning_opens_no_page() -> None:
    def never() -> AsyncIterator[bytes]:
        raise AssertionError("opened")

    assert planned(PageSource(10, 10, 300, 5, never)).byte_count > 5


@pytest.mark.parametrize(
    "bad",
    [
        {"width_px": 0},
        {"height_px": -1},
        {"resolution_dpi": 0},
        {"byte_count": 0},
        {"byte_count": 10**10},
    ],
)
def test_impossible_pages_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"page|document"):
        planned(replace(page(jpeg(20, 30)), **bad))  # type: ignore[arg-type]


def test_an_empty_document_and_a_naive_date_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one page"):
        planned()
    with pytest.raises(ValueError, match="aware"):
        planned(page(jpeg(20, 30)), at=CREATED.replace(tzinfo=None))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 20000), st.integers(1, 20000), st.sampled_from([150, 200, 300, 600])),
        min_size=1,
        max_size=12,
    ),
    st.text(max_size=40),
)
async def test_any_plan_opens_without_a_repair(shapes: list[tuple[int, int, int]], title: str) -> None:
    data = jpeg(8, 8)
    document = planned(*[page(data, w, h, dpi) for w, h, dpi in shapes], title=title)
    raw = await written(document)
    assert len(raw) == document.byte_count
    with pikepdf.open(io.BytesIO(raw)) as pdf:
        assert len(pdf.pages) == len(shapes)
        assert pdf.check_pdf_syntax() == []


@pytest.mark.conformance
@pytest.mark.skipif(shutil.which("qpdf") is None, reason="needs qpdf")
async def test_qpdf_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    path = tmp_path / "scan.pdf"
    path.write_bytes(await written(planned(*[page(jpeg(200, 300, seed=i)) for i in range(20)], title="Büro")))
    code, said, complained = told_by("qpdf", "--check", path)
    assert (code, complained) == (0, "")
    assert "No syntax or stream encoding errors found" in said


@pytest.mark.conformance
@pytest.mark.skipif(shutil.which("pdfimages") is None, reason="needs pdfimages (poppler-utils)")
async def test_pdfimages_extracts_the_very_files(tmp_path: Path) -> None:
    pictures = [jpeg(200, 300, seed=i) for i in range(3)]
    path = tmp_path / "scan.pdf"
    path.write_bytes(await written(planned(*[page(p) for p in pictures])))
    assert told_by("pdfimages", "-all", path, tmp_path / "out") == (0, "", "")
    assert [(tmp_path / f"out-{i:03}.jpg").read_bytes() for i in range(3)] == pictures
