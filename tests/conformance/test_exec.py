"""`scansnap-simulator exec` as a person types it: any command over the simulated bus, and its own exit code."""

import asyncio
import ctypes.util
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from tests.conformance.conftest import need

pytestmark = pytest.mark.conformance
ROOT = Path(__file__).parents[2]
EXEC = (sys.executable, "-m", "simulator", "exec")
COUNTS_INTERRUPTS = """
import signal
import time
seen = []
signal.signal(signal.SIGINT, lambda *_: (seen.append(1), print("seen", flush=True)))
signal.signal(signal.SIGTERM, lambda *_: exit(len(seen)))
print("ready", flush=True)
while True:  # not pause(): a signal right before it would wait for the next one
    time.sleep(0.01)
"""
# Whoever runs these tests in the background has them deaf to Ctrl-C, and so would be what they start.
LISTENS = ("env", "--default-signal=INT,HUP,TERM")
TAKES_THE_TERMINAL = """
import os, sys
os.setsid()
os.close(os.open(os.ttyname(0), os.O_RDWR))
os.execvp(sys.argv[1], sys.argv[1:])
"""
FLEET = '[[unit]]\nid = "desk"\nmodel = "S1500"\nserial = 77\nsheets = 3\n'


@pytest.fixture(autouse=True)
def _bus() -> None:
    need(ctypes.util.find_library("umockdev-preload"), "umockdev")


async def run(*arguments: str, cwd: Path = ROOT) -> tuple[int | None, str, str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        *EXEC, *arguments, stdout=PIPE, stderr=PIPE, cwd=cwd, env=environment
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.mark.usefixtures("sane")
async def test_scanimage_lists_the_unit_by_its_name_in_small_letters() -> None:
    code, out, err = await run("--unit", "ix500", "--sheets", "2", "--", "scanimage", "-L")
    assert (code, out) == (0, "device `fujitsu:ScanSnap iX500:1001' is a FUJITSU ScanSnap iX500 scanner\n")
    assert err.startswith("panel   http://127.0.0.1:")


@pytest.mark.usefixtures("sane")
async def test_a_duplex_batch_at_the_speed_of_the_model(tmp_path: Path) -> None:
    scan = ("scanimage", "-d", "fujitsu:ScanSnap iX500:1001", "--source", "ADF Duplex", "--batch=%d.pnm")
    began_s = asyncio.get_running_loop().time()
    code, _, err = await run("--unit", "ix500", "--sheets", "2", "--", *scan, cwd=tmp_path)
    assert code == 0, err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.pnm", "2.pnm", "3.pnm", "4.pnm"]
    assert asyncio.get_running_loop().time() - began_s >= 2 * 60 / 25  # 25 sheets a minute


async def test_the_panel_is_in_the_commands_environment(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(FLEET, "utf-8")
    ask = "import os, urllib.request as u; print(u.urlopen(os.environ['SCANSNAP_PANEL'] + '/units').read().decode())"
    _, out, _ = await run("--fleet", str(fleet), "--", sys.executable, "-c", ask)
    assert '"id": "desk", "model": "S1500", "serial": 77, "sheets": 3' in out
    _, out, _ = await run("--fleet", str(fleet), "--sheets", "5", "--", sys.executable, "-c", ask)
    assert '"sheets": 5' in out


@pytest.mark.parametrize(
    ("command", "code"),
    [(["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 137), (["no-such-program"], 127), (["/"], 126)],
    ids=["its own", "killed", "not found", "not a program"],
)
async def test_the_exit_code_is_the_commands(command: list[str], code: int) -> None:
    assert (await run("--", *command))[0] == code


async def test_a_model_or_fleet_that_there_is_not_is_said() -> None:
    code, _, err = await run("--unit", "ix9000", "--", "true")
    assert code == 1
    assert err.startswith("scansnap-simulator: unknown model 'ix9000'; known are ")
    code, _, err = await run("--fleet", "nowhere.toml", "--", "true")
    assert code == 1
    assert "nowhere.toml: no such file" in err


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_is_passed_on_and_the_bus_is_removed(sent: signal.Signals) -> None:
    report = "import os, time; print(os.environ['UMOCKDEV_DIR'], flush=True); time.sleep(100)"
    process = await started(sys.executable, "-c", report)
    assert process.stdout is not None
    root = Path((await process.stdout.readline()).decode().strip())
    assert root.exists()
    process.send_signal(sent)
    await process.communicate()
    assert process.returncode == 128 + sent
    assert not root.exists()


async def test_ctrl_c_in_a_terminal_reaches_the_command_once() -> None:
    ours, theirs = os.openpty()
    process = await started(sys.executable, "-c", COUNTS_INTERRUPTS, terminal=theirs)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    os.write(ours, b"\x03")
    assert await process.stdout.readline() == b"seen\n"
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    os.close(theirs)
    os.close(ours)
    assert process.returncode == 1


async def started(*command: str, terminal: int | None = None) -> Process:
    """Start a command over the bus; in the foreground of a terminal of its own, if one is given."""
    words = (*LISTENS, *EXEC, "--", *command)
    if terminal is None:
        return await asyncio.create_subprocess_exec(*words, stdout=PIPE, stderr=PIPE, cwd=ROOT, start_new_session=True)
    words = (sys.executable, "-c", TAKES_THE_TERMINAL, *words)
    return await asyncio.create_subprocess_exec(*words, stdin=terminal, stdout=PIPE, stderr=PIPE, cwd=ROOT)
