"""Which units there are and the ways to reach them, as data: UnitSpec rows, read from TOML. No behaviour."""

import re
import tomllib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib import resources
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from simulator import models
from simulator.sheets import PAPERS

MAX_SHEETS = 1000  # more than any feeder takes; bounds what a mistyped number can do
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_LABEL = re.compile(r"[A-Z0-9]{4,32}", re.ASCII)
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.ASCII | re.IGNORECASE)
_OID = re.compile(r"[0-2]\.[0-9]{1,2}(\.[0-9]{1,9}){1,32}", re.ASCII)
_LONGEST_PASSWORD = 16
_LONGEST_SNMP_TEXT = 255  # DisplayString
_MAX_SERIAL = 0xFFFF_FFFF
_MAX_FEED_S = 600.0
_MAX_BUSY_POLLS = 100
_PEER_BUSY_POLLS = 1  # hardware makes a host wait at least once a side
_FIRST_SERIAL = 1000


class FleetError(ValueError):
    """A fleet that cannot be built; `str()` says what to change."""


@dataclass(frozen=True, slots=True)
class Wifi:
    """The Wi-Fi of a unit. What it tells there and what it tells on USB have nothing in common, as in life.

    `address`: its own, in 127.0.0.0/8; `label`: the serial number on the label, the end of its host name; `password`:
    "" for the last four characters of the label; `dialect`: "" for that of its model (simulator.vens.dialects).
    """

    address: str
    label: str
    mac: str
    password: str = ""
    dialect: str = ""

    def __post_init__(self) -> None:
        own_address(self.address)
        if not isinstance(self.label, str) or not _LABEL.fullmatch(self.label):
            raise FleetError(f"wifi.label {self.label!r}: 4 to 32 capital letters and digits")
        if not isinstance(self.mac, str) or not _MAC.fullmatch(self.mac):
            raise FleetError(f"wifi.mac {self.mac!r}: six pairs of hexadecimal digits, 00:80:92:01:02:03")
        if not isinstance(self.password, str) or len(self.password) > _LONGEST_PASSWORD or not self.password.isascii():
            raise FleetError(f"wifi.password: at most {_LONGEST_PASSWORD} ASCII characters")
        if not isinstance(self.dialect, str):
            raise FleetError("wifi.dialect: the name of a dialect")


@dataclass(frozen=True, slots=True)
class Escl:
    """A unit's eSCL service, as a bridge or an office machine offers it.

    `address`: in 127.0.0.0/8; `port` 0: any free one; `make_and_model`: what it calls itself ("": as the unit's model);
    `uuid`: "" for one of its own; `tls`: HTTPS with a certificate of its own; `adf`, `duplex`, `platen`: what it has;
    `announced`: seen by mDNS.
    """

    address: str = "127.0.0.1"
    port: int = 0
    make_and_model: str = ""
    serial: str = ""
    uuid: str = ""
    tls: bool = False
    adf: bool = True
    duplex: bool = True
    platen: bool = False
    announced: bool = False

    def __post_init__(self) -> None:
        own_address(self.address)
        _whole("escl", "port", self.port, 0xFFFF)
        for name in ("make_and_model", "serial"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).isprintable():
                raise FleetError(f"escl.{name}: printable text")
        for name in ("tls", "adf", "duplex", "platen", "announced"):
            if not isinstance(getattr(self, name), bool):
                raise FleetError(f"escl.{name}: true or false")
        if not (self.adf or self.platen):
            raise FleetError("escl: a scanner has a feeder (adf) or a platen, or both")
        try:
            uuid.UUID(self.uuid or "0" * 32)
        except (ValueError, AttributeError, TypeError):
            raise FleetError(f"escl.uuid {self.uuid!r} is no UUID") from None


