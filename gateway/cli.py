"""argv -> settings -> command."""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway import app
from gateway.settings import Settings, SettingsError, load
from gateway.store.store import StoreUnusable
from gateway.vault.device import DeviceKeyError
from gateway.work.setup import SetupToken


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0, 1 on failure, 2 on bad usage or settings."""
    args = _parser().parse_args(argv)
    try:
        settings = load(args.config, os.environ)
    except SettingsError as error:
        print(f"scansnap-gateway: {error}", file=sys.stderr)
        return 2
    if args.command == "setup-token":
        return _setup_token(settings)
    return _run(settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scansnap-gateway", description="Takes scans from ScanSnap scanners and delivers them behind a gate."
    )
    parser.add_argument("--config", type=Path, help="a TOML file; see systemd/gateway.toml.example")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="run the daemon in the foreground")
    commands.add_parser("setup-token", help="make a new token for creating the first account, valid for an hour")
    return parser


def _setup_token(settings: Settings) -> int:
    if not settings.paths.state.is_dir():
        print(f"scansnap-gateway: {settings.paths.state} is not there: start the daemon once first", file=sys.stderr)
        return 1
    try:
        print(SetupToken(settings.paths.state).renew())
    except OSError as error:
        print(f"scansnap-gateway: {error}", file=sys.stderr)
        return 1
    return 0


def _run(settings: Settings) -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)  # its two lines at each start tell nobody anything
    try:
        asyncio.run(_daemon(settings))
    except (app.AlreadyRunning, DeviceKeyError, StoreUnusable, OSError) as error:
        print(f"scansnap-gateway: {error}", file=sys.stderr)
        return 1
    return 0


async def _daemon(settings: Settings) -> None:
    async with app.build(settings) as daemon:
        running = asyncio.ensure_future(daemon.run(ready=_ready))
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, running.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await running


def _ready(url: str) -> None:
    """Tell the console where the pages are, and systemd that the daemon is up (sd_notify(3))."""
    print(f"scansnap-gateway: {url}", flush=True)
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.connect("\0" + address[1:] if address.startswith("@") else address)
            notify.send(b"READY=1")
