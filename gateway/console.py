"""The command line's end of the administrator's socket, and the commands that need no daemon: rescue, trust."""

import asyncio
import io
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
import segno

from gateway.core import paper
from gateway.core.account import fold_email
from gateway.settings import Settings
from gateway.store.store import open_store
from gateway.vault import keys
from gateway.web import announce, authority

SOCKET = "control.sock"


class ConsoleError(Exception):
    """A command that could not be carried out; `str()` is for the console."""


def ask(settings: Settings, command: str, **words: Any) -> Any:
    """Carry a command to the running daemon and return its answer; ConsoleError."""
    path = settings.paths.runtime / SOCKET
    if not path.exists():
        raise ConsoleError(f"the daemon is not running (nothing listens at {path})")
    return asyncio.run(_ask(path, command, words))


async def _ask(path: Path, command: str, words: dict[str, Any]) -> Any:
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as http:
        try:
            async with http.post(f"http://localhost{command}", json=words) as answer:
                said = json.loads(await answer.text())
        except aiohttp.ClientConnectorError as error:
            raise ConsoleError(f"the daemon cannot be reached at {path}: {error.os_error.strerror}") from None
    if answer.status != 200:
        raise ConsoleError(said["detail"])
    return said


def rescue(settings: Settings, email: str) -> tuple[str, ...]:
    """Return the age identities of an account, opened with the rescue key that is read from standard input.

    `age -d -i IDENTITY` opens the sealed pages with them, without this software. ConsoleError.
    """
    path = settings.paths.state / "gateway.sqlite3"
    if not path.is_file():
        raise ConsoleError(f"{path} is not there")
    return asyncio.run(_rescue(path, email, _typed()))


def trust(settings: Settings) -> str:
    """Return where the pages are, as text and QR code, and the fingerprint of the certificate authority; ConsoleError.

    The QR code carries both: a phone that reads it shows them before it opens the page.
    """
    if settings.web.secured != "own":
        raise ConsoleError('the pages have no certificate authority of their own (web.tls = "own")')
    path = settings.paths.state / "tls" / "authority.pem"
    try:
        fingerprint = authority.fingerprint_in(path)
    except FileNotFoundError:
        raise ConsoleError(f"{path} is not there: start the daemon once first") from None
    host = next(iter(announce.reachable(settings.web.address)), settings.web.address)
    url = f"https://{f'[{host}]' if ':' in host else host}:{settings.web.port}/trust"
    code = io.StringIO()
    segno.make(f"{url}#{fingerprint.replace(':', '')}", micro=False).terminal(code, border=2, compact=True)
    return f"{code.getvalue()}\n{url}\nSHA-256 {fingerprint}"


def _typed() -> str:
    if sys.stdin.isatty():
        print("Rescue key: ", end="", file=sys.stderr, flush=True)
    typed = paper.read(sys.stdin.readline().strip())
    if typed is None:
        raise ConsoleError("a rescue key has 24 letters and digits")
    return typed


async def _rescue(path: Path, email: str, typed: str) -> tuple[str, ...]:
    store = await open_store(path)
    try:
        account = await store.accounts.by_email(fold_email(email))
        slots = await store.recovery.rescue_slots(account.id) if account else ()
    finally:
        await store.close()
    for slot in slots:
        if account is not None and slot.rescue_hash == keys.paper_hash(typed):
            return tuple(keys.open_rescue_slot(slot.slot, typed, account.id).split())
    raise ConsoleError("no account with this e-mail address and rescue key")
