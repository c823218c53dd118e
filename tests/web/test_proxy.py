"""Behind a proxy: a Unix socket or trusted addresses. Who says what about the client, and whom we believe."""

import asyncio
import json
import socket as sockets
import stat
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.settings import Web
from tests.web.doors import EMAIL, PASSWORD, Door, client, door

FROM_AFAR = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
TRUSTED = Web(port=0, proxies=("127.0.0.0/8",))


def at_socket(folder: Path) -> Web:
    return Web(socket=str(folder / "web.sock"))


async def ask(http: aiohttp.ClientSession, method: str, url: str, headers: dict[str, str], body: Any = None) -> Any:
    """Send one request; return status, headers, and the problem's reason or the text."""
    async with http.request(method, url, json=body, headers=headers, allow_redirects=False) as answer:
        text = await answer.text()
        reason = json.loads(text).get("type", "") if "json" in answer.content_type and text else ""
        return answer.status, answer.headers, reason.rpartition("/")[2]


async def signed_in_from(here: Door, http: aiohttp.ClientSession, base: str, headers: dict[str, str]) -> str:
    """Make the account with these headers; return the address that the audit tells."""
    status, _, reason = await ask(http, "POST", f"{base}/api/v1/setup", headers, here.setup())
    assert status == 201, reason
    account = await here.daemon.services.store.accounts.by_email(EMAIL)
    rows = await here.daemon.services.store.audit.of_account(account.id, 1)
    return str(rows[0].entry.peer)


async def test_at_the_socket_the_proxys_word_is_the_clients_address_and_scheme(tmp_path: Path) -> None:
    web = at_socket(tmp_path)
    async with door(tmp_path, web) as here, client(socket=web.socket) as http:
        assert here.url == f"unix:{web.socket}"
        assert stat.S_IMODE(Path(web.socket).stat().st_mode) == 0o660
        assert await signed_in_from(here, http, "http://localhost", FROM_AFAR) == "203.0.113.7"
        form = {"email": EMAIL, "password": PASSWORD}
        headers = FROM_AFAR | {"Origin": "https://localhost"}
        async with http.post("http://localhost/sign-in", data=form, headers=headers, allow_redirects=False) as answer:
            assert answer.status == 303
            kept = answer.headers.getall("Set-Cookie")
        assert any(cookie.startswith("__Host-sid=") and "Secure" in cookie for cookie in kept)
    assert not Path(web.socket).exists()


async def test_a_proxy_that_does_not_say_how_it_was_reached_is_told_so(tmp_path: Path) -> None:
    web = at_socket(tmp_path)
    async with door(tmp_path, web), client(socket=web.socket) as http:
        for headers in ({}, {"X-Forwarded-For": "203.0.113.7"}, {"Forwarded": "for=203.0.113.7"}):
            assert (await ask(http, "GET", "http://localhost/api/v1/session", headers))[::2] == (400, "proxy_unclear")


async def test_plain_http_before_the_proxy_is_refused_and_led_to_the_proxys_https(tmp_path: Path) -> None:
    web = at_socket(tmp_path)
    plain = FROM_AFAR | {"X-Forwarded-Proto": "http"}
    async with door(tmp_path, web), client(socket=web.socket) as http:
        assert (await ask(http, "GET", "http://localhost/api/v1/session", plain))[::2] == (403, "plain_http")
        status, headers, _ = await ask(http, "GET", "http://localhost/sign-in", plain)
        assert (status, headers["Location"]) == (308, "https://localhost/sign-in")
        assert "Set-Cookie" not in headers


async def test_a_socket_that_a_killed_daemon_left_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    web = at_socket(tmp_path)
    with sockets.socket(sockets.AF_UNIX) as left:
        left.bind(web.socket)
    async with door(tmp_path, web), client(socket=web.socket) as http:
        assert (await ask(http, "GET", "http://localhost/setup", FROM_AFAR))[0] == 200
    Path(web.socket).write_text("mine")
    with pytest.raises(OSError, match=r"cannot listen at .*web\.sock"):
        async with door(tmp_path, web):
            pass
    assert Path(web.socket).read_text() == "mine"


# --- whom we believe


