"""Settings: frozen groups, read from one TOML file; every field has a unit, a default and a reason.

An environment variable SCANSNAP_<GROUP>_<FIELD> overrides its field (lists: comma-separated). Unknown groups, unknown
fields and wrong types are errors: a setting that is silently ignored is a trap.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

_SERIAL_OWNER = re.compile(r"\s*[!-<>-~]{1,64}\s*=\s*[^\s=@]+@[^\s=@]+\s*", re.ASCII)
_ADDRESS = re.compile(r"(https?://)?[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?(?(1)(/[!-~]*)?)", re.ASCII)
_HOST_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_HOST_LABEL.pattern}\.)*(?![0-9]+\Z){_HOST_LABEL.pattern}", re.ASCII)
_REMOTE = re.compile(r"[A-Za-z0-9_-]+:[^\\\0-\x1f]*")  # a name of rclone.conf and a path; no connection string
_USB_IDS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}", re.ASCII)


class SettingsError(Exception):
    """The configuration cannot be used; `str()` names the group and the field."""


@dataclass(frozen=True, slots=True)
class Paths:
    """`state`: database, device key, sealed pages. `runtime`: what may vanish at a reboot (tokens, sockets)."""

    state: Path = Path("/var/lib/scansnap-gateway")
    runtime: Path = Path("/run/scansnap-gateway")


@dataclass(frozen=True, slots=True)
class Web:
    """Where the pages and the API listen, and how the way to them is secured.

    `hosts`: further names it answers to; `tls`: "auto" ("off" on loopback and at a socket, else "own"), "own" (a
    certificate authority of the gateway's own), "given" (`certificate` and `key`, PEM files, read again when they
    change), "off" (plain HTTP: on loopback, or at a socket); `plain_port`: where plain HTTP is answered with "use
    https", 0 for nowhere; `socket`: a Unix socket for a proxy, instead of address and port; `proxies`: networks (CIDR)
    of the proxies whose word about the client is believed; `probe_token`: a bearer token for /metrics and /readyz from
    elsewhere than loopback, "" for none.
    """

    address: str = "127.0.0.1"
    port: int = 8710
    plain_port: int = 0
    hosts: tuple[str, ...] = ()
    tls: str = "auto"
    certificate: str = ""
    key: str = ""
    socket: str = ""
    proxies: tuple[str, ...] = ()
    probe_token: str = ""

    @property
    def ports(self) -> tuple[int, ...]:
        """Return the ports of its own."""
        return tuple(port for port in (self.port, self.plain_port) if port)

    @property
    def page(self) -> str:
        """Return the address by which people are led to the pages, by the first of `hosts`; "" without one."""
        if not self.hosts:
            return ""
        if self.socket or self.proxies:
            return f"https://{self.hosts[0]}/"
        return f"http{'' if self.secured == 'off' else 's'}://{self.hosts[0]}:{self.port}/"

    @property
    def secured(self) -> str:
        """Return what `tls` comes to: "own", "given" or "off"."""
        if self.tls != "auto":
            return self.tls
        return "off" if self.socket or ip_address(self.address).is_loopback else "own"


@dataclass(frozen=True, slots=True)
class SignIn:
    """How often one network (/24, or /64 of IPv6) may call to sign in; `window_h`: the longest forwarding window."""

    calls_per_minute: int = 30
    calls_per_hour: int = 300
    window_h: int = 24


@dataclass(frozen=True, slots=True)
class Registration:
    """How a discovered unit becomes somebody's.

    `policy`: "press" (claimed, then Scan is pressed), "usb" (all that is plugged in belongs to `usb_owner`, an e-mail
    address), "serials" (`serials` says whose, as "AK7CC00700=you@example.org"; the serial number is that of the label).
    """

    policy: str = "press"
    usb_owner: str = ""
    serials: tuple[str, ...] = ()

    def owner_of(self, serial: str) -> str:
        """Return the e-mail address of whom a serial number belongs to; "" for nobody."""
        pairs = (line.partition("=") for line in self.serials)
        return next((owner.strip() for known, _, owner in pairs if known.strip() == serial and serial), "")


@dataclass(frozen=True, slots=True)
class Usb:
    """`also`: ids ("05ca:03e9") of units outside the table of models that are to be tried; nothing else is."""

    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """Where scanners are looked for beside USB.

    `find`: look on the network at all; `addresses`: scanners that are asked one by one, where broadcasts do not reach:
    "192.168.1.20", "192.168.1.30:8080" or "http://192.168.1.30:8080/eSCL"; `broadcast`: where ScanSnap units are
    called (none: on every network of this machine); `mdns`: the addresses of this machine at which mDNS is spoken
    (none: all); `snmp_community`: what SNMP agents at `addresses` are asked with; "" for not at all; `name`: the
    gateway's own name in .local.
    """

    find: bool = True
    addresses: tuple[str, ...] = ()
    broadcast: tuple[str, ...] = ()
    mdns: tuple[str, ...] = ()
    snmp_community: str = "public"
    name: str = "scansnap-gateway"


@dataclass(frozen=True, slots=True)
class Destinations:
    """What the administrator lets accounts deliver to.

    `roots`: folders below which folder destinations may lie; none by default. `allow`: addresses that the outbound
    guard would refuse otherwise, as "host:port" or CIDR (a NAS in the same house is on a private range). `remotes`:
    rclone remotes, each with the folder below which destinations may lie, as "drive:Scans"; `rclone_config`: the
    administrator's rclone.conf that says what they are (rclone writes fresh tokens into it). None by default.
    """

    roots: tuple[Path, ...] = ()
    allow: tuple[str, ...] = ()
    remotes: tuple[str, ...] = ()
    rclone_config: Path = Path("/var/lib/scansnap-gateway/rclone.conf")


@dataclass(frozen=True, slots=True)
class History:
    """How long delivered scans stay here, and how much room is left alone.

    `days`: delivered scans are kept, sealed, and can be sent again; 0 erases them as soon as they are delivered.
    `keep_free_mib`, `keep_free_percent`: of the disk under the state folder; below the larger of the two no scan is
    begun, for a disk that is full to the brim helps nobody. `quota_mib`: of each account's kept pages, 0 for no limit.
    """

    days: int = 14
    keep_free_mib: int = 512
    keep_free_percent: int = 5
    quota_mib: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """All groups."""

    paths: Paths = field(default_factory=Paths)
    web: Web = field(default_factory=Web)
    signin: SignIn = field(default_factory=SignIn)
    registration: Registration = field(default_factory=Registration)
    usb: Usb = field(default_factory=Usb)
    network: Network = field(default_factory=Network)
    destinations: Destinations = field(default_factory=Destinations)
    history: History = field(default_factory=History)


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read the file (none: defaults), then the environment, then check; SettingsError."""
    try:
        tables = {} if path is None else tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None
    groups = {f.name: getattr(Settings(), f.name) for f in fields(Settings)}
    for name, table in tables.items():
        if name not in groups or not isinstance(table, dict):
            raise SettingsError(f"[{name}] is no group of settings; there are: {', '.join(groups)}")
        groups[name] = _overlay(name, groups[name], table)
    for name, group in groups.items():
        prefix = f"SCANSNAP_{name.upper()}_"
        table = {k.removeprefix(prefix).lower(): v for k, v in environ.items() if k.startswith(prefix)}
        groups[name] = _overlay(name, group, table)
    return check(Settings(**groups))


