"""What we ask an SNMP agent for and what its answers say of the device: OIDs, makers, names. Values, not bytes.

Facts: protocols/escl-mdns-snmp.md, section 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Oid: TypeAlias = tuple[int, ...]
Value: TypeAlias = bytes | int | Oid
"""Text or an address, a number, a name."""
Values: TypeAlias = Mapping[Oid, Value]

SYS_DESCR: Oid = (1, 3, 6, 1, 2, 1, 1, 1, 0)
SYS_OBJECT_ID: Oid = (1, 3, 6, 1, 2, 1, 1, 2, 0)
SYS_NAME: Oid = (1, 3, 6, 1, 2, 1, 1, 5, 0)
HR_DEVICE_DESCR: Oid = (1, 3, 6, 1, 2, 1, 25, 3, 2, 1, 3, 1)
SERIAL_NUMBER: Oid = (1, 3, 6, 1, 2, 1, 43, 5, 1, 1, 17, 1)

SYSTEM = (SYS_DESCR, SYS_OBJECT_ID, SYS_NAME)
"""What every agent has."""
FURTHER = (HR_DEVICE_DESCR, SERIAL_NUMBER)
"""What printers have, and few others: asked apart, since some agents refuse a whole message for one missing object."""

IF_TYPE: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1, 3)
IF_PHYS_ADDRESS: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1, 6)
MOST_INTERFACES = 32  # a scanner has two; a switch that somebody wrote into the addresses may have thousands

_CARDS = frozenset({6, 71})  # ethernetCsmacd, ieee80211
_MAC_BYTES = 6
_ENTERPRISES: Oid = (1, 3, 6, 1, 4, 1)
# Net-SNMP (8072) and Microsoft (311) are not here: they name the agent's program, not the device.
MAKES = {
    11: "HP",
    211: "Fujitsu",
    253: "Xerox",
    367: "Ricoh",
    641: "Lexmark",
    1248: "Epson",
    1347: "Kyocera",
    1602: "Canon",
    2435: "Brother",
    18334: "Konica Minolta",
    18886: "PFU",
}

_MODEL_CHARACTERS = 60
_SERIAL_CHARACTERS = 40
_NAME_CHARACTERS = 63  # a label of a host name
_DESCRIPTION_CHARACTERS = 255  # RFC 1213: DisplayString (SIZE (0..255))


@dataclass(frozen=True, slots=True)
class Identification:
    """Who answers at an address; "" for what was not said. All of it is printable and bounded, none of it is proof.

    `model` as people know it; `mac` as "00:80:92:01:02:03"; `name`: the host name that somebody gave it.
    """

    make: str = ""
    model: str = ""
    serial: str = ""
    mac: str = ""
    name: str = ""
    description: str = ""


def identification(
    values: Mapping[Oid, Value], types: Mapping[Oid, Value], macs: Mapping[Oid, Value]
) -> Identification:
    """Return what the answers say: single objects, and the walks over IF_TYPE and IF_PHYS_ADDRESS."""
    description = printable(values.get(SYS_DESCR), _DESCRIPTION_CHARACTERS)
    device = printable(values.get(HR_DEVICE_DESCR), _MODEL_CHARACTERS)
    return Identification(
        make=make(values.get(SYS_OBJECT_ID)),
        model=device or description[:_MODEL_CHARACTERS].strip(),
        serial=printable(values.get(SERIAL_NUMBER), _SERIAL_CHARACTERS),
        mac=mac(types, macs),
        name=printable(values.get(SYS_NAME), _NAME_CHARACTERS),
        description=description,
    )


def make(object_id: Value | None) -> str:
    """Return the maker that a sysObjectID names by its enterprise number, or ""."""
    if not isinstance(object_id, tuple) or object_id[: len(_ENTERPRISES)] != _ENTERPRISES:
        return ""
    number = object_id[len(_ENTERPRISES) :][:1]
    return MAKES.get(number[0], "") if number else ""


def mac(types: Values, macs: Values) -> str:
    """Return the address of the first network card that has one, or ""; a loopback has none."""
    for oid in sorted(macs):
        address = macs[oid]
        kind = types.get(IF_TYPE + oid[len(IF_PHYS_ADDRESS) :])
        if kind in _CARDS and isinstance(address, bytes) and len(address) == _MAC_BYTES and any(address):
            return address.hex(":")
    return ""


def printable(value: Value | None, limit: int) -> str:
    """Return a text of at most `limit` characters on one line, without whatever does not show; "" for other types."""
    if not isinstance(value, bytes):
        return ""
    shown = "".join(letter if letter.isprintable() else " " for letter in value.decode("utf-8", "replace"))
    return " ".join(shown.replace("\ufffd", " ").split())[:limit].strip()
