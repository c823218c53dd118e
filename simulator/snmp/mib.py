"""What an agent knows, as rows of a MIB. Sources: RFC 1213, RFC 2790, RFC 3805, by escl-mdns-snmp, section 5."""

from collections.abc import Iterator

from simulator.fleet import Snmp
from simulator.snmp.ber import TIME_TICKS, Oid, integer, object_id, octets

_SYSTEM: Oid = (1, 3, 6, 1, 2, 1, 1)
_INTERFACE: Oid = (1, 3, 6, 1, 2, 1, 2, 2, 1)
_DEVICE: Oid = (1, 3, 6, 1, 2, 1, 25, 3, 2, 1)
_PRINTER: Oid = (1, 3, 6, 1, 2, 1, 43, 5, 1, 1)
_OTHER_DEVICE: Oid = (1, 3, 6, 1, 2, 1, 25, 3, 1, 1)
_IPP_DEVICE_ID: Oid = (1, 3, 6, 1, 4, 1, 2699, 1, 2, 1, 2, 1, 1, 3, 1)
_APPLICATIONS = 64  # sysServices: layer 7
_LOOPBACK, _ETHERNET = 24, 6  # ifType
_RUNNING = 2


def table(spec: Snmp, uptime_cs: int) -> dict[Oid, bytes]:
    """Return name and encoded value of all that this agent tells, in the order of names.

    `uptime_cs`: hundredths of a second since it was switched on.
    """
    rows = {(*_SYSTEM, column, 0): value for column, value in _system(spec, uptime_cs)}
    rows |= {(*_INTERFACE, column, index): value for column, index, value in _interfaces(spec)}
    if spec.device:
        rows |= {(*_DEVICE, column, 1): value for column, value in _device(spec)}
    if spec.serial:
        rows[(*_PRINTER, 17, 1)] = octets(spec.serial.encode())  # prtGeneralSerialNumber
    if spec.device_id:
        rows[_IPP_DEVICE_ID] = octets(spec.device_id.encode())
    return dict(sorted(rows.items()))


def _system(spec: Snmp, uptime_cs: int) -> Iterator[tuple[int, bytes]]:
    yield 1, octets(spec.description.encode())
    yield 2, object_id(tuple(int(arc) for arc in spec.object_id.split(".")))
    yield 3, integer(uptime_cs & 0xFFFF_FFFF, TIME_TICKS)
    yield 4, octets(b"")
    yield 5, octets(spec.name.encode())
    yield 6, octets(b"")
    yield 7, integer(_APPLICATIONS)


def _interfaces(spec: Snmp) -> Iterator[tuple[int, int, bytes]]:
    """Yield column, index and value: a loopback without an address, then the card."""
    for index, name, kind, mac in ((1, "lo", _LOOPBACK, ""), (2, "eth0", _ETHERNET, spec.mac)):
        yield 1, index, integer(index)
        yield 2, index, octets(name.encode())
        yield 3, index, integer(kind)
        yield 6, index, octets(bytes.fromhex(mac.replace(":", "")))


def _device(spec: Snmp) -> Iterator[tuple[int, bytes]]:
    yield 1, integer(1)
    yield 2, object_id(_OTHER_DEVICE)
    yield 3, octets(spec.device.encode())
    yield 5, integer(_RUNNING)
