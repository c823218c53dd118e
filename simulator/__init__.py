"""Simulated ScanSnaps: the same bytes over the same kind of bus, with paper and a button that a program can press.

    fleet.py     which units there are, as data      models.py    what a model answers and how fast it is
    scanner.py   paper, button, cover; no wire       sheets.py    the printed pages      faults.py   what goes wrong
    scsi/        the command set: its own codec and the state machine behind it
    usb/         a USB/IP server, and the pyusb backend that talks to it
    escl/        an office machine's HTTP, and its name by mDNS
    snmp/        an agent that says what the unit is
    panel.py     HTTP for a person and for scripts   app.py       all of it, running     fixture.py  for pytest
    demo.py      the one bridge to the gateway       sinks/       destinations that record

Nothing here shares code with the drivers: a misread offset would cancel itself out.

In a test (`pytest_plugins = ["simulator.fixture"]` in the root conftest):

    async def test_two_sheets_give_four_sides(scansnap: Simulation) -> None:
        unit = scansnap.unit("ix500")
        unit.load(2)
        unit.press()
        await scan_with(scansnap.usb_backend())  # whatever is under test, through pyusb
        assert len(unit.delivered) == 4
        assert unit.errors == []
"""

from simulator.app import Simulation, running
from simulator.fleet import Fleet, UnitSpec

__all__ = ["Fleet", "Simulation", "UnitSpec", "running"]
