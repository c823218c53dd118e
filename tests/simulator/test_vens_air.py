"""The simulated units on the air, asked by a client of hand-written bytes: who gets them, and for how long."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import Fleet, running
from simulator.fleet import UnitSpec, Wifi
from simulator.vens import wire
from simulator.vens.session import ACCEPTED, BOUND, OCCUPIED, STEPS, WRONG_PASSWORD, Session, State
from simulator.vens.wire import Reserve

WIFI = Wifi("127.77.2.1", "AK7CC00700", "00:80:92:01:02:03")
SPEC = UnitSpec("ix500", "iX500", 1, feed_s=0.01, usb=False, wifi=WIFI)
ME, OTHER = b"\2me\0\0\0\0\0", b"\2other\0\0"
HERE, THERE = IPv4Address("127.0.0.1"), IPv4Address("127.0.0.2")
ASKED = Reserve(4, 5, 1, HERE, 55265, wire.identity("0700"), bytes(8))


class Client:
    """Somebody with sockets."""

    def __init__(self, ports: wire.Ports) -> None:
        self.ports = ports
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.udp.bind(("127.0.0.1", 0))
        self.udp.setblocking(False)

    def call(self, to: str, *, family: bytes = b"VENS", alive: bool = False, token: bytes = ME) -> None:
        head = struct.pack(">4sI4s8sIH6x", family, alive, HERE.packed, token, 1, wire.TAGS[family])
        self.udp.sendto(head, (to, self.ports.discovery))

    async def heard(self, patience_s: float = 3.0) -> tuple[bytes, str]:
        async with asyncio.timeout(patience_s):
            data, sender = await asyncio.get_running_loop().sock_recvfrom(self.udp, 2048)
        return data, sender[0]

    async def control(self, command: int, body: bytes = b"", *, token: bytes = ME, length: int = 0x20) -> int:
        frame = struct.pack(">I4sII8s", length, b"VENS", command, 0, token) + body
        reader, writer = await asyncio.open_connection(WIFI.address, self.ports.control)
        assert await reader.readexactly(16) == wire.greeting(b"VENS")
        writer.write(frame.ljust(length, b"\0"))
        [size] = struct.unpack(">I", await reader.readexactly(4))
        reply = await reader.readexactly(size - 4)
        writer.close()
        await writer.wait_closed()
        return int(struct.unpack(">i", reply[4:8])[0])

    async def reserve(self, *, token: bytes = ME, password: str = "0700", alive_s: int = 5) -> int:
        port = self.udp.getsockname()[1]
        body = bytes(8) + struct.pack(">HBxII4sI", 4, alive_s, 1, 1, HERE.packed, port) + wire.identity(password)
        return await self.control(wire.RESERVE, body, token=token, length=0x180)


@pytest.fixture
async def air() -> AsyncIterator[tuple[Any, Client]]:
    ports = wire.Ports.free()
    async with running(Fleet((SPEC,)), vens_ports=ports) as simulation:
        client = Client(ports)
        yield simulation, client
        client.udp.close()


async def test_a_unit_answers_its_own_family_only_by_broadcast_and_by_address(air: Any) -> None:
    _, client = air
    for to in ("127.255.255.255", WIFI.address):
        client.call(to)
        data, sender = await client.heard()
        assert (len(data), sender, data[40:56]) == (132, WIFI.address, b"iX500-AK7CC00700")
        for family in (b"ssNR", b"V2ss"):
            client.call(to, family=family)
    with pytest.raises(TimeoutError):
        await client.heard(0.5)


async def test_one_client_at_a_time_and_the_reservation_ends_with_release(air: Any) -> None:
    simulation, client = air
    assert await client.reserve(password="8122") == WRONG_PASSWORD
    assert await client.reserve() == ACCEPTED
    assert await client.reserve() == ACCEPTED
    assert await client.reserve(token=OTHER) == OCCUPIED
    client.call(WIFI.address)
    data, _ = await client.heard()
    assert (data[4:6], data[120:124]) == (b"\0\1", HERE.packed)
    await client.control(wire.RELEASE)
    assert await client.reserve(token=OTHER) == ACCEPTED
    assert simulation.unit("ix500").errors == []


async def test_without_keep_alives_a_reservation_lapses(air: Any) -> None:
    simulation, client = air
    session = simulation.air.units["ix500"].session
    assert await client.reserve(alive_s=1) == ACCEPTED
    for _ in range(4):
        await asyncio.sleep(0.5)
        client.call(WIFI.address, alive=True)
    await asyncio.sleep(0.1)
    assert session.holder is not None
    await asyncio.sleep(1.2)
    assert await client.reserve(token=OTHER) == ACCEPTED
    assert session.lapses == 1


async def test_a_press_is_told_to_the_holder_until_a_scan_begins(air: Any) -> None:
    simulation, client = air
    await client.reserve()
    simulation.unit("ix500").press()
    for _ in range(2):
        assert await client.heard() == (wire.event(), WIFI.address)
    simulation.unit("ix500").heeded()
    with pytest.raises(TimeoutError):
        await client.heard(1.0)


async def test_a_unit_that_moves_is_dead_at_its_old_address(air: Any) -> None:
    simulation, client = air
    simulation.unit("ix500").move("127.77.2.2")
    await asyncio.sleep(0.2)
    client.call(WIFI.address)
    with pytest.raises(TimeoutError):
        await client.heard(0.5)
    client.call("127.255.255.255")
    assert (await client.heard())[1] == "127.77.2.2"


async def test_commands_of_a_job_without_a_reservation_are_hung_up_on(air: Any) -> None:
    simulation, client = air
    reader, writer = await asyncio.open_connection(WIFI.address, client.ports.data)
    await reader.readexactly(16)
    cdb = bytes((0xE0, 0, 0, 0, 0, 0)).ljust(16, b"\0")
    writer.write(struct.pack(">I4sII8s8xIIII", 64, b"VENS", 1, 0, ME, 6, 0, 0, 0) + cdb)
    with suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()
    assert simulation.unit("ix500").errors == ["command e0 without a reservation"]


async def test_garbage_on_both_tcp_ports_ends_that_connection_only(air: Any) -> None:
    _, client = air
    for port in (client.ports.data, client.ports.control):
        for garbage in (b"\xff" * 64, b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x10VENS" + bytes(8), b"\x7f\xff\xff\xffVENS"):
            reader, writer = await asyncio.open_connection(WIFI.address, port)
            await reader.readexactly(16)
            writer.write(garbage)
            with suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
    assert await client.reserve() == ACCEPTED


async def test_the_panel_drops_and_moves_a_unit(air: Any) -> None:
    simulation, _ = air
    async with aiohttp.ClientSession() as http:

        async def post(body: Any) -> tuple[int, Any]:
            async with http.post(f"{simulation.panel_url}/units/ix500/wifi", json=body) as answer:
                return answer.status, await answer.json()

        assert (await post({"up": False}))[1]["wifi"] == ""
        assert (await post({"up": True}))[1]["wifi"] == WIFI.address
        assert (await post({"address": "127.77.2.9"}))[1]["wifi"] == "127.77.2.9"
        status, told = await post({"address": "192.168.1.1"})
        assert (status, "127.0.0.0/8" in told["error"]) == (400, True)


def test_a_session_is_as_its_table_says() -> None:
    assert {state for state, _ in STEPS} == set(State)
    session = Session("0700")
    assert session.reserve(ME, ASKED, HERE, 0.0) == ACCEPTED
    session.bound_to = THERE
    assert session.reserve(ME, ASKED, HERE, 0.0) == BOUND
    assert session.reserve(ME, replace(ASKED, identity=b"1"), THERE, 0.0) == WRONG_PASSWORD


@given(st.binary(max_size=200))
def test_no_datagram_ends_the_air(data: bytes) -> None:
    with suppress(wire.WireError):
        call = wire.parse_call(data)
        assert call.family in wire.FAMILIES


@pytest.mark.parametrize("name", ["demo", "household", "office"])
def test_the_built_in_fleets_load(name: str) -> None:
    assert Fleet.load(name).units
