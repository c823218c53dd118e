"""The eSCL simulator over HTTP: jobs from feeder and glass, its makers' quirks, and paper in trouble."""

import asyncio
import hashlib
import io
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from defusedxml.ElementTree import fromstring
from PIL import Image, ImageChops

from simulator.escl.quirks import Location, Quirks
from simulator.escl.server import EsclServer
from simulator.escl.wire import PWG, SCAN
from simulator.faults import Fault, FaultKind
from simulator.fleet import Escl, UnitSpec
from simulator.scanner import VirtualScanner
from simulator.sheets import Side, expected_pixels

SETTINGS = f"""<scan:ScanSettings xmlns:pwg="{PWG}" xmlns:scan="{SCAN}"><pwg:Version>2.63</pwg:Version>
<pwg:InputSource>%(source)s</pwg:InputSource><scan:ColorMode>%(colour)s</scan:ColorMode>
<scan:XResolution>%(dpi)s</scan:XResolution><scan:YResolution>%(dpi)s</scan:YResolution>
<scan:Duplex>%(duplex)s</scan:Duplex></scan:ScanSettings>"""


class Client:
    """A plain eSCL client on one unit."""

    def __init__(self, server: EsclServer, http: aiohttp.ClientSession) -> None:
        self.server = server
        self.unit = server.scanner
        self.http = http

    async def post(self, body: str | bytes | None = None, kind: str = "text/xml", **words: Any) -> tuple[int, str]:
        values = {"source": "Feeder", "colour": "RGB24", "dpi": 75, "duplex": "false", **words}
        body = SETTINGS % values if body is None else body
        where = f"{self.server.url}/ScanJobs"
        async with self.http.post(where, data=body, headers={"Content-Type": kind}) as answer:
            return answer.status, answer.headers.get("Location", "")

    async def job(self, **words: Any) -> str:
        status, location = await self.post(**words)
        assert status == 201
        return f"{self.server.url}/ScanJobs/{location.rpartition('/')[2]}"

    async def get(self, where: str) -> tuple[int, bytes, Any]:
        async with self.http.get(where) as answer:
            return answer.status, await answer.read(), answer.headers

    async def page(self, job: str) -> tuple[int, bytes]:
        return (await self.get(f"{job}/NextDocument"))[:2]

    async def batch(self, job: str) -> tuple[list[bytes], int]:
        """Fetch pages until there is none; the status that ended it."""
        pages = []
        while True:
            status, body = await self.page(job)
            if status != 200:
                return pages, status
            pages.append(body)

    async def state(self) -> dict[str, str]:
        """Return the leaves of a status by local name; of several jobs the last is the oldest."""
        status, body, headers = await self.get(f"{self.server.url}/ScannerStatus")
        assert status == 200
        assert headers["Content-Type"].startswith("text/xml")
        leaves: dict[str, str] = {}
        for element in fromstring(body, forbid_dtd=True).iter():
            leaves.setdefault(element.tag.rpartition("}")[2], element.text or "")
        return leaves

    async def delete(self, job: str) -> int:
        async with self.http.delete(job) as answer:
            return answer.status