def check(settings: Settings) -> Settings:
    """Return the settings if they make sense together; SettingsError otherwise."""
    _check_web(settings.web)
    if settings.signin.calls_per_minute < 1 or settings.signin.calls_per_hour < 1:
        raise SettingsError("signin.calls_per_minute, signin.calls_per_hour: at least 1")
    if settings.signin.window_h not in (1, 12, 24):
        raise SettingsError("signin.window_h: 1, 12 or 24")
    if settings.registration.policy not in ("press", "usb", "serials"):
        raise SettingsError('registration.policy: "press", "usb" or "serials"')
    if settings.registration.policy == "usb" and not settings.registration.usb_owner:
        raise SettingsError('registration.usb_owner: policy "usb" needs the e-mail address of the owner')
    for line in settings.registration.serials:
        if not _SERIAL_OWNER.fullmatch(line):
            raise SettingsError(f'registration.serials: {line!r} is not written as "AK7CC00700=you@example.org"')
    _check_network(settings.network)
    for ids in settings.usb.also:
        if not _USB_IDS.fullmatch(ids):
            raise SettingsError(f'usb.also: {ids!r} is no pair of ids such as "05ca:03e9"')
    _check_history(settings.history)
    for root in settings.destinations.roots:
        if not root.is_absolute():
            raise SettingsError(f"destinations.roots: {root} is not an absolute path")
    for remote in settings.destinations.remotes:
        if not _REMOTE.fullmatch(remote):
            raise SettingsError(f'destinations.remotes: {remote!r} is not written as "drive:Scans"')
    return settings


