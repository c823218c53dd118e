"""What came as a request and is none: refused with a status of its own, never an internal error."""

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.web.conftest import House

pytestmark = pytest.mark.asyncio(loop_scope="module")
JSON = {"Content-Type": "application/json"}


async def wire(house: House, head: bytes, body: bytes = b"") -> int:
    """Send bytes as they are; return the status."""
    where = urlsplit(house.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(head.replace(b"\n", b"\r\n") + b"\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" + body)
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])


async def test_a_bearer_that_is_not_ascii_is_nobody(shared: House) -> None:
    assert await wire(shared, b"GET /api/v1/units HTTP/1.1\nAuthorization: Bearer \xff\xfe") == 401


async def test_a_cookie_that_is_not_ascii_is_nobody(shared: House) -> None:
    assert await wire(shared, b"GET / HTTP/1.1\nCookie: sid=\xff\xfe") == 303


async def test_a_form_that_is_not_utf8_is_refused(shared: House) -> None:
    head = b"POST /sign-in HTTP/1.1\nOrigin: http://127.0.0.1\nContent-Type: application/x-www-form-urlencoded"
    assert await wire(shared, head + b"\nContent-Length: 7", b"email=\xff") in (400, 401, 422)


async def test_a_broken_content_encoding_is_refused(shared: House) -> None:
    head = b"POST /api/v1/session HTTP/1.1\nContent-Type: application/json\nContent-Encoding: gzip\nContent-Length: 5"
    assert await wire(shared, head, b"xxxxx") in (400, 415)


@pytest.mark.parametrize("path", ["/session/code", "/two-factor/confirm", "/two-factor/disable"])
async def test_deep_nesting_is_refused(shared: House, path: str) -> None:
    deep = '{"code":' + "[" * 20_000 + "]" * 20_000 + "}"
    assert (await shared.raw("POST", path, data=deep, headers=JSON)).status in (400, 422)


@pytest.mark.parametrize("before", ["0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59"])
async def test_a_time_at_the_end_of_the_calendar_is_refused(shared: House, before: str) -> None:
    assert (await shared.raw("GET", f"/scans?before={before}")).status in (200, 422)


@pytest.mark.parametrize(
    "url",
    [
        *("http://[", "https://[::1", "https://127.0.0.1:99999/", "https://x:y/", "https://127.0.0.1:-1/"),
        *("http://\u2100/", "https://xn--/", "https://a..b/", "https://.../", "https://127.0.0.1\\@x/"),
        "https://" + "a" * 300 + "/",
    ],
)
async def test_an_address_that_is_none_is_refused(shared: House, url: str) -> None:
    config = {"url": url, "username": "me"}
    body = {"kind": "webdav", "label": "x", "config": config, "secrets": {"password": "x"}}
    assert (await shared.raw("POST", "/destinations", body)).status == 422
