"""scansnap-simulator: run a fleet, press its buttons, put it beneath a command, or play the demonstration."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from signal import Signals
from typing import Any
from urllib.parse import quote

import aiohttp

from simulator.app import beneath, running
from simulator.fleet import Fleet, FleetError
from simulator.usb.umockdev.bus import NoPreload

PANEL_PORT = 8711
USBIP_PORT = 3240  # the registered port of USB/IP
_ANSWER_TIMEOUT_S = 10.0
_NOT_RUN, _NOT_FOUND, _BY_SIGNAL = 126, 127, 128  # what a shell says of a command


class NoPanel(Exception):
    """Nobody answers at the panel's address, or somebody else does."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0, 1 if it failed, 2 for bad arguments."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.command(arguments))
    except KeyboardInterrupt:
        return 0
    except (FleetError, NoPanel, NoPreload, OSError) as error:
        print(f"scansnap-simulator: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scansnap-simulator", description="Simulated ScanSnap scanners over USB/IP.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run a fleet until Ctrl-C")
    run.add_argument("--fleet", default="ix500", metavar="NAME|PATH", help="built-in fleet or TOML file (ix500)")
    run.add_argument("--panel-port", type=_port, default=PANEL_PORT, help=f"panel on 127.0.0.1 ({PANEL_PORT}; 0: any)")
    run.add_argument("--usbip-port", type=_port, default=USBIP_PORT, help=f"USB/IP on 127.0.0.1 ({USBIP_PORT}; 0: any)")
    run.add_argument("--usbip", action="store_true", help="say how a kernel attaches the units: usbip attach ...")
    run.set_defaults(command=_run)

    under = commands.add_parser("exec", help="run a command with the simulated USB bus underneath it")
    units = under.add_mutually_exclusive_group()
    units.add_argument(
        "--unit", action="append", metavar="MODEL", help="a unit on the bus; may be repeated, in any case (ix500)"
    )
    units.add_argument("--fleet", metavar="NAME|PATH", help="built-in fleet or TOML file")
    under.add_argument("--sheets", type=int, metavar="N", help="sheets in every feeder (0, or what the fleet says)")
    under.add_argument("words", nargs="+", metavar="COMMAND", help="the command and its arguments, after --")
    under.set_defaults(command=_exec)

    press = commands.add_parser("press", help="press Scan on a running simulator")
    press.set_defaults(command=lambda a: _act(a, "press", {}))
    load = commands.add_parser("load", help="put sheets into the feeder of a running simulator")
    load.add_argument("sheets", type=int, metavar="N")
    load.set_defaults(command=lambda a: _act(a, "load", {"sheets": a.sheets}))
    for command in (press, load):
        command.add_argument("unit", nargs="?", metavar="UNIT", help="its id (the first unit)")
        command.add_argument("--panel", default=f"http://127.0.0.1:{PANEL_PORT}", metavar="URL", help="its panel")

    demo = commands.add_parser("demo", help="play the whole mission with the real gateway, then stay up")
    demo.add_argument("--once", action="store_true", help="end after the last step")
    demo.set_defaults(command=_demo)
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 0xFFFF:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def _run(arguments: argparse.Namespace) -> int:
    fleet = Fleet.load(arguments.fleet)
    asyncio.run(_serve(fleet, arguments.panel_port, arguments.usbip_port, attach=arguments.usbip))
    return 0


async def _serve(fleet: Fleet, panel_port: int, usbip_port: int, *, attach: bool) -> None:
    async with running(fleet, panel_port=panel_port, usbip_port=usbip_port) as simulation:
        host, port = simulation.usbip_address
        for unit in simulation.units.values():
            print(f"unit    {unit.id}: ScanSnap {unit.model.name}, serial {unit.spec.serial}, {unit.sheets} sheets")
            if unit.spec.wifi:
                print(f"Wi-Fi   {unit.address}  ({unit.id}, serial number {unit.spec.wifi.label})")
        for id_, url in simulation.escl_urls.items():
            print(f"eSCL    {url}  ({id_})")
        if attach:
            for number in range(1, len(simulation.units) + 1):
                print(f"attach  usbip --tcp-port {port} attach -r {host} -b 1-{number}")
        print(f"USB/IP  {host}:{port}\npanel   {simulation.panel_url}\nEnd with Ctrl-C.", flush=True)
        await asyncio.Event().wait()


