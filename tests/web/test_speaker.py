"""What is no HTTP, or what aiohttp refuses by itself, is a problem with the security headers like any other."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.web.guard import HEADERS
from tests.web.conftest import House

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def sent(house: House, octets: bytes) -> tuple[int, dict[str, str], Any]:
    """Send bytes as they are; return status, headers and JSON."""
    where = urlsplit(house.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(octets)
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *rows = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1]), headers, json.loads(body) if "json" in headers.get("content-type", "") else body


@pytest.mark.parametrize(
    "octets",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /api/v1/status HTTP/9.9\r\n\r\n",
        b"G\xffT / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /api/v1/status HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
        b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=lambda octets: repr(octets[:40]),
)
async def test_what_is_no_http_is_a_problem(shared: House, octets: bytes) -> None:
    status, headers, problem = await sent(shared, octets)
    assert (status, problem["type"], problem["status"]) == (400, "/problems/bad_request", 400)
    assert headers["content-type"] == "application/problem+json"
    assert {name: headers[name.lower()] for name in HEADERS} == HEADERS
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/api/v1/status", "/api/v1/nothing"])
async def test_an_expectation_that_nobody_meets_is_a_problem(shared: House, path: str) -> None:
    octets = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nExpect: wonders\r\nConnection: close\r\n\r\n".encode()
    status, headers, problem = await sent(shared, octets)
    assert (status, problem["type"]) == (417, "/problems/expectation_failed")
    assert {name: headers[name.lower()] for name in HEADERS} == HEADERS


@pytest.mark.parametrize("header", [b"ScanSnap-Device", b"User-Agent", b"ScanSnap-Cloud-Version", b"Cookie"])
async def test_bytes_in_a_header_of_a_sign_in_break_nothing(shared: House, header: bytes) -> None:
    body = b'{"email": "you@example.org", "password": "not this one, not this one"}'
    octets = b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    octets += header + b": did=\xff\xfe\xed\xa0\x80; a.b\r\nContent-Length: %d\r\n\r\n" % len(body)
    status, _, problem = await sent(shared, octets + body)
    # A request with a cookie and without Origin is one that a foreign page could have caused.
    assert (status, problem["type"]) in ((401, "/problems/sign_in_failed"), (403, "/problems/cross_site"))


async def test_the_type_of_a_problem_leads_to_its_meaning(shared: House) -> None:
    answer = await shared.raw("GET", "/units", token="")
    person = await shared.browser()
    page = await person.get(answer.json["type"])
    assert (page.status, page.title) == (200, "Unauthorized")
    assert "The request has no session" in page.text
    assert (await person.get("/problems/nothing")).status == 404
