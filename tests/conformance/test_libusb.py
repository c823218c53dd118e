"""The real libusb, and programs that stand on it, meet on the simulated bus what they meet on a real one."""

import errno
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import bare
from tests.conformance.conftest import need

pytestmark = pytest.mark.conformance
IDLE_SHARE = 0.2  # a process that spins uses all of its second


async def run(there: Any, name: str) -> Any:
    words = (sys.executable, str(Path(bare.__file__)), name)
    ran = await there.run(*words, SCANSNAP_PANEL=there.bench.panel_url, UNIT=there.unit.id)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


async def test_it_opens_the_unit_and_a_command_is_answered(bus: Callable[..., Any]) -> None:
    there = await bus("iX500")
    assert await run(there, "names") == {
        "manufacturer": "Fujitsu",
        "product": "ScanSnap iX500",
        "speed": 3,
        "ports": [1],
        "inquiry": "FUJITSU ScanSnap iX500  ",
        "status": "53" + 12 * "00",
    }
    assert there.unit.errors == []


async def test_it_sleeps_while_it_waits(bus: Callable[..., Any]) -> None:
    waited = await run(await bus("iX500"), "idle")
    assert waited["errno"] == errno.ETIMEDOUT
    assert waited["cpu_s"] < IDLE_SHARE * waited["s"]


async def test_one_process_at_a_time_has_the_interface(bus: Callable[..., Any]) -> None:
    assert await run(await bus("S1500"), "exclusive") == [{"errno": errno.EBUSY}, {"errno": 0}]


async def test_a_pulled_cable_ends_what_waits_and_libusb_hears_of_the_units_return(bus: Callable[..., Any]) -> None:
    told = await run(await bus("iX1600"), "unplug")
    waited = told.pop("idle")
    assert told == {"errnos": [errno.ENODEV, errno.ENODEV], "gone": True, "back": True, "moved": True}
    assert waited["errno"] == errno.ETIMEDOUT
    assert waited["cpu_s"] < IDLE_SHARE * waited["s"]


async def test_lsusb_lists_and_describes_the_units(bus: Callable[..., Any]) -> None:
    need(shutil.which("lsusb"), "usbutils")
    there = await bus("iX500", "iX110")
    ran = await there.run("lsusb")
    assert "ID 04c5:132b" in ran.out
    assert "ID 05ca:03c8" in ran.out
    ran = await there.run("lsusb", "-v", "-d", "04c5:")
    assert "ScanSnap iX500" in ran.out
    assert ran.out.count("bEndpointAddress") == 2
    assert ran.code == 0, ran.err


@pytest.mark.usefixtures("sane")
async def test_sane_finds_the_unit_without_knowing_its_family(bus: Callable[..., Any]) -> None:
    ran = await (await bus("iX1500")).run("sane-find-scanner", "-q")
    assert "vendor=0x04c5 [Fujitsu], product=0x159f [ScanSnap iX1500]) at libusb:001:002" in ran.out