def _check_history(history: History) -> None:
    for name in ("days", "keep_free_mib", "quota_mib"):
        if getattr(history, name) < 0:
            raise SettingsError(f"history.{name}: 0 or more")
    if not 0 <= history.keep_free_percent <= 90:
        raise SettingsError("history.keep_free_percent: from 0 to 90")


def _check_web(web: Web) -> None:
    _check_address("web.address", web.address)
    for name in ("port", "plain_port"):
        if not 0 <= getattr(web, name) <= 65535:
            raise SettingsError(f"web.{name}: {getattr(web, name)} is no port")
    for host in web.hosts:
        if not _HOST_NAME.fullmatch(host.lower()):
            _check_address("web.hosts", host.strip("[]"), "host name or IP address")
    for proxy in web.proxies:
        try:
            ip_network(proxy)
        except ValueError as error:
            raise SettingsError(f"web.proxies: {proxy!r} is no network: {error}") from None
    _check_tls(web)


def _check_tls(web: Web) -> None:
    """Refuse plain HTTP where others could listen in, and what would be silently ignored."""
    if web.tls not in ("auto", "own", "given", "off"):
        raise SettingsError('web.tls: "auto", "own", "given" or "off"')
    if web.secured == "off" and not web.socket and not ip_address(web.address).is_loopback:
        raise SettingsError('web.tls: "off" is plain HTTP, which is served on loopback or a Unix socket only')
    if web.socket and (web.secured != "off" or not Path(web.socket).is_absolute()):
        raise SettingsError("web.socket: an absolute path, and without web.tls: the proxy before it speaks TLS")
    if (web.secured == "given") != bool(web.certificate and web.key) or bool(web.certificate) != bool(web.key):
        raise SettingsError('web.certificate, web.key: both with web.tls = "given", and neither without')
    if web.plain_port and (web.secured == "off" or web.plain_port == web.port):
        raise SettingsError("web.plain_port: leads to https, so it needs web.tls, and another port than web.port")


def _check_address(name: str, address: str, what: str = "IP address") -> None:
    try:
        ip_address(address)
    except ValueError:
        raise SettingsError(f"{name}: {address!r} is no {what}") from None


def _check_network(network: Network) -> None:
    for name in ("broadcast", "mdns"):
        for address in getattr(network, name):
            _check_address(f"network.{name}", address)
    for address in network.addresses:
        if not _ADDRESS.fullmatch(address) or _port(address) > 65535:
            raise SettingsError(f"network.addresses: {address!r} is no address, host:port or http(s) URL")
    if not _HOST_LABEL.fullmatch(network.name):
        raise SettingsError(f"network.name: {network.name!r} is no host name of letters, digits and '-'")


def _port(address: str) -> int:
    host = address.partition("://")[2] or address
    return int(host.partition("/")[0].partition(":")[2] or 0)


def _overlay(name: str, group: Any, table: Mapping[str, Any]) -> Any:
    known = {f.name: getattr(group, f.name) for f in fields(group)}
    for key in table:
        if key not in known:
            raise SettingsError(f"{name}.{key} is no setting; there are: {', '.join(known)}")
    return replace(group, **{k: _convert(f"{name}.{k}", known[k], v) for k, v in table.items()})


def _convert(where: str, default: Any, value: Any) -> Any:
    if isinstance(default, bool):
        return _switch(where, value)
    if isinstance(default, int) and isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(default, tuple):
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(i, str) for i in items):
            raise SettingsError(f"{where}: a list of strings is needed")
        wanted = Path if where == "destinations.roots" else str
        return tuple(wanted(i.strip()) for i in items if i.strip())
    if isinstance(default, Path) and isinstance(value, str):
        return Path(value)
    if type(value) is not type(default):
        raise SettingsError(f"{where}: {type(default).__name__} is needed, not {value!r}")
    return value


def _switch(where: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value not in ("true", "false"):
        raise SettingsError(f"{where}: true or false is needed, not {value!r}")
    return value == "true"
