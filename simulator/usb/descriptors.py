"""USB descriptors <-> dataclasses (USB 2.0, chapter 9). One configuration, one interface, two bulk endpoints."""

from dataclasses import dataclass

from simulator.models import VENDOR_ID, Model

BULK_IN, BULK_OUT = 0x81, 0x02
MAX_PACKET_BYTES = 512  # high speed
HIGH_SPEED = 3  # both Linux's and libusb's number for it
DEVICE_LENGTH, CONFIGURATION_LENGTH, INTERFACE_LENGTH, ENDPOINT_LENGTH = 18, 9, 9, 7
_DEVICE, _CONFIGURATION, _STRING, _INTERFACE, _ENDPOINT = 1, 2, 3, 4, 5
_ENGLISH = 0x0409


class DescriptorError(ValueError):
    """Bytes that are no descriptor of a kind that a scanner has."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint descriptor; the names are those of USB 2.0, which pyusb reads."""

    bLength: int
    bDescriptorType: int
    bEndpointAddress: int
    bmAttributes: int
    wMaxPacketSize: int
    bInterval: int
    bRefresh: int = 0
    bSynchAddress: int = 0
    extra_descriptors: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface descriptor with its endpoints."""

    bLength: int
    bDescriptorType: int
    bInterfaceNumber: int
    bAlternateSetting: int
    bNumEndpoints: int
    bInterfaceClass: int
    bInterfaceSubClass: int
    bInterfaceProtocol: int
    iInterface: int
    endpoints: tuple[Endpoint, ...]
    extra_descriptors: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration descriptor with its interfaces."""

    bLength: int
    bDescriptorType: int
    wTotalLength: int
    bNumInterfaces: int
    bConfigurationValue: int
    iConfiguration: int
    bmAttributes: int
    bMaxPower: int
    interfaces: tuple[Interface, ...]
    extra_descriptors: tuple[int, ...] = ()


def device(model: Model) -> bytes:
    """Return the device descriptor, 18 bytes. No serial string: real units have none that is of use."""
    head = bytes((DEVICE_LENGTH, _DEVICE, 0x00, 0x02, 0xFF, 0xFF, 0xFF, 64))
    ids = model.vendor_id.to_bytes(2, "little") + model.product_id.to_bytes(2, "little")
    return head + ids + bytes((0x00, 0x01, 1, 2, 0, 1))


def configuration() -> bytes:
    """Return the configuration descriptor with all that belongs to it, 32 bytes."""
    return bytes.fromhex("09022000010100c000 0904000002ffffff00 07058102000200 07050202000200")


def string(index: int, model: Model) -> bytes | None:
    """Return a string descriptor, or None for an index that there is not."""
    texts = {1: "Fujitsu" if model.vendor_id == VENDOR_ID else "Ricoh", 2: model.product}
    if index == 0:
        body = _ENGLISH.to_bytes(2, "little")
    elif index in texts:
        body = texts[index].encode("utf-16-le")
    else:
        return None
    return bytes((2 + len(body), _STRING)) + body


def parse_configuration(data: bytes) -> Configuration:
    """Parse a configuration descriptor with its interfaces and endpoints; DescriptorError if it is none."""
    if len(data) < CONFIGURATION_LENGTH or data[:2] != bytes((CONFIGURATION_LENGTH, _CONFIGURATION)):
        raise DescriptorError("no configuration descriptor")
    total = int.from_bytes(data[2:4], "little")
    if total > len(data):
        raise DescriptorError(f"the configuration states {total} bytes and has {len(data)}")
    interfaces: list[tuple[bytes, list[Endpoint]]] = []
    for part in _parts(data[CONFIGURATION_LENGTH:total]):
        if part[1] == _INTERFACE and len(part) == INTERFACE_LENGTH:
            interfaces.append((part, []))
        elif part[1] == _ENDPOINT and len(part) == ENDPOINT_LENGTH and interfaces:
            address, attributes, size, interval = part[2], part[3], int.from_bytes(part[4:6], "little"), part[6]
            interfaces[-1][1].append(Endpoint(part[0], part[1], address, attributes, size, interval))
    return Configuration(
        bLength=data[0],
        bDescriptorType=data[1],
        wTotalLength=total,
        bNumInterfaces=data[4],
        bConfigurationValue=data[5],
        iConfiguration=data[6],
        bmAttributes=data[7],
        bMaxPower=data[8],
        interfaces=tuple(_interface(part, endpoints) for part, endpoints in interfaces),
    )


def _interface(data: bytes, endpoints: list[Endpoint]) -> Interface:
    return Interface(
        bLength=data[0],
        bDescriptorType=data[1],
        bInterfaceNumber=data[2],
        bAlternateSetting=data[3],
        bNumEndpoints=data[4],
        bInterfaceClass=data[5],
        bInterfaceSubClass=data[6],
        bInterfaceProtocol=data[7],
        iInterface=data[8],
        endpoints=tuple(endpoints),
    )


def _parts(data: bytes) -> list[bytes]:
    parts = []
    while data:
        length = data[0]
        if not 2 <= length <= len(data):
            raise DescriptorError(f"a descriptor of {length} bytes where {len(data)} are left")
        parts.append(data[:length])
        data = data[length:]
    return parts