@dataclass(frozen=True, slots=True)
class Snmp:
    """What a unit's SNMP agent says; "" leaves a value out, or empty where every agent has it.

    `address`: in 127.0.0.0/8; `port` 0: any free one; `description`, `object_id`, `name`: sysDescr, sysObjectID and
    sysName; `mac`: ifPhysAddress of its card; `device`: hrDeviceDescr; `serial`: prtGeneralSerialNumber; `device_id`:
    its IEEE 1284 id ("MFG:..;MDL:..;").
    """

    address: str = "127.0.0.1"
    port: int = 0
    community: str = "public"
    description: str = ""
    object_id: str = "1.3.6.1.4.1.211.1"  # below Fujitsu's number
    name: str = ""
    mac: str = ""
    device: str = ""
    serial: str = ""
    device_id: str = ""

    def __post_init__(self) -> None:
        own_address(self.address)
        _whole("snmp", "port", self.port, 0xFFFF)
        for name in ("community", "description", "name", "device", "serial", "device_id"):
            text = getattr(self, name)
            if not isinstance(text, str) or len(text.encode()) > _LONGEST_SNMP_TEXT:
                raise FleetError(f"snmp.{name}: text of at most {_LONGEST_SNMP_TEXT} bytes")
        if not isinstance(self.object_id, str) or not _OID.fullmatch(self.object_id):
            raise FleetError(f"snmp.object_id {self.object_id!r}: numbers and dots, 1.3.6.1.4.1.211.1")
        if not isinstance(self.mac, str) or not (self.mac == "" or _MAC.fullmatch(self.mac)):
            raise FleetError(f"snmp.mac {self.mac!r}: six pairs of hexadecimal digits, 00:80:92:01:02:03")


@dataclass(frozen=True, slots=True)
class UnitSpec:
    """One unit; FleetError if a value is out of its range.

    `serial` is what GET DEVICE ID answers; `sheets` lie in the feeder at the start; `feed_s` is the time of one sheet
    (None: the model's own speed); `busy_polls` is how often each side answers "no data yet" before it is ready;
    `paper` is what the sheets are. `usb`, `wifi`, `escl`: the ways to reach it; `snmp`: an agent that tells of it.
    """

    id: str
    model: str
    serial: int
    sheets: int = 0
    feed_s: float | None = None
    busy_polls: int = 0
    paper: str = "a4"
    usb: bool = True
    wifi: Wifi | None = None
    escl: Escl | None = None
    snmp: Snmp | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not _ID.fullmatch(self.id):
            raise FleetError(f"id {self.id!r}: use 1 to 32 of a-z, 0-9 and '-'")
        if not isinstance(self.model, str) or self.model not in models.BY_NAME:
            raise FleetError(f"{self.id}: unknown model {self.model!r}; known are {', '.join(models.BY_NAME)}")
        _whole(self.id, "serial", self.serial, _MAX_SERIAL)
        _whole(self.id, "sheets", self.sheets, MAX_SHEETS)
        _whole(self.id, "busy_polls", self.busy_polls, _MAX_BUSY_POLLS)
        if not isinstance(self.paper, str) or self.paper not in PAPERS:
            raise FleetError(f"{self.id}: unknown paper {self.paper!r}; known are {', '.join(PAPERS)}")
        if self.feed_s is not None and not _is_duration(self.feed_s):
            raise FleetError(f"{self.id}: feed_s must be a number of seconds from 0 to {_MAX_FEED_S:.0f}")
        if not isinstance(self.usb, bool):
            raise FleetError(f"{self.id}: usb must be true or false")
        if not (self.usb or self.wifi or self.escl):
            raise FleetError(f"{self.id}: there is no way to reach it; give it usb, wifi or escl")


