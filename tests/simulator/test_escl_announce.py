"""The announced simulator is seen by mDNS with the words that clients need, and goes as its power does."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from zeroconf import IPVersion, ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from simulator import Fleet, running

KIND = "_uscan._tcp.local."
PATIENCE_S = 10.0  # names are probed for and goodbyes repeated; all of it takes about two seconds


@pytest.fixture
async def browse() -> AsyncIterator[tuple[AsyncZeroconf, asyncio.Queue[tuple[str, str]]]]:
    """Return a client, and what it sees: (what, name)."""
    seen: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def changed(zeroconf: Any, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        seen.put_nowait((state_change.name, name))

    client = AsyncZeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
    browser = AsyncServiceBrowser(client.zeroconf, KIND, handlers=[changed])
    yield client, seen
    await browser.async_cancel()
    await client.async_close()


async def until(seen: "asyncio.Queue[tuple[str, str]]", what: str, label: str) -> str:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            said, name = await seen.get()
            if said == what and name.startswith(label):
                return name


async def test_it_is_announced_while_it_runs(browse: Any) -> None:
    client, seen = browse
    [unit] = Fleet.load("office").units
    assert unit.escl is not None
    label = f"Office {id(browse)}"  # other simulators may be announced on this computer
    fleet = Fleet((replace(unit, escl=replace(unit.escl, make_and_model=label, uuid="0" * 31 + "1")),))
    async with running(fleet) as simulation:
        name = await until(seen, "Added", label)
        info = AsyncServiceInfo(KIND, name)
        assert await info.async_request(client.zeroconf, 3000)
        assert info.parsed_addresses() == ["127.0.0.1"]
        assert info.port == simulation.escl["office"].address[1]
        text = info.decoded_properties
        assert (text["rs"], text["is"], text["duplex"], text["ty"]) == ("eSCL", "platen,adf", "T", label)
        assert text["uuid"] == "0" * 31 + "1"
        simulation.escl["office"].rename("0" * 31 + "2")
        await until(seen, "Updated", label)
        await info.async_request(client.zeroconf, 3000)
        assert info.decoded_properties["uuid"] == "0" * 31 + "2"
        await simulation.escl["office"].move("127.0.0.9")
        async with asyncio.timeout(PATIENCE_S):
            while info.parsed_addresses()[0] != "127.0.0.9":  # the newest; caches may keep the former one behind it
                await seen.get()
                info = AsyncServiceInfo(KIND, name)
                await info.async_request(client.zeroconf, 3000)
    await until(seen, "Removed", label)
