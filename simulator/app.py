"""Wiring: a fleet, the bus it hangs on and its panel, running as long as the context lasts."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from simulator.escl.announce import Announcement
from simulator.escl.server import EsclServer
from simulator.fleet import Fleet
from simulator.panel import Panel
from simulator.scanner import VirtualScanner
from simulator.snmp.agent import SnmpAgent
from simulator.usb.backend import UsbIpBackend
from simulator.usb.device import ScanSnapUsb
from simulator.usb.server import UsbIpServer
from simulator.usb.umockdev.bus import UmockdevBus
from simulator.vens.server import VensAir
from simulator.vens.wire import Ports


@dataclass(frozen=True, slots=True)
class Simulation:
    """What runs: the units by id, where USB/IP listens, the panel's URL, and eSCL and SNMP by the unit's id."""

    units: dict[str, VirtualScanner]
    usbip_address: tuple[str, int]
    panel_url: str
    escl: dict[str, EsclServer] = field(default_factory=dict)
    snmp: dict[str, SnmpAgent] = field(default_factory=dict)
    air: VensAir | None = None

    @property
    def escl_urls(self) -> dict[str, str]:
        """Return the base URL of each eSCL service by the unit's id."""
        return {id_: server.url for id_, server in self.escl.items()}

    def unit(self, id_: str) -> VirtualScanner:
        """Return a unit; KeyError if there is none of this id."""
        return self.units[id_]

    def usb_backend(self) -> UsbIpBackend:
        """Return a new pyusb backend that sees these units; use it in threads, never in the event loop's own."""
        return UsbIpBackend(*self.usbip_address)


@dataclass(frozen=True, slots=True)
class Bench:
    """Units on a bus that other processes see: those that run with `environment`."""

    units: dict[str, VirtualScanner]
    environment: dict[str, str]
    panel_url: str


@asynccontextmanager
async def beneath(fleet: Fleet, *, panel_port: int = 0) -> AsyncIterator[Bench]:
    """Run a fleet beneath other processes by umockdev; NoPreload if that is not installed."""
    units = {spec.id: VirtualScanner(spec) for spec in fleet.units}
    async with AsyncExitStack() as stack:
        bus = UmockdevBus(ScanSnapUsb(unit) for unit in units.values() if unit.spec.usb)
        stack.push_async_callback(bus.close)
        await bus.start()
        panel = Panel(units)
        stack.push_async_callback(panel.close)
        await panel.start(panel_port)
        yield Bench(units, bus.environment(), panel.url)


@asynccontextmanager
async def running(
    fleet: Fleet, *, panel_port: int = 0, usbip_port: int = 0, vens_ports: Ports | None = None
) -> AsyncIterator[Simulation]:
    """Run a fleet on loopback; port 0 takes any free one. OSError if a port is taken."""
    units = {spec.id: VirtualScanner(spec) for spec in fleet.units}
    async with AsyncExitStack() as stack:
        server = UsbIpServer(ScanSnapUsb(unit) for unit in units.values() if unit.spec.usb)
        stack.push_async_callback(server.close)
        await server.start(usbip_port)
        panel = Panel(units)
        stack.push_async_callback(panel.close)
        await panel.start(panel_port)
        escl = await _escl(units, stack)
        snmp = await _snmp(units, stack)
        air = VensAir((unit for unit in units.values() if unit.spec.wifi), vens_ports or Ports())
        stack.push_async_callback(air.close)
        await air.start()
        yield Simulation(units, server.address, panel.url, escl, snmp, air)


async def _escl(units: dict[str, VirtualScanner], stack: AsyncExitStack) -> dict[str, EsclServer]:
    """Start the eSCL service of each unit that has one, and announce those that are to be found."""
    servers = {id_: EsclServer(unit, unit.spec.escl) for id_, unit in units.items() if unit.spec.escl}
    for server in servers.values():
        stack.push_async_callback(server.close)
        await server.start()
        if server.spec.announced:
            announcement = Announcement(server)
            stack.push_async_callback(announcement.close)
            await announcement.start()
    return servers


async def _snmp(units: dict[str, VirtualScanner], stack: AsyncExitStack) -> dict[str, SnmpAgent]:
    """Start the SNMP agent of each unit that has one."""
    agents = {}
    for id_, unit in units.items():
        if unit.spec.snmp:
            agents[id_] = agent = SnmpAgent(unit.spec.snmp, powered=partial(getattr, unit, "on_net"))
            stack.push_async_callback(agent.close)
            await agent.start()
    return agents