@dataclass(frozen=True, slots=True)
class Fleet:
    """The units of one simulation, with different ids; FleetError otherwise."""

    units: tuple[UnitSpec, ...]

    def __post_init__(self) -> None:
        ids = [unit.id for unit in self.units]
        if not ids:
            raise FleetError("a fleet needs at least one [[unit]]")
        for id_ in ids:
            if ids.count(id_) > 1:
                raise FleetError(f"two units are called {id_!r}")
        on_wifi = [unit.wifi for unit in self.units if unit.wifi is not None]
        for what, values in (("address", [w.address for w in on_wifi]), ("MAC", [w.mac for w in on_wifi])):
            if len(set(values)) < len(values):
                raise FleetError(f"two units have the same Wi-Fi {what}")

    @classmethod
    def of(
        cls,
        *names: str,
        sheets: int = 0,
        paper: str = "a4",
        feed_s: float | None = None,
        busy_polls: int = _PEER_BUSY_POLLS,
    ) -> "Fleet":
        """Return one unit of each model named, at its own speed; FleetError for a model that there is not.

        Units are called as their models in small letters, a second one "ix500-2"; their serial numbers differ.
        """
        rows: list[UnitSpec] = []
        for number, name in enumerate(names, start=1):
            model = models.find(name)
            if model is None:
                raise FleetError(f"unknown model {name!r}; known are {', '.join(models.BY_NAME)}")
            same = sum(row.model == model.name for row in rows)
            id_ = model.name.lower() + (f"-{same + 1}" if same else "")
            rows.append(UnitSpec(id_, model.name, _FIRST_SERIAL + number, sheets, feed_s, busy_polls, paper))
        return cls(tuple(rows))

    @classmethod
    def load(cls, source: str | Path) -> "Fleet":
        """Read a fleet from a TOML file, or a built-in one by its name ("ix500"); FleetError says what is wrong."""
        text = _text(source)
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise FleetError(f"{source}: not valid TOML: {error}") from error
        if unknown := set(document) - {"unit"}:
            raise FleetError(f"{source}: unknown key {min(unknown)!r}; a fleet has only [[unit]] tables")
        rows = document.get("unit", [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise FleetError(f"{source}: write each unit as a [[unit]] table")
        try:
            return cls(tuple(_unit(row) for row in rows))
        except FleetError as error:
            raise FleetError(f"{source}: {error}") from error


def builtin() -> tuple[str, ...]:
    """Return the names of the built-in fleets."""
    folder = resources.files("simulator") / "fleets"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def _text(source: str | Path) -> str:
    if isinstance(source, str) and source in builtin():
        return (resources.files("simulator") / "fleets" / f"{source}.toml").read_text("utf-8")
    try:
        return Path(source).read_text("utf-8")
    except FileNotFoundError:
        raise FleetError(f"{source}: no such file, and no built-in fleet ({', '.join(builtin())})") from None
    except (OSError, ValueError) as error:
        raise FleetError(f"{source}: cannot be read: {error}") from error


def _unit(row: dict[str, Any]) -> UnitSpec:
    known = {field.name for field in fields(UnitSpec)}
    name = row.get("id", "a unit")
    if unknown := set(row) - known:
        raise FleetError(f"{name}: unknown key {min(unknown)!r}; known are {', '.join(sorted(known))}")
    if missing := {"id", "model", "serial"} - set(row):
        raise FleetError(f"{name}: {min(missing)!r} is missing")
    for way, make in _WAYS.items():
        if way in row:
            row = {**row, way: _way(name, way, make, row[way])}
    return UnitSpec(**row)


_WAYS: dict[str, Callable[..., Wifi | Escl | Snmp]] = {"wifi": Wifi, "escl": Escl, "snmp": Snmp}


def _way(unit: object, way: str, make: Callable[..., Wifi | Escl | Snmp], table: object) -> Wifi | Escl | Snmp:
    if not isinstance(table, dict):
        raise FleetError(f"{unit}: {way} is a table")
    try:
        return make(**table)
    except TypeError as error:  # an unknown key, or one that is missing
        raise FleetError(f"{unit}: {way}: {error}") from None
    except FleetError as error:
        raise FleetError(f"{unit}: {error}") from None


def own_address(value: object) -> None:
    """Check an address of a unit's own; FleetError unless it is in 127.0.0.0/8."""
    if not isinstance(value, str) or not value.startswith("127."):
        raise FleetError(f"address {value!r}: one in 127.0.0.0/8, such as 127.77.0.1")
    try:
        IPv4Address(value)
    except ValueError:
        raise FleetError(f"address {value!r} is no IPv4 address") from None


def _whole(unit: str, name: str, value: object, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise FleetError(f"{unit}: {name} must be a whole number from 0 to {most}, not {value!r}")


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MAX_FEED_S