Serve = Callable[..., Awaitable[Client]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Return a maker of clients: `await serve(Quirks(end=409), sheets=2)`."""
    async with AsyncExitStack() as stack:

        async def make(
            quirks: Quirks | None = None, *, escl: Escl | None = None, now_s: Any = None, **options: Any
        ) -> Client:
            spec = UnitSpec("unit", "iX500", 7, usb=False, escl=escl or Escl(platen=True), **{"feed_s": 0.0, **options})
            assert spec.escl is not None
            server = EsclServer(VirtualScanner(spec), spec.escl, quirks, now_s=now_s)
            stack.push_async_callback(server.close)
            await server.start()
            http = await stack.enter_async_context(aiohttp.ClientSession())
            return Client(server, http)

        yield make


def assert_shows(body: bytes, shown: Any) -> None:
    """The JPEG is the side that the unit says it sent, as far as JPEG keeps it."""
    image = Image.open(io.BytesIO(body))
    assert image.info["dpi"] == (shown.dpi, shown.dpi)
    size = shown.view.width_px, shown.view.height_px
    assert image.size == size
    pixels = expected_pixels(shown.sheet, shown.side, shown.mode, shown.dpi, shown.view)
    difference = ImageChops.difference(image, Image.frombytes(image.mode, size, pixels)).convert("L")
    off = difference.histogram()
    assert sum(level * count for level, count in enumerate(off)) / sum(off) < 4


async def test_a_duplex_batch_gives_front_and_back_of_each_sheet_and_then_404(serve: Serve) -> None:
    client = await serve(sheets=2)
    job = await client.job(duplex="true")
    pages, end = await client.batch(job)
    assert end == 404
    assert [(d.sheet.number, d.side) for d in client.unit.delivered] == [
        (n, side) for n in (1, 2) for side in (Side.FRONT, Side.BACK)
    ]
    for body, shown in zip(pages, client.unit.delivered, strict=True):
        assert hashlib.sha256(body).hexdigest() == shown.sha256
        assert len(body) == shown.byte_count
        assert_shows(body, shown)
    assert client.unit.errors == []


@pytest.mark.parametrize("colour", ["RGB24", "Grayscale8"])
async def test_the_glass_gives_one_page(serve: Serve, colour: str) -> None:
    client = await serve(sheets=3)
    sheet = client.unit.put_on_glass("a5")
    pages, end = await client.batch(await client.job(source="Platen", colour=colour))
    assert (len(pages), end, client.unit.sheets) == (1, 404, 3)
    assert client.unit.delivered[0].sheet == sheet
    assert_shows(pages[0], client.unit.delivered[0])


async def test_an_empty_glass_is_a_white_page_that_nobody_records(serve: Serve) -> None:
    client = await serve()
    client.unit.put_on_glass()
    client.unit.take_off_glass()
    pages, _ = await client.batch(await client.job(source="Platen"))
    assert Image.open(io.BytesIO(pages[0])).convert("L").getextrema() == (255, 255)
    assert client.unit.delivered == []


async def test_a_region_is_clipped_to_what_there_is(serve: Serve) -> None:
    client = await serve()
    region = "<pwg:ScanRegions><pwg:ScanRegion><pwg:XOffset>300</pwg:XOffset><pwg:Width>99999</pwg:Width>"
    region += "<pwg:Height>600</pwg:Height></pwg:ScanRegion></pwg:ScanRegions>"
    words = {"source": "Platen", "colour": "RGB24", "dpi": 150, "duplex": "false"}
    client.unit.put_on_glass()
    body = (SETTINGS % words).replace("<pwg:InputSource>", f"{region}<pwg:InputSource>")
    status, location = await client.post(body)
    assert status == 201
    pages, _ = await client.batch(f"{client.server.url}/ScanJobs/{location.rpartition('/')[2]}")
    assert Image.open(io.BytesIO(pages[0])).size == ((2550 - 300) // 2, 300)
    assert_shows(pages[0], client.unit.delivered[0])


async def test_a_page_that_is_not_there_yet_is_503(serve: Serve) -> None:
    client = await serve(Quirks(retry_after_s=0), sheets=1, busy_polls=2)
    job = await client.job()
    statuses = [await client.get(f"{job}/NextDocument") for _ in range(4)]
    assert [status for status, _, _ in statuses] == [503, 503, 200, 404]
    assert statuses[0][2]["Retry-After"] == "0"
    assert client.unit.errors == []


async def test_feeding_takes_its_time(serve: Serve) -> None:
    now_s = [0.0]
    client = await serve(sheets=1, feed_s=2.0, now_s=lambda: now_s[0])
    job = await client.job()
    assert (await client.page(job))[0] == 503
    assert (await client.state())["AdfState"] == "ScannerAdfProcessing"
    now_s[0] = 2.0
    assert (await client.page(job))[0] == 200


async def test_a_blocking_unit_answers_when_the_page_is_there(serve: Serve) -> None:
    client = await serve(Quirks(blocking=True, chunked=True), sheets=1, feed_s=0.05, busy_polls=3)
    pages, end = await client.batch(await client.job(duplex="true"))
    assert (len(pages), end) == (2, 404)


async def test_asking_before_retry_after_is_over_is_remembered(serve: Serve) -> None:
    client = await serve(Quirks(retry_after_s=5), sheets=1, busy_polls=1, now_s=lambda: 1.0)
    job = await client.job()
    await client.page(job)
    await client.page(job)
    assert client.unit.errors == ["asked again before the time that Retry-After named"]


@pytest.mark.parametrize("end", [404, 409, 410])
@pytest.mark.parametrize("chunked", [False, True])
async def test_the_end_of_a_batch_is_said_as_the_maker_likes(serve: Serve, end: int, chunked: bool) -> None:
    client = await serve(Quirks(end=end, chunked=chunked), sheets=1)
    pages, status = await client.batch(await client.job())
    assert (len(pages), status) == (1, end)
    assert (await client.state())["JobState"] == "Completed"


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        (Location.ABSOLUTE, "http://127.0.0.1:"),
        (Location.RELATIVE, "/scan/er/ScanJobs/"),
        (Location.FOREIGN, "http://192.0.2.7:8080/scan/er/ScanJobs/"),
        (Location.BARE_IPV6, "http://fe80::"),
    ],
)
async def test_a_location_is_what_the_maker_thinks_it_is(serve: Serve, kind: Location, start: str) -> None:
    client = await serve(Quirks(location=kind, root="scan/er"), sheets=1)
    status, location = await client.post()
    assert status == 201
    assert location.startswith(start)
    assert len((await client.batch(f"{client.server.url}/ScanJobs/{location.rpartition('/')[2]}"))[0]) == 1


@pytest.mark.parametrize("full", [503, 409])
async def test_one_job_at_a_time(serve: Serve, full: int) -> None:
    client = await serve(Quirks(full=full), sheets=2)
    job = await client.job()
    assert (await client.post())[0] == full
    assert (await client.state())["State"] == "Processing"
    assert await client.delete(job) == 200
    assert (await client.state())["State"] == "Idle"
    assert (await client.post())[0] == 201
    assert client.unit.errors == []


@pytest.mark.parametrize(("said", "status"), [(0, 201), (409, 409), (503, 503)])
async def test_a_job_for_an_empty_feeder(serve: Serve, said: int, status: int) -> None:
    client = await serve(Quirks(empty_at_post=said))
    assert (await client.post())[0] == status
    assert (await client.state())["AdfState"] == "ScannerAdfEmpty"


async def test_a_job_that_is_deleted_gives_its_sheet_up(serve: Serve) -> None:
    client = await serve(sheets=3)
    job = await client.job(duplex="true")
    assert (await client.page(job))[0] == 200
    assert client.unit.in_path is not None
    assert await client.delete(job) == 200
    assert (client.unit.in_path, client.unit.sheets) == (None, 2)
    assert (await client.state())["JobState"] == "Canceled"
    assert (await client.page(job))[0] == 404
    assert client.unit.errors == []


async def test_a_job_that_nobody_asks_for_expires(serve: Serve) -> None:
    now_s = [0.0]
    client = await serve(Quirks(job_life_s=60.0), sheets=1, now_s=lambda: now_s[0])
    await client.job()
    now_s[0] = 61.0
    assert (await client.state())["JobState"] == "Aborted"
    assert len(client.unit.errors) == 1
    await client.job()


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (FaultKind.JAM, "ScannerAdfJam"),
        (FaultKind.DOUBLE_FEED, "ScannerAdfMultipickDetected"),
        (FaultKind.COVER, "ScannerAdfHatchOpen"),
    ],
)
@pytest.mark.parametrize("side", [None, Side.BACK])
async def test_paper_trouble_is_409_and_the_status_says_which(
    serve: Serve, kind: FaultKind, state: str, side: Side | None
) -> None:
    client = await serve(sheets=3)
    client.unit.inject(Fault(kind, at_sheet=2, side=side))
    job = await client.job(duplex="true")
    pages, end = await client.batch(job)
    assert (len(pages), end) == (3 if side else 2, 409)
    assert len(client.unit.delivered) == len(pages)
    said = await client.state()
    assert (said["AdfState"], said["JobState"]) == (state, "Aborted")
    client.unit.open_cover()
    client.unit.close_cover()
    assert len((await client.batch(await client.job()))[0]) == 2
    assert client.unit.errors == []


async def test_a_connection_that_breaks_in_mid_page_loses_no_page(serve: Serve) -> None:
    client = await serve(sheets=1)
    client.unit.inject(Fault(FaultKind.STALL))
    job = await client.job(dpi=200)
    with pytest.raises(aiohttp.ClientError):
        await client.page(job)
    assert client.unit.delivered == []
    pages, end = await client.batch(job)
    assert (len(pages), end) == (1, 404)
    assert client.unit.errors == []


async def test_without_power_nobody_answers_and_jobs_are_lost(serve: Serve) -> None:
    client = await serve(sheets=2)
    client.unit.inject(Fault(FaultKind.UNPLUG_MID_PAGE))
    job = await client.job(dpi=200)
    with pytest.raises(aiohttp.ClientError):
        await client.page(job)
    with pytest.raises(aiohttp.ClientError):
        await client.state()
    client.unit.power_on()
    assert (await client.page(job))[0] == 404
    assert (await client.state())["State"] == "Idle"


async def test_a_unit_without_wifi_keeps_its_job(serve: Serve) -> None:
    client = await serve(sheets=1)
    client.unit.inject(Fault(FaultKind.WIFI_DROP))
    job = await client.job(dpi=200)
    with pytest.raises(aiohttp.ClientError):
        await client.page(job)
    with pytest.raises(aiohttp.ClientError):
        await client.state()
    client.unit.restore_wifi()
    assert len((await client.batch(job))[0]) == 1


async def test_a_unit_that_moves_is_at_its_new_address_alone(serve: Serve) -> None:
    client = await serve(sheets=1)
    old = client.server.url
    await client.server.move("127.0.0.9")
    assert client.server.url == old.replace("127.0.0.1", "127.0.0.9")
    assert (await client.state())["State"] == "Idle"
    with pytest.raises(aiohttp.ClientError):
        await client.get(f"{old}/ScannerStatus")


async def test_a_cut_image_is_half_of_one(serve: Serve) -> None:
    client = await serve(sheets=1)
    client.unit.inject(Fault(FaultKind.TRUNCATED_JPEG))
    (page,), _ = await client.batch(await client.job())
    assert not page.endswith(b"\xff\xd9")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"<a", "text/xml", 400),
        (b"", "application/json", 415),
        (b"x" * 100_000, "text/xml", 413),
        ((SETTINGS % {"source": "Camera", "colour": "RGB24", "dpi": 75, "duplex": 0}).encode(), "text/xml", 409),
        ((SETTINGS % {"source": "Feeder", "colour": "Mauve", "dpi": 75, "duplex": 0}).encode(), "text/xml", 409),
        ((SETTINGS % {"source": "Feeder", "colour": "RGB24", "dpi": 76, "duplex": 0}).encode(), "text/xml", 409),
        ((SETTINGS % {"source": "Platen", "colour": "RGB24", "dpi": 75, "duplex": 1}).encode(), "text/xml", 409),
    ],
    ids=["xml", "type", "size", "source", "colour", "resolution", "sides"],
)
async def test_what_a_client_does_wrong_is_refused_and_remembered(
    serve: Serve, body: bytes, kind: str, status: int
) -> None:
    client = await serve(sheets=1)
    assert (await client.post(body, kind))[0] == status
    assert len(client.unit.errors) == 1
    assert (await client.state())["State"] == "Idle"


async def test_a_unit_has_only_the_inputs_of_its_spec(serve: Serve) -> None:
    client = await serve(escl=Escl(adf=False, platen=True, make_and_model="Glass", serial="G1"))
    _, body, _ = await client.get(f"{client.server.url}/ScannerCapabilities")
    assert b"<pwg:MakeAndModel>Glass<" in body
    assert b"Adf" not in body
    assert "AdfState" not in await client.state()
    assert (await client.post())[0] == 409


async def test_tls_has_a_key_of_its_own_that_can_change(serve: Serve) -> None:
    client = await serve(escl=Escl(tls=True))
    assert client.server.url.startswith("https://127.0.0.1:")
    async with client.http.get(f"{client.server.url}/ScannerStatus", ssl=False) as answer:
        assert answer.status == 200
    seen = []
    for _ in range(2):
        seen.append(await asyncio.to_thread(ssl.get_server_certificate, client.server.address))
        await client.server.renew_certificate()
    assert seen[0] != seen[1]


async def test_image_info_is_that_of_the_page_at_hand(serve: Serve) -> None:
    client = await serve(sheets=1)
    job = await client.job()
    assert (await client.get(f"{job}/ScanImageInfo"))[0] == 404
    _, page = await client.page(job)
    status, body, _ = await client.get(f"{job}/ScanImageInfo")
    root = fromstring(body, forbid_dtd=True)
    found = [root.findtext(f"{{{SCAN}}}Actual{name}") for name in ("Width", "Height", "BytesPerLine")]
    width, height = Image.open(io.BytesIO(page)).size
    assert (status, found) == (200, [str(width), str(height), str(3 * width)])


async def test_a_full_length_unit_goes_on_beyond_the_paper(serve: Serve) -> None:
    short, long = [await serve(quirks, sheets=1, paper="card") for quirks in (Quirks(), Quirks(full_length=True))]
    heights = []
    for client in (short, long):
        (page,), _ = await client.batch(await client.job())
        heights.append(Image.open(io.BytesIO(page)).height)
    assert heights == [252, 10356 // 4]
    assert replace(short.unit.delivered[0].view, height_px=0) == replace(long.unit.delivered[0].view, height_px=0)
