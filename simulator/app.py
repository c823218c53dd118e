"""Wiring: a fleet, the bus it hangs on and its panel, running as long as the context lasts."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from simulator.fleet import Fleet
from simulator.panel import Panel
from simulator.scanner import VirtualScanner
from simulator.usb.backend import UsbIpBackend
from simulator.usb.device import ScanSnapUsb
from simulator.usb.server import UsbIpServer
from simulator.usb.umockdev.bus import UmockdevBus


@dataclass(frozen=True, slots=True)
class Simulation:
    """What runs: the units by id, where USB/IP listens, and the panel's URL."""

    units: dict[str, VirtualScanner]
    usbip_address: tuple[str, int]
    panel_url: str

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
async def running(fleet: Fleet, *, panel_port: int = 0, usbip_port: int = 0) -> AsyncIterator[Simulation]:
    """Run a fleet on loopback; port 0 takes any free one. OSError if a port is taken."""
    units = {spec.id: VirtualScanner(spec) for spec in fleet.units}
    async with AsyncExitStack() as stack:
        server = UsbIpServer(ScanSnapUsb(unit) for unit in units.values() if unit.spec.usb)
        stack.push_async_callback(server.close)
        await server.start(usbip_port)
        panel = Panel(units)
        stack.push_async_callback(panel.close)
        await panel.start(panel_port)
        yield Simulation(units, server.address, panel.url)