def _exec(arguments: argparse.Namespace) -> int:
    return asyncio.run(_under(_fleet_beneath(arguments), arguments.words))


def _fleet_beneath(arguments: argparse.Namespace) -> Fleet:
    if not arguments.fleet:
        return Fleet.of(*arguments.unit or ["iX500"], sheets=arguments.sheets or 0)
    fleet = Fleet.load(arguments.fleet)
    if arguments.sheets is None:
        return fleet
    return Fleet(tuple(replace(spec, sheets=arguments.sheets) for spec in fleet.units))


async def _under(fleet: Fleet, words: Sequence[str]) -> int:
    """Run a command over a fleet and return its exit code; the panel's address is in SCANSNAP_PANEL."""
    async with beneath(fleet) as bench:
        print(f"panel   {bench.panel_url}", file=sys.stderr, flush=True)
        environment = {**os.environ, **bench.environment, "SCANSNAP_PANEL": bench.panel_url}
        try:
            child = await asyncio.create_subprocess_exec(*words, env=environment)
        except OSError as error:
            print(f"scansnap-simulator: {words[0]} cannot be run: {error.strerror}", file=sys.stderr)
            return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_RUN
        loop = asyncio.get_running_loop()
        for signal in (Signals.SIGINT, Signals.SIGTERM, Signals.SIGHUP):
            loop.add_signal_handler(signal, _pass_on, child, signal)
        code = await child.wait()
    return code if code >= 0 else _BY_SIGNAL - code


def _pass_on(child: asyncio.subprocess.Process, signal: Signals) -> None:
    if signal is Signals.SIGINT and _in_the_foreground():
        return  # the terminal tells the command, too; for SANE a second one means "give up at once"
    with suppress(ProcessLookupError):
        child.send_signal(signal)


def _in_the_foreground() -> bool:
    """Tell whether Ctrl-C in the terminal reaches this process and its children."""
    try:
        with open("/dev/tty", "rb", buffering=0) as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:  # no terminal
        return False


def _act(arguments: argparse.Namespace, action: str, body: dict[str, Any]) -> int:
    return asyncio.run(_post(arguments.panel.rstrip("/"), arguments.unit, action, body))


async def _post(panel: str, unit: str | None, action: str, body: dict[str, Any]) -> int:
    try:
        reply = await _ask(panel, unit, action, body)
        done = "" if "error" in reply else f"{reply['id']}: {reply['last']}; {reply['sheets']} sheets in the feeder"
    except (aiohttp.ClientError, TimeoutError, LookupError, TypeError) as error:
        raise NoPanel(f"no simulator answers at {panel}: start one with `scansnap-simulator run`") from error
    if not done:
        print(f"scansnap-simulator: {reply['error']}", file=sys.stderr)
        return 1
    print(done)
    return 0


async def _ask(panel: str, unit: str | None, action: str, body: dict[str, Any]) -> dict[str, Any]:
    """Have the panel act on a unit, or on the first one; returns the unit's state or {"error": sentence}."""
    timeout = aiohttp.ClientTimeout(total=_ANSWER_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        if unit is None:
            async with http.get(f"{panel}/units") as answer:
                unit = (await answer.json())[0]["id"]
        async with http.post(f"{panel}/units/{quote(str(unit), safe='')}/{action}", json=body) as answer:
            reply: dict[str, Any] = await answer.json()
    return reply


def _demo(arguments: argparse.Namespace) -> int:
    from simulator.demo import main as play

    return play(once=arguments.once)


if __name__ == "__main__":
    sys.exit(main())
