"""Which services mDNS tells of: their base addresses as they come and go (protocols/escl-mdns-snmp.md 2)."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from urllib.parse import quote, unquote

from zeroconf import ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

log = logging.getLogger(__name__)

TLS, PLAIN, PRESENCE = "_uscans._tcp.local.", "_uscan._tcp.local.", "_scanner._tcp.local."
_SCHEMES = {TLS: "https", PLAIN: "http", PRESENCE: ""}
_MOST_SERVICES = 256  # bounds what a liar on the network can make us remember
_ANSWER_TIMEOUT_MS = 3000
_LONGEST_PATH = 100


@dataclass(frozen=True, slots=True)
class Service:
    """A service: its instance's name, where it is, and its base URL ("" where only its presence is told)."""

    name: str
    host: str
    base: str


class Browser:
    """Browses until closed; `changed` is called when `services` is other than it was."""

    def __init__(self, zeroconf: AsyncZeroconf, changed: Callable[[], None]) -> None:
        self._zeroconf = zeroconf
        self._changed = changed
        self._work: set[asyncio.Task[None]] = set()
        self._browser: AsyncServiceBrowser | None = None
        self.services: dict[str, Service] = {}

    async def start(self) -> None:
        """Begin to browse."""
        self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, list(_SCHEMES), handlers=[self._heard])

    async def close(self) -> None:
        """Stop browsing."""
        if self._browser is not None:
            await self._browser.async_cancel()
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    def _heard(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is ServiceStateChange.Removed:
            if self.services.pop(name, None) is not None:
                self._changed()
        elif len(self._work) < _MOST_SERVICES:
            task = asyncio.ensure_future(self._resolve(service_type, name))
            self._work.add(task)
            task.add_done_callback(self._work.discard)

    async def _resolve(self, service_type: str, name: str) -> None:
        info = AsyncServiceInfo(service_type, name)
        if not await info.async_request(self._zeroconf.zeroconf, _ANSWER_TIMEOUT_MS):
            return
        service = _service(service_type, name, info)
        if service is None or (name not in self.services and len(self.services) >= _MOST_SERVICES):
            return
        if self.services.get(name) != service:
            self.services[name] = service
            self._changed()


def _service(service_type: str, name: str, info: AsyncServiceInfo) -> Service | None:
    """Return a service at its newest address of IPv4; None for what is not usable."""
    addresses = [ip_address(text) for text in info.parsed_addresses()]
    host = next((str(one) for one in addresses if isinstance(one, IPv4Address)), "")
    scheme = _SCHEMES[service_type]
    label = "".join(c for c in name.removesuffix(f".{service_type}") if c.isprintable())[:100]
    if not host or not info.port:
        return None
    if not scheme:
        return Service(label, host, "")
    path = _path(info.properties)
    return None if path is None else Service(label, host, f"{scheme}://{host}:{info.port}/{path}")


def _path(properties: dict[bytes, bytes | None]) -> str | None:
    """Return the resource path of TXT `rs`, whatever its case, without slashes around it; None for one to keep off."""
    values = {key.lower(): value for key, value in properties.items()}
    text = (values.get(b"rs") or b"eSCL").decode("utf-8", "replace").strip("/")
    parts = unquote(text).split("/")
    if ":" in text or ".." in parts or "\\" in text or len(text) > _LONGEST_PATH or not text.isprintable():
        return None
    return quote(text, safe="/")
