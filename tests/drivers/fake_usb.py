"""A pyusb backend with units made of Python functions. It knows transactions, not the meaning of any command."""

import errno
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import usb.backend
import usb.core

IN, OUT = 0x81, 0x02
Answer = list[bytes | Exception]
GOOD = b"\x53" + bytes(12)
CHECK = b"\x53" + bytes(8) + b"\x02\0\0\0"
BUSY = b"\x53" + bytes(8) + b"\x08\0\0\0"


def timeout() -> Exception:
    error: Exception = usb.core.USBTimeoutError("Operation timed out", -7, errno.ETIMEDOUT)
    return error


def failure(number: int) -> Exception:
    error: Exception = usb.core.USBError("failed", -1, number)
    return error


def sense(key: int, asc: int = 0, ascq: int = 0, flags: int = 0, information: int = 0) -> bytes:
    head = bytes((0xF0, 0, flags | key)) + information.to_bytes(4, "big") + b"\x0a" + bytes(4)
    return head + bytes((asc, ascq)) + bytes(4)


@dataclass
class FakeUnit:
    """One device. `answer(cdb, payload)` lists what the following reads get, the status frame included."""

    answer: Callable[[bytes, bytes], Answer]
    product_id: int = 0x132B
    vendor_id: int = 0x04C5
    address: int = 5
    bus: int = 1
    claim_error: Exception | None = None
    write_error: Exception | None = None
    configuration: int = 1
    endpoints: tuple[tuple[int, int], ...] = ((IN, 2), (OUT, 2))
    log: list[tuple[bytes, bytes]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    pending: Answer = field(default_factory=list)
    _cdb: bytes | None = None

    @property
    def opcodes(self) -> list[int]:
        return [cdb[0] for cdb, _ in self.log]

    def write(self, data: bytes) -> int:
        if self.write_error is not None:
            raise self.write_error
        if self._cdb is None:
            assert len(data) == 31
            assert data[0] == 0x43
            cdb = data[0x13:]
            if payload_length(cdb):
                self._cdb = cdb
                return len(data)
            self._act(cdb, b"")
            return len(data)
        assert len(data) == payload_length(self._cdb)
        cdb, self._cdb = self._cdb, None
        self._act(cdb, data)
        return len(data)

    def _act(self, cdb: bytes, payload: bytes) -> None:
        self.log.append((cdb, payload))
        self.pending += self.answer(cdb, payload)

    def read(self, size: int) -> bytes:
        if not self.pending:
            raise timeout()
        reply = self.pending.pop(0)
        if isinstance(reply, Exception):
            raise reply
        if len(reply) > size:
            raise failure(errno.EOVERFLOW)
        return reply


def payload_length(cdb: bytes) -> int:
    match cdb[0]:
        case 0x15 | 0x1B:
            return cdb[4]
        case 0x1D:
            return int.from_bytes(cdb[3:5], "big")
        case 0x24 | 0x2A:
            return int.from_bytes(cdb[6:9], "big")
    return 0


class FakeBackend(usb.backend.IBackend):  # type: ignore[misc]
    """The bus: plug by adding to `units`, unplug by removing."""

    def __init__(self, *units: FakeUnit) -> None:
        self.units = list(units)
        self.list_error: Exception | None = None

    def enumerate_devices(self) -> Iterator[FakeUnit]:
        if self.list_error is not None:
            raise self.list_error
        return iter(list(self.units))

    def get_device_descriptor(self, dev: FakeUnit) -> Any:
        names = "bcdUSB bDeviceSubClass bDeviceProtocol bcdDevice iManufacturer iProduct iSerialNumber"
        return SimpleNamespace(
            **dict.fromkeys(names.split(), 0),
            bLength=18, bDescriptorType=1, bDeviceClass=0xFF, bMaxPacketSize0=64, idVendor=dev.vendor_id,
            idProduct=dev.product_id, bNumConfigurations=1, address=dev.address, bus=dev.bus,
            port_number=None, port_numbers=None, speed=None,
        )  # fmt: skip

    def get_configuration_descriptor(self, dev: FakeUnit, config: int) -> Any:
        if config:
            raise IndexError
        return SimpleNamespace(
            bLength=9, bDescriptorType=2, wTotalLength=32, bNumInterfaces=1, bConfigurationValue=1, iConfiguration=0,
            bmAttributes=0xC0, bMaxPower=0, extra_descriptors=[],
        )  # fmt: skip

    def get_interface_descriptor(self, dev: FakeUnit, intf: int, alt: int, config: int) -> Any:
        if intf or alt:
            raise IndexError
        return SimpleNamespace(
            bLength=9, bDescriptorType=4, bInterfaceNumber=0, bAlternateSetting=0, bNumEndpoints=len(dev.endpoints),
            bInterfaceClass=0xFF, bInterfaceSubClass=0xFF, bInterfaceProtocol=0xFF, iInterface=0, extra_descriptors=[],
        )  # fmt: skip

    def get_endpoint_descriptor(self, dev: FakeUnit, ep: int, intf: int, alt: int, config: int) -> Any:
        address, attributes = dev.endpoints[ep]
        return SimpleNamespace(
            bLength=7, bDescriptorType=5, bEndpointAddress=address, bmAttributes=attributes, wMaxPacketSize=512,
            bInterval=0, bRefresh=0, bSynchAddress=0, extra_descriptors=[],
        )  # fmt: skip

    def open_device(self, dev: FakeUnit) -> FakeUnit:
        dev.calls.append("open")
        return dev

    def close_device(self, dev_handle: FakeUnit) -> None:
        dev_handle.calls.append("close")

    def get_configuration(self, dev_handle: FakeUnit) -> int:
        return dev_handle.configuration

    def set_configuration(self, dev_handle: FakeUnit, config_value: int) -> None:
        dev_handle.calls.append("set_configuration")
        dev_handle.configuration = config_value

    def claim_interface(self, dev_handle: FakeUnit, intf: int) -> None:
        if dev_handle.claim_error is not None:
            raise dev_handle.claim_error
        dev_handle.calls.append("claim")

    def release_interface(self, dev_handle: FakeUnit, intf: int) -> None:
        dev_handle.calls.append("release")

    def clear_halt(self, dev_handle: FakeUnit, ep: int) -> None:
        dev_handle.calls.append(f"clear_halt {ep:02x}")

    def bulk_write(self, dev_handle: FakeUnit, ep: int, intf: int, data: "array[int]", timeout: int) -> int:
        if dev_handle not in self.units:
            raise failure(errno.ENODEV)
        return dev_handle.write(data.tobytes())

    def bulk_read(self, dev_handle: FakeUnit, ep: int, intf: int, buff: "array[int]", timeout: int) -> int:
        if dev_handle not in self.units:
            raise failure(errno.ENODEV)
        data = dev_handle.read(len(buff))
        buff[: len(data)] = array("B", data)
        return len(data)
