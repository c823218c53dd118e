"""The pytest fixture as simulator/__init__.py documents it: in somebody else's tests, in a process of their own."""

from pathlib import Path

import pytest

pytest_plugins = "pytester"

ROOT = Path(__file__).parents[2]
TESTS = """
import asyncio

import usb.core
import usb.util

from simulator import Simulation


def serial(backend):
    unit = usb.core.find(backend=backend, idVendor=0x04C5)
    def ask(cdb, out=b"", asked=0):
        unit.write(0x02, (b"C" + bytes(18) + bytes.fromhex(cdb)).ljust(31, b"\\0"))
        if out:
            unit.write(0x02, out)
        data = bytes(unit.read(0x81, asked)) if asked else b""
        unit.read(0x81, 13)
        return data
    ask("1d0000001000", b"GET DEVICE ID   ")
    answer = ask("1c0000000a00", asked=10)
    usb.util.dispose_resources(unit)
    return int.from_bytes(answer[:4], "big")


async def test_a_program_that_uses_pyusb_finds_the_unit(scansnap: Simulation) -> None:
    unit = scansnap.unit("ix500")
    unit.load(2)
    unit.press()
    assert await asyncio.to_thread(serial, scansnap.usb_backend()) == unit.spec.serial
    assert unit.sheets == 2
    assert unit.feed_s == 0
    assert unit.errors == []


async def test_every_test_has_a_unit_of_its_own(scansnap: Simulation) -> None:
    assert (scansnap.unit("ix500").sheets, scansnap.unit("ix500").button_down) == (0, False)
"""


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_it_works_in_another_project(pytester: pytest.Pytester, mode: str) -> None:
    pytester.makepyprojecttoml(f"""
        [tool.pytest.ini_options]
        asyncio_mode = "{mode}"
        asyncio_default_fixture_loop_scope = "function"
        filterwarnings = ["error"]
        pythonpath = ["{ROOT}"]
    """)
    pytester.makeconftest('pytest_plugins = ["simulator.fixture"]')
    marks = "import pytest\npytestmark = pytest.mark.asyncio\n" if mode == "strict" else ""
    pytester.makepyfile(marks + TESTS)
    pytester.runpytest_subprocess().assert_outcomes(passed=2)
