"""scansnap-simulator: run a fleet, press its buttons from another terminal, or play the demonstration."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import aiohttp

from simulator.app import running
from simulator.fleet import Fleet, FleetError

PANEL_PORT = 8711
USBIP_PORT = 3240  # the registered port of USB/IP
_ANSWER_TIMEOUT_S = 10.0


class NoPanel(Exception):
    """Nobody answers at the panel's address, or somebody else does."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0, 1 if it failed, 2 for bad arguments."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.command(arguments))
    except KeyboardInterrupt:
        return 0
    except (FleetError, NoPanel, OSError) as error:
        print(f"scansnap-simulator: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scansnap-simulator", description="Simulated ScanSnap scanners over USB/IP.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run a fleet until Ctrl-C")
    run.add_argument("--fleet", default="ix500", metavar="NAME|PATH", help="built-in fleet or TOML file (ix500)")
    run.add_argument("--panel-port", type=_port, default=PANEL_PORT, help=f"panel on 127.0.0.1 ({PANEL_PORT}; 0: any)")
    run.add_argument("--usbip-port", type=_port, default=USBIP_PORT, help=f"USB/IP on 127.0.0.1 ({USBIP_PORT}; 0: any)")
    run.set_defaults(command=_run)

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
    asyncio.run(_serve(Fleet.load(arguments.fleet), arguments.panel_port, arguments.usbip_port))
    return 0


async def _serve(fleet: Fleet, panel_port: int, usbip_port: int) -> None:
    async with running(fleet, panel_port=panel_port, usbip_port=usbip_port) as simulation:
        host, port = simulation.usbip_address
        for unit in simulation.units.values():
            print(f"unit    {unit.id}: ScanSnap {unit.model.name}, serial {unit.spec.serial}, {unit.sheets} sheets")
        print(f"USB/IP  {host}:{port}\npanel   {simulation.panel_url}\nEnd with Ctrl-C.", flush=True)
        await asyncio.Event().wait()


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
