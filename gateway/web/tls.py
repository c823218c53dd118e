"""Which certificate the pages show, and how another one takes its place without a restart.

Either our own authority (authority.py) vouches for the names and addresses that this machine has now, or the
administrator gives a certificate and its key. Connections that are open go on with what they began with.
"""

import asyncio
import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cryptography import x509

from gateway.clock import Clock
from gateway.settings import Settings, Web
from gateway.web import authority
from gateway.web.authority import Pair, TlsError
from gateway.web.hosts import own_addresses

LOOK_S = 60.0  # a new address of DHCP or a certificate that was just put in place; a look costs a millisecond

log = logging.getLogger(__name__)

Names = frozenset[x509.GeneralName]


class Source(Protocol):
    """Where the certificate comes from."""

    @property
    def authority(self) -> Pair | None:
        """Return the authority that vouches, if it is ours."""

    def fresh(self) -> bytes | None:
        """Return another chain and key (PEM) if it is time for it, None otherwise; TlsError."""

    def know(self, name: str) -> None:
        """Take note of another name of ours."""


class Own:
    """Our own authority and what it vouches for, in `folder`. `password` seals both keys there."""

    def __init__(self, web: Web, name: str, folder: Path, password: bytes, now: Callable[[], datetime]) -> None:
        self._web = web
        self._folder = folder
        self._password = password
        self._now = now
        self._known = {f"{name}.local"}
        self._left_out: Names = frozenset()
        folder.mkdir(mode=0o700, exist_ok=True)
        self._ours = self._authority()
        self._leaf = authority.read(self._leaf_path, password)
        self._shown: Pair | None = None

    @property
    def authority(self) -> Pair:
        """Return our authority."""
        return self._ours

    @property
    def _leaf_path(self) -> Path:
        return self._folder / "leaf.pem"

    def _authority(self) -> Pair:
        path = self._folder / "authority.pem"
        kept = authority.read(path, self._password)
        if kept is None or kept.certificate.not_valid_after_utc <= self._now():
            kept = authority.make(self._hosts(), self._now())
            authority.write(path, kept, self._password)
            log.info("a certificate authority was made: SHA-256 %s", kept.fingerprint)
        return kept

    def know(self, name: str) -> None:
        """Take note of another name of ours; the next look sees to it."""
        self._known.add(name)

    def fresh(self) -> bytes | None:
        """Return a chain and key if names or dates ask for another one."""
        names = self._names()
        if self._leaf is None or self._stale(self._leaf, names):
            self._leaf = authority.vouch(self._ours, names, self._now())
            authority.write(self._leaf_path, self._leaf, self._password)
            log.info("a certificate was made, good until %s", self._leaf.certificate.not_valid_after_utc.date())
        if self._leaf is self._shown:
            return None
        self._shown = self._leaf
        return self._leaf.pem + self._leaf.key_pem(None)

    def _stale(self, leaf: Pair, names: Names) -> bool:
        ours = leaf.certificate.issuer == self._ours.certificate.subject
        return not ours or leaf.worn(self._now()) or authority.names_of(leaf.certificate) != names

    def _names(self) -> Names:
        """Return every name that we have and may vouch for; the others are told of once."""
        wanted = authority.general(self._hosts())
        may = frozenset(name for name in wanted if authority.permits(self._ours, name))
        for name in wanted - may - self._left_out:
            log.warning(
                "the certificate authority was not made for %s; move %s away for a new one, which phones have to trust",
                name.value,
                self._folder / "authority.pem",
            )
        self._left_out = wanted - may
        return may

    def _hosts(self) -> set[str]:
        machine = socket.gethostname().partition(".")[0]
        ours = {"localhost", "127.0.0.1", "::1", *own_addresses(), *self._known, *self._web.hosts}
        return ours | ({f"{machine}.local"} if machine.isascii() and machine.replace("-", "").isalnum() else set())


class Given:
    """A certificate (with its chain) and a key of the administrator's, read again when a file changes."""

    authority = None

    def __init__(self, certificate: Path, key: Path) -> None:
        self._paths = certificate, key
        self._seen: tuple[tuple[int, int, int], ...] = ()

    def know(self, name: str) -> None:
        """Leave it: whoever made the certificate knew its names."""

    def fresh(self) -> bytes | None:
        """Return what the files hold if one of them changed."""
        try:
            seen = tuple((it.st_ino, it.st_size, it.st_mtime_ns) for it in (path.stat() for path in self._paths))
            if seen == self._seen:
                return None
            pem = b"\n".join(path.read_bytes() for path in self._paths)
        except OSError as error:
            raise TlsError(f"{error.filename}: {error.strerror}") from None
        self._seen = seen
        return pem


class Tls:
    """The TLS side of the server: `context` is what it listens with."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._turn = threading.Lock()  # a look is taken in a thread, a new name comes from the event loop
        self.context = _context()
        self._refresh()

    @property
    def authority(self) -> Pair | None:
        """Return the authority that phones are to trust; None if the certificate is the administrator's."""
        return self._source.authority

    def know(self, name: str) -> None:
        """Vouch for another name of ours, too."""
        self._source.know(name)
        self.look()

    def look(self) -> None:
        """Show another certificate if it is time for it; what cannot be used is logged, and the old one stays."""
        try:
            self._refresh()
        except (TlsError, OSError) as error:
            log.error("the certificate stays as it was: %s", error)

    async def run(self) -> None:
        """Look every minute until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await asyncio.to_thread(self.look)

    def _refresh(self) -> None:
        with self._turn:
            pem = self._source.fresh()
            if pem is not None:
                _show(_context(), pem)  # a pair that does not fit would spoil the context that is in use
                _show(self.context, pem)


def build(settings: Settings, password: bytes, clock: Clock) -> Tls | None:
    """Return the TLS side that the settings ask for, None for plain HTTP; TlsError, OSError."""
    web = settings.web
    if web.secured == "off":
        return None
    if web.secured == "given":
        return Tls(Given(Path(web.certificate), Path(web.key)))
    folder = settings.paths.state / "tls"
    return Tls(Own(web, settings.network.name, folder, password, lambda: clock.now().utc))


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _show(context: ssl.SSLContext, pem: bytes) -> None:
    """Load a chain and its key, which OpenSSL takes from files only: one in memory; TlsError."""
    file = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(file, pem)
        context.load_cert_chain(f"/proc/self/fd/{file}", password="")  # none: it would ask at the terminal
    except (ssl.SSLError, ValueError) as error:
        raise TlsError(f"the certificate and its key cannot be used: {_why(error)}") from None
    finally:
        os.close(file)


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", None) or ""
    return str(reason).lower().replace("_", " ") or "no PEM, or a key with a password"
