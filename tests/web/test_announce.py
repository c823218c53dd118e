"""The page is found by mDNS where others can reach it, under names that nobody else has, and says good-bye."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import ifaddr
import pytest
from zeroconf import IPVersion, ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from gateway.web.announce import Announced, announced, instance_name, keep_announced, reachable

HTTP, HTTPS = "_http._tcp.local.", "_https._tcp.local."
PATIENCE_S = 20.0


@asynccontextmanager
async def on_loopback() -> AsyncIterator[AsyncZeroconf]:
    zeroconf = AsyncZeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
    try:
        yield zeroconf
    finally:
        await zeroconf.async_close()


@pytest.fixture
async def server() -> AsyncIterator[AsyncZeroconf]:
    async with on_loopback() as zeroconf:
        yield zeroconf


@pytest.fixture
async def phone() -> AsyncIterator["Phone"]:
    async with on_loopback() as zeroconf:
        it = Phone(zeroconf)
        yield it
        await it.browser.async_cancel()


class Phone:
    """Lists web pages, and is told of changes."""

    def __init__(self, zeroconf: AsyncZeroconf) -> None:
        self.zeroconf = zeroconf
        self.seen: asyncio.Queue[tuple[ServiceStateChange, str]] = asyncio.Queue()
        self.browser = AsyncServiceBrowser(zeroconf.zeroconf, [HTTP, HTTPS], handlers=[self._changed])

    def _changed(self, zeroconf: Any, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        self.seen.put_nowait((state_change, name))

    async def until(self, change: ServiceStateChange, name: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while await self.seen.get() != (change, name):
                pass

    async def resolve(self, kind: str, name: str) -> AsyncServiceInfo:
        await self.until(ServiceStateChange.Added, f"{name}.{kind}")
        info = AsyncServiceInfo(kind, f"{name}.{kind}")
        assert await info.async_request(self.zeroconf.zeroconf, 5000)
        return info


@pytest.fixture
def names() -> dict[str, str]:
    """Return names that no other test has: they share the loopback."""
    mark = uuid4().hex[:8]
    return {"name": f"ScanSnap Gateway on {mark}", "host": f"gateway-{mark}"}


def here(names: dict[str, str], *, port: int = 8710, tls: bool = False) -> dict[str, Any]:
    return {**names, "port": port, "tls": tls, "addresses": ("127.0.0.1",)}


@pytest.mark.parametrize(("tls", "kind", "scheme"), [(False, HTTP, "http"), (True, HTTPS, "https")])
async def test_a_phone_finds_the_page_and_is_told_when_it_goes(
    server: AsyncZeroconf, phone: Phone, names: dict[str, str], tls: bool, kind: str, scheme: str
) -> None:
    async with announced(server, **here(names, tls=tls)) as told:
        assert told == Announced(names["name"], f"{scheme}://{names['host']}.local:8710/")
        info = await phone.resolve(kind, names["name"])
        assert (info.port, info.server, info.parsed_addresses()) == (8710, f"{names['host']}.local.", ["127.0.0.1"])
        assert info.decoded_properties == {"path": "/"}
    await phone.until(ServiceStateChange.Removed, f"{names['name']}.{kind}")


async def test_two_gateways_of_one_name_get_two_names_in_the_list(
    server: AsyncZeroconf, phone: Phone, names: dict[str, str]
) -> None:
    async with (
        on_loopback() as other,
        announced(server, **here(names)) as first,
        announced(other, **here(names, port=8711)) as second,
    ):
        assert first is not None
        assert second is not None
        assert (first.name, second.name) == (names["name"], f"{names['name']}-2")
        assert (await phone.resolve(HTTP, second.name)).port == 8711


async def test_a_host_name_that_another_machine_has_gets_a_number(server: AsyncZeroconf, names: dict[str, str]) -> None:
    async with (
        on_loopback() as other,
        announced(server, **{**here(names), "addresses": ("192.0.2.1",)}),
        announced(other, **here(names)) as second,
    ):
        assert second is not None
        assert second.url == f"http://{names['host']}-2.local:8710/"


async def test_a_page_that_only_this_machine_reaches_is_not_announced(
    server: AsyncZeroconf, names: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gateway")
    async with announced(server, **{**here(names), "addresses": reachable("127.0.0.1")}) as told:
        assert told is None
        assert not server.zeroconf.registry.async_get_service_infos()
    [record] = caplog.records
    assert "this machine only" in record.getMessage()


@pytest.mark.parametrize("host", ["", "-gateway", "gate way", "gateway.local", "x" * 62, "g\u00e4teway"])
async def test_a_host_name_that_is_none_is_said_and_harms_nothing(
    server: AsyncZeroconf, names: dict[str, str], caplog: pytest.LogCaptureFixture, host: str
) -> None:
    async with announced(server, **{**here(names), "host": host}) as told:
        assert told is None
    assert "no name of a host" in caplog.text


async def test_a_long_name_is_cut_to_what_a_label_holds(server: AsyncZeroconf, names: dict[str, str]) -> None:
    name = f"{names['host']}. " + "\u00e4" * 60
    async with announced(server, **{**here(names), "name": name}) as told:
        assert told is not None
        assert told.name.startswith(names["host"])
        assert 50 < len(told.name.encode()) <= 60


async def test_a_network_that_is_closed_is_said_and_harms_nothing(
    names: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async with on_loopback() as zeroconf:
        pass
    async with announced(zeroconf, **here(names)) as told:
        assert told is None
    assert "cannot be announced" in caplog.text


async def test_as_a_task_it_says_good_bye_when_it_is_cancelled(
    server: AsyncZeroconf, phone: Phone, names: dict[str, str]
) -> None:
    task = asyncio.create_task(keep_announced(server, **here(names)))
    await phone.resolve(HTTP, names["name"])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await phone.until(ServiceStateChange.Removed, f"{names['name']}.{HTTP}")


async def test_cancelled_while_it_asks_for_the_name_it_leaves_nothing(
    server: AsyncZeroconf, names: dict[str, str]
) -> None:
    before = asyncio.all_tasks()
    task = asyncio.create_task(keep_announced(server, **here(names)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not server.zeroconf.registry.async_get_service_infos()
    assert asyncio.all_tasks() <= before


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "", "gateway.example"])
def test_nobody_else_reaches_a_page_on_loopback(address: str) -> None:
    assert reachable(address) == ()


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
def test_a_page_on_one_address_is_reached_there(address: str) -> None:
    assert reachable(address) == (address,)


def test_a_page_on_every_address_is_reached_at_those_of_the_network_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [("127.0.0.1", 8), (("::1", 0, 0), 128), ("192.0.2.7", 24), (("2001:db8::7", 0, 0), 64)]
    listed.append((("fe80::1", 0, 2), 64))
    card = ifaddr.Adapter("eth0", "eth0", [ifaddr.IP(ip, bits, "eth0") for ip, bits in listed])
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: [card])
    assert reachable("0.0.0.0") == ("192.0.2.7",)
    assert reachable("::") == ("192.0.2.7", "2001:db8::7")


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        ("nas.example.org", "ScanSnap Gateway on nas"),
        ("", "ScanSnap Gateway"),
        ("a\x1bb", "ScanSnap Gateway on ab"),
    ],
)
def test_the_page_is_listed_with_the_name_of_its_machine(machine: str, name: str) -> None:
    assert instance_name(machine) == name
