"""`scansnap-simulator` as a person runs it: real processes, a terminal for the fleet and another for the buttons."""

import asyncio
import re
import signal
import socket
import sys
import tomllib
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from simulator.usb import client

ROOT = Path(__file__).parents[2]
FLEET = """
[[unit]]
id = "desk"
model = "iX500"
serial = 7

[[unit]]
id = "archive"
model = "S1500"
serial = 8
sheets = 3
"""


# Whoever runs these tests in the background has them deaf to Ctrl-C, and so would be what they start.
LISTENS = ("env", "--default-signal=INT")


async def start(*arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *LISTENS, sys.executable, "-m", "simulator", *arguments, stdout=PIPE, stderr=PIPE, cwd=ROOT
    )


async def run(*arguments: str) -> tuple[int, str, str]:
    """Run a command to its end; returns its exit code and what it wrote."""
    process = await start(*arguments)
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@dataclass(frozen=True)
class Terminal:
    """A fleet that runs in its own process."""

    process: Process
    lines: list[str]
    panel: str
    usbip: tuple[str, int]


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[Terminal]:
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(FLEET, "utf-8")
    process = await start("run", "--fleet", str(fleet), "--panel-port", "0", "--usbip-port", "0")
    assert process.stdout is not None
    lines: list[str] = []
    try:
        while not lines or lines[-1] != "End with Ctrl-C.":
            line = await process.stdout.readline()
            assert line, "it ended before it was ready"
            lines.append(line.decode().rstrip())
        text = "\n".join(lines)
        panel, port = re.search(r"http://\S+", text), re.search(r"USB/IP +127\.0\.0\.1:(\d+)", text)
        assert panel is not None
        assert port is not None
        yield Terminal(process, lines, panel[0], ("127.0.0.1", int(port[1])))
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def test_the_script_of_this_name_is_what_is_run_here() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["scripts"]["scansnap-simulator"] == "simulator.__main__:main"


async def test_run_says_what_runs_and_where(terminal: Terminal) -> None:
    assert terminal.lines[:2] == [
        "unit    desk: ScanSnap iX500, serial 7, 0 sheets",
        "unit    archive: ScanSnap S1500, serial 8, 3 sheets",
    ]
    listed = await asyncio.to_thread(client.list_devices, terminal.usbip)
    assert [device.product_id for device in listed] == [0x132B, 0x11A2]


async def test_load_and_press_act_on_the_fleet_in_the_other_terminal(terminal: Terminal) -> None:
    panel = ("--panel", terminal.panel)
    assert await run("load", "4", *panel) == (0, "desk: 4 sheets loaded; 4 sheets in the feeder\n", "")
    assert await run("load", "2", "archive", *panel) == (0, "archive: 2 sheets loaded; 5 sheets in the feeder\n", "")
    assert await run("press", "archive", *panel) == (0, "archive: Scan pressed; 5 sheets in the feeder\n", "")
    async with aiohttp.ClientSession() as http, http.get(f"{terminal.panel}/units/archive/log") as answer:
        assert [event["what"] for event in await answer.json()][1:] == ["2 sheets loaded", "Scan pressed"]
    code, out, err = await run("press", "cellar/2", *panel)
    assert (code, out, err) == (1, "", "scansnap-simulator: there is no unit 'cellar/2'\n")


async def test_ctrl_c_ends_it_without_a_traceback(terminal: Terminal) -> None:
    terminal.process.send_signal(signal.SIGINT)
    out, err = await terminal.process.communicate()
    assert (terminal.process.returncode, out, err) == (0, b"", b"")


async def test_without_a_simulator_the_buttons_say_how_to_start_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    code, out, err = await run("press", "--panel", f"http://127.0.0.1:{port}")
    assert (code, out) == (1, "")
    assert err.endswith("start one with `scansnap-simulator run`\n")


async def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = await run("run", "--panel-port", "0", "--usbip-port", str(port))
    assert code == 1
    assert err.startswith("scansnap-simulator: ")
    assert str(port) in err
    assert "Traceback" not in err
