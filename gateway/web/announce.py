"""The page's name by mDNS, so that a phone finds it: "scansnap-gateway.local" and an entry among the web pages.

Only addresses at which the page can be reached from elsewhere are announced; a page on loopback is nobody else's.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address

from zeroconf import AddressResolver, Error  # type: ignore[attr-defined]
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from gateway.web.hosts import own_addresses

log = logging.getLogger(__name__)

_LONGEST_LABEL = 63  # bytes, RFC 1035
_SUFFIX = len("-99")  # what a taken name gets
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.ASCII | re.IGNORECASE)
_PROBE_MS = 1500  # an answer to all may be held back for a second (RFC 6762, 6), and one to us is lost to a neighbour
_NAMES = 9  # gateways of one name in one house; more are somebody's game


class _NoName(Exception):
    """There is no host name to be had."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What the network was told: `name` in lists of web pages, and the URL to type."""

    name: str
    url: str


def reachable(address: str) -> tuple[str, ...]:
    """Return the addresses at which others reach a server that is bound to `address`; none for loopback and names."""
    try:
        bound = ip_address(address)
    except ValueError:
        return ()
    if bound.is_unspecified:
        return tuple(own for own in own_addresses() if bound.version == 6 or ":" not in own)
    return () if bound.is_loopback else (address,)


def instance_name(machine: str) -> str:
    """Return how the page is called in lists: with the name of the machine, that of two gateways each is known."""
    label = "".join(letter for letter in machine.partition(".")[0] if letter.isprintable()).strip()
    return f"ScanSnap Gateway on {label}" if label else "ScanSnap Gateway"


@asynccontextmanager
async def announced(
    zeroconf: AsyncZeroconf, *, name: str, host: str, port: int, tls: bool, addresses: Sequence[str]
) -> AsyncIterator[Announced | None]:
    """Announce a page while the block runs, then say good-bye; takes some seconds, for the names are asked for first.

    `name`: in lists; `host`: the label before ".local"; either gets a number where it is taken. `addresses`: where the
    page is reached, see `reachable`. None, and a line in the log, if there are none or the network cannot be told.
    """
    info = await _registered(zeroconf, name, host, port, tls, addresses)
    if info is None:
        yield None
        return
    try:
        yield Announced(info.name.removesuffix(f".{info.type}"), _url(info, tls))
    finally:
        await _unregistered(zeroconf, info)


async def keep_announced(
    zeroconf: AsyncZeroconf,
    *,
    name: str,
    host: str,
    port: int,
    tls: bool,
    addresses: Sequence[str],
    tell: Callable[[Announced], None] = lambda told: None,
) -> None:
    """Announce a page until cancelled, then say good-bye: the same as a task; `tell` gets what was announced."""
    async with announced(zeroconf, name=name, host=host, port=port, tls=tls, addresses=addresses) as told:
        if told is not None:
            tell(told)
        await asyncio.Event().wait()


async def _registered(
    zeroconf: AsyncZeroconf, name: str, host: str, port: int, tls: bool, addresses: Sequence[str]
) -> AsyncServiceInfo | None:
    if not addresses:
        log.info("the page is on this machine only: it is not announced on the network")
        return None
    try:
        info = _about(name, await _free(zeroconf, host, addresses), port, tls, addresses)
        await _told(zeroconf, info)
    except (_NoName, Error, OSError) as error:
        log.warning("the page cannot be announced on the network: %s", str(error) or type(error).__name__)
        return None
    log.info("the page is announced as %s", _url(info, tls))
    return info


async def _told(zeroconf: AsyncZeroconf, info: AsyncServiceInfo) -> None:
    try:
        await (await zeroconf.async_register_service(info, allow_name_change=True))
    except BaseException:
        await _unregistered(zeroconf, info)  # some may have heard of it
        raise


async def _unregistered(zeroconf: AsyncZeroconf, info: AsyncServiceInfo) -> None:
    """Say good-bye; not for a name that was still being asked for, since it may be another's."""
    if zeroconf.zeroconf.registry.async_get_info_name(info.key) is not info:
        return
    try:
        await (await zeroconf.async_unregister_service(info))
    except (Error, OSError) as error:
        log.warning("no good-bye was said on the network: %s", str(error) or type(error).__name__)


def _about(name: str, host: str, port: int, tls: bool, addresses: Sequence[str]) -> AsyncServiceInfo:
    kind = "_https._tcp.local." if tls else "_http._tcp.local."
    label = name.replace(".", " ").encode()[: _LONGEST_LABEL - _SUFFIX].decode(errors="ignore").strip()
    return AsyncServiceInfo(
        kind,
        f"{label}.{kind}",
        port=port,
        parsed_addresses=list(addresses),
        server=f"{host}.local.",
        properties={"path": "/"},
    )


async def _free(zeroconf: AsyncZeroconf, host: str, addresses: Sequence[str]) -> str:
    """Return `host`, or that with a number: a label which no other machine has."""
    if not _HOST.fullmatch(host) or len(host) > _LONGEST_LABEL - _SUFFIX:
        raise _NoName(f"{host!r} is no name of a host")
    for number in range(1, _NAMES + 1):
        label = host if number == 1 else f"{host}-{number}"
        holder = AddressResolver(f"{label}.local.")
        await holder.async_request(zeroconf.zeroconf, _PROBE_MS)
        if set(holder.parsed_addresses()) <= set(addresses):
            return label
    raise _NoName(f"every name from {host} to {label} is taken")


def _url(info: AsyncServiceInfo, tls: bool) -> str:
    return f"{'https' if tls else 'http'}://{(info.server or '').removesuffix('.')}:{info.port}/"