async def test_nobody_but_a_trusted_proxy_speaks_for_another(tmp_path: Path) -> None:
    async with door(tmp_path, Web(port=0)) as here, client() as http:
        claims = FROM_AFAR | {"Forwarded": "for=198.51.100.9;proto=https"}
        assert await signed_in_from(here, http, here.url, claims) == "127.0.0.1"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "198.51.100.9, 203.0.113.7", "X-Forwarded-Proto": "https"},
        {"X-Forwarded-For": "garbage, 203.0.113.7, 127.0.0.5", "X-Forwarded-Proto": "https"},
        {"Forwarded": 'for=198.51.100.9;proto=http, for="203.0.113.7:4711";proto=https'},
        {"Forwarded": "for=203.0.113.7;proto=https", "X-Forwarded-For": "203.0.113.7"},
    ],
)
async def test_what_the_client_wrote_left_of_the_proxys_word_counts_for_nothing(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    async with door(tmp_path, TRUSTED) as here, client() as http:
        assert await signed_in_from(here, http, here.url, headers) == "203.0.113.7"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.7"},  # https or not?
        {"X-Forwarded-For": "not an address", "X-Forwarded-Proto": "https"},
        {"Forwarded": 'for="203.0.113.7;proto=https'},  # an open quote
        {"Forwarded": "for=198.51.100.9;proto=https"} | FROM_AFAR,  # two who contradict each other
        {"Forwarded": "proto=http;for=203.0.113.7"} | FROM_AFAR,
    ],
)
async def test_a_word_that_can_be_read_in_two_ways_is_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    async with door(tmp_path, TRUSTED) as here, client() as http:
        assert (await ask(http, "GET", f"{here.url}/api/v1/session", headers))[::2] == (400, "proxy_unclear")


async def test_every_name_by_which_a_proxy_was_called_must_be_ours(tmp_path: Path) -> None:
    web = Web(port=0, proxies=TRUSTED.proxies, hosts=("scans.example.org",))
    async with door(tmp_path, web) as here, client() as http:
        for host, status in (("scans.example.org", 200), ("evil.example", 421)):
            for headers in ({"X-Forwarded-Host": host}, {"Host": host}):
                found = await ask(http, "GET", f"{here.url}/setup", FROM_AFAR | headers)
                assert found[0] == status, (host, headers)


async def test_each_client_behind_a_proxy_has_its_own_throttle(tmp_path: Path) -> None:
    async with door(tmp_path, TRUSTED) as here, client() as http:
        await ask(http, "POST", f"{here.url}/api/v1/setup", FROM_AFAR, here.setup())
        wrong = {"email": EMAIL, "password": "no password of mine"}

        async def tries(address: str) -> list[int]:
            headers = FROM_AFAR | {"X-Forwarded-For": address, "User-Agent": "ScanSnapCloud/1.7"}
            return [(await ask(http, "POST", f"{here.url}/api/v1/session", headers, wrong))[0] for _ in range(8)]

        assert 429 in await tries("203.0.113.7")
        assert (await tries("192.0.2.1"))[0] == 401


async def test_events_stream_through_the_socket(tmp_path: Path) -> None:
    web = at_socket(tmp_path)
    async with door(tmp_path, web) as here, client(socket=web.socket) as http:
        async with http.post("http://localhost/api/v1/setup", json=here.setup(), headers=FROM_AFAR) as answer:
            token = (await answer.json())["token"]
        headers = FROM_AFAR | {"Authorization": f"Bearer {token}"}
        async with http.get("http://localhost/api/v1/events", headers=headers) as stream, asyncio.timeout(20):
            assert stream.headers["Content-Type"].startswith("text/event-stream")
            assert await stream.content.readline()


# --- who watches over the gateway


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
async def test_probes_are_for_loopback_or_a_token(tmp_path: Path, path: str) -> None:
    web = Web(port=0, proxies=TRUSTED.proxies, probe_token="a long token for the watcher")
    async with door(tmp_path, web) as here, client() as http:
        for headers, status in (
            ({}, 200),
            (FROM_AFAR, 403),
            (FROM_AFAR | {"Authorization": "Bearer another"}, 403),
            (FROM_AFAR | {"Authorization": "Bearer a long token for the watcher"}, 200),
        ):
            assert (await ask(http, "GET", here.url + path, headers))[0] == status, headers
    async with door(tmp_path, TRUSTED) as here, client() as http:
        for authorization in ({}, {"Authorization": "Bearer "}):
            assert (await ask(http, "GET", here.url + path, FROM_AFAR | authorization))[0] == 403


async def test_not_ready_is_a_gateway_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with door(tmp_path, Web(port=0)) as here, client() as http:
        monkeypatch.setattr("gateway.store.spool.Spool.free_bytes", lambda _: 10)
        async with http.get(f"{here.url}/readyz") as answer:
            assert (answer.status, await answer.text()) == (503, "there is no room left for scans\n")
