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

from gateway import app, console
from gateway.settings import Settings, SettingsError, load
from gateway.store.store import StoreUnusable
from gateway.vault.device import DeviceKeyError
from gateway.web.authority import TlsError
from gateway.work.setup import SetupToken


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0, 1 on failure, 2 on bad usage or settings."""
    args = _parser().parse_args(argv)
    try:
        settings = load(args.config, os.environ)
    except SettingsError as error:
        print(f"scansnap-gateway: {error}", file=sys.stderr)
        return 2
    if args.command == "run":
        return _run(settings)
    if args.command == "setup-token":
        return _setup_token(settings)
    return _administer(settings, args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scansnap-gateway", description="Takes scans from ScanSnap scanners and delivers them behind a gate."
    )
    parser.add_argument("--config", type=Path, help="a TOML file; see systemd/gateway.toml.example")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="run the daemon in the foreground")
    commands.add_parser("setup-token", help="make a new token for creating the first account, valid for an hour")
    _account(commands.add_parser("account", help="accounts: list, invite, reset, disable, enable, forced-release"))
    deliveries = commands.add_parser("deliveries", help="what went where lately, newest first")
    deliveries.add_argument("name", metavar="EMAIL", nargs="?", default="", help="of this account only")
    deliveries.set_defaults(action="list")
    clock = commands.add_parser("clock", help="the clock that codes are checked by").add_subparsers(
        dest="action", required=True
    )
    clock.add_parser("trust", help="believe the clock from now on, after it was set right")
    audit = commands.add_parser("audit", help="the security log").add_subparsers(dest="action", required=True)
    audit.add_parser("verify", help="check that no line was changed, or removed from within")
    commands.add_parser("trust", help="show the address of the pages, and the fingerprint that phones are to compare")
    rescue = commands.add_parser("rescue", help="print an account's age identities; reads its rescue key from stdin")
    rescue.add_argument("name", metavar="EMAIL")
    return parser


def _account(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="list the accounts")
    for action, help_text in (
        ("invite", "print an invitation to a new account, good for a week"),
        ("reset", "print a ticket that sets a new password, good for half an hour"),
        ("disable", "shut an account's gate and end its sessions; its units still scan"),
        ("enable", "enable a disabled account"),
    ):
        named = actions.add_parser(action, help=help_text)
        named.add_argument("name", metavar="EMAIL")
        if action == "reset":
            drop = "two-factor authentication goes, too: only if the authenticator is lost"
            named.add_argument("--drop-two-factor", action="store_true", help=drop)
    release = actions.add_parser("forced-release", help="take a unit from its owner; two-factor stays on")
    release.add_argument("name", metavar="UNIT", help="the unit's id, as GET /api/v1/units tells its owner")


def _administer(settings: Settings, args: argparse.Namespace) -> int:
    """Carry a command to the running daemon (or the rescue key to the database) and print what comes back."""
    try:
        if args.command == "rescue":
            print("\n".join(console.rescue(settings, args.name)))
            return 0
        if args.command == "trust":
            print(console.trust(settings))
            return 0
        words = {k: v for k, v in vars(args).items() if k in ("name", "drop_two_factor")}
        said = console.ask(settings, f"/{args.command}/{args.action}", **words)
    except (console.ConsoleError, StoreUnusable, OSError) as error:
        print(f"scansnap-gateway: {error}", file=sys.stderr)
        return 1
    print(said["text"] if "text" in said else _table(said["items"]))
    return 0


def _table(rows: list[dict[str, object]]) -> str:
    return "\n".join("\t".join(str(value) for value in row.values()) for row in rows)


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
    for told in ("alembic", "asyncssh"):  # two lines at each start, and the names of users and hosts
        logging.getLogger(told).setLevel(logging.WARNING)
    try:
        asyncio.run(_daemon(settings))
    except (app.AlreadyRunning, DeviceKeyError, StoreUnusable, TlsError, OSError) as error:
        print(f"scansnap-gateway: {error}", file=sys.stderr)
        return 1
    return 0


async def _daemon(settings: Settings) -> None:
    async with app.build(settings) as daemon:
        running = asyncio.ensure_future(daemon.run(ready=lambda url: _ready(url, daemon.setup)))
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, running.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await running


def _ready(url: str, setup: SetupToken) -> None:
    """Tell the console where the pages are, and systemd that the daemon is up (sd_notify(3)).

    The set-up token goes to a person at a terminal only, never into a log.
    """
    print(f"scansnap-gateway: {url}", flush=True)
    if sys.stdout.isatty() and (token := setup.told()):
        print(f"scansnap-gateway: set-up token {token}", flush=True)
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.connect("\0" + address[1:] if address.startswith("@") else address)
            notify.send(b"READY=1")
