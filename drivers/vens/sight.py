"""What is told of a unit that answered: its name, its pin, and whether it is driven. No I/O, no clock."""

from datetime import datetime

from drivers.port import Sighting
from drivers.vens import dialects
from drivers.vens.wire import DeviceInfo


def name(info: DeviceInfo) -> str:
    """Return the sighting id of a unit."""
    return f"vens:{info.model}:{info.serial}"


def pin(info: DeviceInfo) -> str:
    """Return a unit's fingerprint."""
    return f"{info.mac}/{info.serial}"


def default_password(info: DeviceInfo) -> str:
    """Return what a unit asks for until its owner changes it (section 5): the end of its serial number."""
    return info.serial[-4:]


def excuse(info: DeviceInfo) -> str:
    """Return why a unit is not driven, or ""."""
    if dialects.of(info).proven:
        return ""
    return (
        f"Found, dialect unproven: nobody has published how the {info.model} is scanned from over Wi-Fi. "
        "Connect it by USB"
    )


def sighting(info: DeviceInfo, seen_at: datetime) -> Sighting:
    """Return the sighting of a unit."""
    return Sighting(
        id=name(info),
        model=info.model,
        via="wifi",
        address=str(info.address),
        fingerprint=pin(info),
        seen_at=seen_at,
        driven=excuse(info),
        has_button=dialects.of(info).has_button,
        serial=info.serial,
        default_password=default_password(info),
    )
