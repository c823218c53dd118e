"""Devices at fixed addresses are asked who they are: what is told of them, and what silence and nonsense do."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.errors import DriverError, PeerError, Refused, Unreachable, Unsupported
from drivers.port import Gone, Sighting
from drivers.snmp.finder import SnmpFinder, read
from drivers.snmp.wire import Identification
from tests.drivers.fake_snmp import (
    DESCR,
    DEVICE,
    MAC,
    MFP,
    OBJECT_ID,
    SERIAL,
    TYPE,
    Agent,
    Datum,
    Oid,
    Question,
    agent,
    datum,
    listening,
    response,
    row,
)

HERE = "127.0.0.1"
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
RICOH = Identification(
    make="Ricoh",
    model="RICOH MP C3003",
    serial="W503L700123",
    mac="00:26:73:01:02:03",
    name="copier",
    description="RICOH MP C3003 1.17 / RICOH Network Printer C model",
)
SHORT_S = 0.05  # long for loopback


def finder(port: int, *hosts: str, community: str = "public") -> SnmpFinder:
    return SnmpFinder(now=lambda: NOON, hosts=hosts, community=community, port=port, round_s=0.01, timeout_s=SHORT_S)


@asynccontextmanager
async def watched(it: SnmpFinder) -> AsyncIterator[AsyncGenerator[Sighting | Gone]]:
    async with asyncio.timeout(20), aclosing(it.sightings()) as sightings:
        yield sightings


# --- one address


async def test_a_device_tells_who_it_is() -> None:
    async with listening(agent(MFP)) as it:
        assert await read(HERE, port=it.port) == RICOH
        assert await read("localhost", port=it.port) == RICOH


async def test_a_pure_scanner_is_known_by_the_system_and_its_card() -> None:
    objects: dict[Oid, Datum] = {oid: MFP[oid] for oid in MFP if oid not in (DEVICE, SERIAL)}
    async with listening(agent(objects | {OBJECT_ID: (1, 3, 6, 1, 4, 1, 18886, 1)})) as it:
        told = await read(HERE, port=it.port)
    assert (told.make, told.model, told.serial) == ("PFU", "RICOH MP C3003 1.17 / RICOH Network Printer C model", "")
    assert told.mac == "00:26:73:01:02:03"


async def test_an_agent_that_refuses_a_question_for_one_object_is_named_by_the_others() -> None:
    def reply(data: bytes) -> list[bytes]:
        question = Question(data)
        return [response(question.request_id, b"", error=2)] if DEVICE in question.oids else agent(MFP)(data)

    async with listening(reply) as it:
        told = await read(HERE, port=it.port)
    assert (told.model, told.serial) == (RICOH.description, "")


async def test_an_agent_that_says_nothing_of_itself_refuses() -> None:
    async with listening(agent({})) as it:
        with pytest.raises(Refused):
            await read(HERE, port=it.port)


async def test_a_lost_question_is_asked_again() -> None:
    lost = [True]

    def reply(data: bytes) -> list[bytes]:
        return [] if lost and lost.pop() else agent(MFP)(data)

    async with listening(reply) as it:
        assert await read(HERE, port=it.port, timeout_s=0.5) == RICOH
        assert not lost


async def test_silence_is_unreachable() -> None:
    async with listening(lambda data: []) as it:
        with pytest.raises(Unreachable):
            await read(HERE, port=it.port, timeout_s=SHORT_S)
        assert it.asked == 2


async def test_a_closed_port_and_a_name_that_is_none_are_unreachable() -> None:
    async with listening(agent(MFP)) as it:
        port = it.port
    for host in (HERE, "no such host", "x" * 80, "255.255.255.255"):
        with pytest.raises(Unreachable):
            await read(host, port=port, timeout_s=SHORT_S)


@pytest.mark.parametrize(
    "nonsense", [b"\x30\x03\x02\x01\x01", b"x" * 60_000, os.urandom(40)], ids=["cut off", "long", "random"]
)
async def test_nonsense_alone_is_the_peers_error_and_before_the_answer_it_is_passed_over(nonsense: bytes) -> None:
    async with listening(lambda data: [nonsense]) as it:
        with pytest.raises(PeerError):
            await read(HERE, port=it.port, timeout_s=SHORT_S)
        it.reply = lambda data: [nonsense, *agent(MFP)(data)]
        assert await read(HERE, port=it.port) == RICOH


async def test_an_answer_to_what_was_not_asked_is_not_believed() -> None:
    forged = response(b"\2\1\1", row(DESCR, datum("forged")))
    async with listening(lambda data: [forged, *agent(MFP)(data)]) as it:
        assert await read(HERE, port=it.port) == RICOH
        it.reply = lambda data: [forged]
        with pytest.raises(PeerError):
            await read(HERE, port=it.port, timeout_s=SHORT_S)


async def test_an_answer_from_another_address_is_not_heard() -> None:
    class Diverted(Agent):
        def say(self, datagram: bytes, to: tuple[str, int]) -> None:
            other.say(datagram, to)

    async with listening(lambda data: [], host="127.0.0.2") as other, listening(agent(MFP), made=Diverted) as it:
        with pytest.raises(Unreachable):
            await read(HERE, port=it.port, timeout_s=SHORT_S)


async def test_a_flood_ends_the_question() -> None:
    async with listening(lambda data: [b"x" * 100] * 500) as it:
        with pytest.raises(PeerError):
            await read(HERE, port=it.port, timeout_s=60.0)
        assert it.asked <= 2


async def test_another_community_is_what_the_agent_is_asked_with() -> None:
    def reply(data: bytes) -> list[bytes]:
        return [answer.replace(b"public", b"secret") for answer in agent(MFP)(data)] if b"secret" in data else []

    async with listening(reply) as it:
        assert await read(HERE, port=it.port, community="secret") == RICOH
        with pytest.raises(Unreachable):
            await read(HERE, port=it.port, timeout_s=SHORT_S)


async def test_a_switch_with_a_thousand_ports_is_asked_for_few() -> None:
    objects: dict[Oid, Datum] = {DESCR: "switch"}
    for card in range(1, 1000):
        objects |= {(*TYPE, card): 6, (*MAC, card): card.to_bytes(6, "big")}
    async with listening(agent(objects)) as it:
        assert (await read(HERE, port=it.port)).mac == "00:00:00:00:00:01"
        assert it.asked <= 6


async def test_a_walk_that_goes_round_in_circles_ends() -> None:
    def reply(data: bytes) -> list[bytes]:
        question = Question(data)
        if question.most == 0:
            return agent(MFP)(data)
        return [response(question.request_id, row((*TYPE, 2), datum(6)) + row((*TYPE, 1), datum(6)))]

    async with listening(reply) as it:
        assert (await read(HERE, port=it.port)).mac == ""
        assert it.asked <= 5


@given(st.lists(st.binary(max_size=120), max_size=3), st.booleans())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_answer_ends_in_a_name_or_a_drivers_error(rows: list[bytes], valid: bool) -> None:
    def reply(data: bytes) -> list[bytes]:
        return [response(Question(data).request_id, b"".join(rows))] if valid else rows

    async def ask() -> None:
        async with listening(reply) as it:
            with pytest.raises(DriverError):
                await read(HERE, port=it.port, timeout_s=0.01)

    asyncio.run(ask())


# --- the finder


async def test_a_device_is_named_and_told_what_to_do_with() -> None:
    async with listening(agent(MFP)) as it, watched(finder(it.port, HERE)) as sightings:
        seen = await anext(sightings)
    assert isinstance(seen, Sighting)
    assert (seen.id, seen.model, seen.via, seen.address) == ("snmp:W503L700123", "RICOH MP C3003", "snmp", HERE)
    assert (seen.fingerprint, seen.serial) == ("00:26:73:01:02:03/W503L700123", "W503L700123")
    assert (seen.seen_at, seen.has_button, seen.default_password) == (NOON, False, "")
    assert "Named by SNMP only (made by Ricoh)" in seen.driven
    assert "eSCL, Wi-Fi or USB" in seen.driven


async def test_without_a_serial_number_the_card_names_it_and_without_a_card_its_address() -> None:
    objects = {oid: value for oid, value in MFP.items() if oid != SERIAL}
    async with listening(agent(objects)) as it:
        async with watched(finder(it.port, HERE)) as sightings:
            assert (await anext(sightings)).id == "snmp:00:26:73:01:02:03"
        del objects[(*MAC, 2)]
        async with watched(finder(it.port, HERE)) as sightings:
            assert (await anext(sightings)).id == f"snmp:{HERE}"


async def test_it_is_gone_after_some_silent_rounds_only_and_comes_back() -> None:
    async with listening(agent(MFP)) as it, watched(finder(it.port, HERE)) as sightings:
        seen = await anext(sightings)
        lost = [True] * 4  # two questions, each asked twice: two rounds

        def reply(data: bytes) -> list[bytes]:
            return [] if lost and lost.pop() else agent(renamed)(data)

        renamed: dict[Oid, Datum] = MFP | {DEVICE: "renamed"}
        it.reply = reply
        again = await anext(sightings)
        assert isinstance(again, Sighting)
        assert (again.id, again.model) == (seen.id, "renamed")
        it.reply = lambda data: []
        assert await anext(sightings) == Gone(seen.id)
        it.reply = agent(MFP)
        assert (await anext(sightings)).id == seen.id


async def test_a_device_at_another_address_is_the_same_one() -> None:
    async with (
        listening(agent(MFP)) as it,
        listening(lambda data: [], host="127.0.0.2", port=it.port) as other,
        watched(finder(it.port, HERE, "127.0.0.2")) as sightings,
    ):
        first = await anext(sightings)
        it.reply, other.reply = other.reply, it.reply
        second = await anext(sightings)
    assert isinstance(first, Sighting)
    assert isinstance(second, Sighting)
    assert (first.id, first.address, second.id, second.address) == (second.id, HERE, first.id, "127.0.0.2")


async def test_of_two_that_say_they_are_the_same_one_the_first_address_counts() -> None:
    async with (
        listening(agent(MFP)) as it,
        listening(agent(MFP | {DEVICE: "liar"}), host="127.0.0.2", port=it.port) as other,
        watched(finder(it.port, HERE, "127.0.0.2")) as sightings,
    ):
        seen = await anext(sightings)
        asked = it.asked
        following = asyncio.ensure_future(anext(sightings))
        while it.asked < asked + 20 or other.asked < 20:
            await asyncio.sleep(0)
        assert not following.done()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    assert isinstance(seen, Sighting)
    assert seen.model == "RICOH MP C3003"


async def test_a_silent_address_holds_up_nobody_and_nonsense_is_logged_once(caplog: Any) -> None:
    async with (
        listening(lambda data: [b"nonsense"]) as it,
        listening(agent(MFP), host="127.0.0.2", port=it.port) as other,
        listening(lambda data: [], host="127.0.0.3", port=it.port),
        watched(finder(it.port, HERE, "127.0.0.3", "127.0.0.2")) as sightings,
    ):
        await anext(sightings)
        other.reply = lambda data: []
        await anext(sightings)  # three rounds later
    [record] = caplog.records
    assert HERE in record.getMessage()


async def test_many_addresses_are_asked_some_at_a_time() -> None:
    hosts = [f"127.0.1.{number}" for number in range(1, 61)]
    async with listening(agent(MFP), host=hosts[-1]) as it, watched(finder(it.port, *hosts)) as sightings:
        assert (await anext(sightings)).id == "snmp:W503L700123"


async def test_it_opens_nothing() -> None:
    with pytest.raises(Unsupported):
        await finder(161).open("snmp:W503L700123")


async def test_closing_leaves_no_task_and_no_socket() -> None:
    async with listening(lambda data: []) as it:
        before = asyncio.all_tasks()
        sightings = finder(it.port, HERE, "127.0.0.2").sightings()
        first = asyncio.ensure_future(anext(sightings))
        while not it.asked:
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await sightings.aclose()
        assert asyncio.all_tasks() == before


async def test_without_addresses_it_waits_until_it_is_closed() -> None:
    sightings = finder(161).sightings()
    first = asyncio.ensure_future(anext(sightings))
    await asyncio.sleep(0)
    assert not first.done()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await sightings.aclose()


def test_pysnmp_is_loaded_by_whoever_asks_only() -> None:
    check = (
        "import sys, drivers.snmp.finder; sys.exit(any(m.split('.')[0] in ('pysnmp', 'pyasn1') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
