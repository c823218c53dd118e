"""net-snmp reads our simulated agent, and its own agent says the same things in the same way."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from drivers.errors import Unreachable
from drivers.snmp import finder
from drivers.snmp.wire import Identification
from simulator.fleet import Snmp
from simulator.snmp.agent import SnmpAgent
from tests.conformance.conftest import need
from tests.conformance.peers import kept, run, there

pytestmark = pytest.mark.conformance
SPEC = Snmp(
    description="FUJITSU fi-7300NX",
    object_id="1.3.6.1.4.1.211.1.2",
    name="scanner",
    mac="00:80:92:01:02:03",
    device="fi-7300NX",
    serial="AK7CC00700",
    device_id="MFG:FUJITSU;MDL:fi-7300NX;",
)
MAC = ".1.3.6.1.2.1.2.2.1.6.2"
# Name (escl-mdns-snmp, section 5), and what net-snmp prints of it with -Oqn.
ROWS = {
    ".1.3.6.1.2.1.1.1.0": '"FUJITSU fi-7300NX"',
    ".1.3.6.1.2.1.1.2.0": ".1.3.6.1.4.1.211.1.2",
    ".1.3.6.1.2.1.1.5.0": '"scanner"',
    MAC: '"00 80 92 01 02 03 "',
    ".1.3.6.1.2.1.25.3.2.1.3.1": '"fi-7300NX"',
    ".1.3.6.1.2.1.43.5.1.1.17.1": '"AK7CC00700"',
    ".1.3.6.1.4.1.2699.1.2.1.2.1.1.3.1": '"MFG:FUJITSU;MDL:fi-7300NX;"',
}


@pytest.fixture
async def agent() -> AsyncIterator[SnmpAgent]:
    need(there("snmpget"), "snmp")
    made = SnmpAgent(SPEC)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def snmpd(tmp_path: Path) -> AsyncIterator[tuple[str, int]]:
    """Run net-snmp's agent on loopback with a configuration of its own; where it listens."""
    need(there("snmpd"), "snmpd")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        where = free.getsockname()
    (tmp_path / "snmpd.conf").write_text("rocommunity public 127.0.0.1\nsysName neighbour\n", "ascii")
    words = ("snmpd", "-f", "-Lo", "-C", "-c", f"{tmp_path}/snmpd.conf", "-p", f"{tmp_path}/pid")
    async with kept(*words, f"udp:{where[0]}:{where[1]}", until=b"NET-SNMP", SNMP_PERSISTENT_DIR=str(tmp_path)):
        yield where


async def ask(
    where: tuple[str, int],
    program: str,
    *words: str,
    version: str = "2c",
    community: str = "public",
    output: str = "-Oqn",
) -> str:
    """Run a program of net-snmp without its MIB files; what it prints, with what it complains of."""
    host, port = where
    options = ("-m", "", output, f"-v{version}", "-c", community, "-t", "1", "-r", "0")
    ran = await run(program, *options, f"{host}:{port}", *words)
    return ran.out + ran.err


def rows_of(text: str) -> dict[str, str]:
    """Return name and value of each line; the last line of a walk to the end has a name again, and no value."""
    lines = (line.partition(" ") for line in text.splitlines() if "No more variables" not in line)
    return {name: value for name, _, value in lines}


@pytest.mark.parametrize("version", ["1", "2c"])
async def test_snmpget_reads_every_value(agent: SnmpAgent, version: str) -> None:
    assert rows_of(await ask(agent.address, "snmpget", *ROWS, version=version)) == ROWS


@pytest.mark.parametrize("program", ["snmpwalk", "snmpbulkwalk"])
async def test_a_walk_goes_once_through_all_of_it(agent: SnmpAgent, program: str) -> None:
    said = rows_of(await ask(agent.address, program, ".1"))
    assert {name: said.get(name) for name in ROWS} == ROWS
    assert len([name for name in said if name.startswith(".1.3.6.1.2.1.2.2.")]) == 8  # two interfaces, four columns


async def test_what_is_not_there_is_said_as_each_version_does(agent: SnmpAgent) -> None:
    missing = ".1.3.6.1.2.1.43.10.2.1.4.1.1"
    assert "No Such Object" in await ask(agent.address, "snmpget", missing)
    assert "noSuchName" in await ask(agent.address, "snmpget", missing, version="1")


async def test_another_community_hears_nothing(agent: SnmpAgent) -> None:
    assert "Timeout" in await ask(agent.address, "snmpget", *ROWS, community="private")
    assert agent.answered == 0


async def test_nothing_can_be_set(agent: SnmpAgent) -> None:
    assert "notWritable" in await ask(agent.address, "snmpset", ".1.3.6.1.2.1.1.5.0", "s", "other")


async def test_a_real_agent_has_the_same_rows_of_the_same_types(agent: SnmpAgent, snmpd: tuple[str, int]) -> None:
    names = [name for name in ROWS if name.startswith((".1.3.6.1.2.1.1.", ".1.3.6.1.2.1.2."))]
    ours, theirs = [rows_of(await ask(where, "snmpget", *names, output="-On")) for where in (agent.address, snmpd)]
    assert list(ours) == list(theirs) == names
    kinds = [{name: value.split(":")[0] for name, value in rows.items()} for rows in (ours, theirs)]
    del kinds[0][MAC], kinds[1][MAC]  # printed as text where the machine's second interface has none
    assert kinds[0] == kinds[1]
    assert theirs[".1.3.6.1.2.1.1.5.0"].endswith('"neighbour"')


async def answered(host: str, port: int) -> Identification | None:
    with suppress(Unreachable):
        return await finder.read(host, port=port)
    return None


async def test_our_reader_reads_net_snmp_s_agent(snmpd: tuple[str, int]) -> None:
    host, port = snmpd
    async with asyncio.timeout(20):  # it says its name before it listens
        while not (told := await answered(host, port)):
            await asyncio.sleep(0.1)
    assert "Linux" in told.description
    assert told.make == ""  # net-snmp's own number says nothing of who made the machine


async def test_our_reader_reads_the_simulated_agent_as_net_snmp_does(agent: SnmpAgent) -> None:
    host, port = agent.address
    told = await finder.read(host, port=port)
    assert (told.make, told.model, told.serial, told.mac) == ("Fujitsu", SPEC.device, SPEC.serial, SPEC.mac)
