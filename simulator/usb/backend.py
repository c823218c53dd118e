"""A pyusb backend over USB/IP: a program that uses pyusb sees simulated units as attached ones.

Opening a device imports it, so a device has one owner at a time: EBUSY for the second, as a claimed interface has.
"""

import errno
import threading
from array import array
from dataclasses import dataclass

import usb.backend

from simulator.usb import client, descriptors, wire
from simulator.usb.descriptors import Configuration, Endpoint, Interface

_GET_DESCRIPTOR, _GET_CONFIGURATION, _SET_CONFIGURATION, _SET_INTERFACE, _CLEAR_FEATURE = 0x06, 0x08, 0x09, 0x0B, 0x01
_TO_HOST = 0x80
_DEVICE_TYPE, _CONFIGURATION_TYPE = 1, 2
_TIMEOUT_MS = 1000  # pyusb's own default; a descriptor is there at once
_MAX_CONFIGURATION_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Node:
    """A device that is plugged in, as `enumerate_devices` yields it: the same one while it stays plugged in."""

    listed: wire.Device

    @property
    def key(self) -> tuple[str, int]:
        """Return what names this plugging-in."""
        return self.listed.busid, self.listed.devnum


@dataclass(frozen=True, slots=True)
class DeviceDescriptor:
    """A device descriptor and the device's place, under the names that pyusb reads."""

    idVendor: int
    idProduct: int
    bcdDevice: int
    bDeviceClass: int
    bDeviceSubClass: int
    bDeviceProtocol: int
    bNumConfigurations: int
    bus: int
    address: int
    speed: int
    port_numbers: tuple[int, ...]
    port_number: int
    bLength: int = descriptors.DEVICE_LENGTH
    bDescriptorType: int = _DEVICE_TYPE
    # USB/IP's list has none of these; they are those of every unit here.
    bcdUSB: int = 0x0200
    bMaxPacketSize0: int = 64
    iManufacturer: int = 1
    iProduct: int = 2
    iSerialNumber: int = 0


class UsbIpBackend(usb.backend.IBackend):  # type: ignore[misc]  # pyusb has no types
    """See IBackend for each method; here only what differs. Usable from any thread."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._lock = threading.Lock()
        self._configurations: dict[tuple[str, int], Configuration] = {}

    def enumerate_devices(self) -> list[Node]:
        """Ask the server: one small request. An absent server has no devices."""
        nodes = [Node(device) for device in client.list_devices(self._address)]
        present = {node.key for node in nodes}
        with self._lock:
            self._configurations = {key: row for key, row in self._configurations.items() if key in present}
        return nodes

    def get_parent(self, dev: Node) -> None:
        """Return None: there are no hubs."""

    def get_device_descriptor(self, dev: Node) -> DeviceDescriptor:
        """Return it from the list, without opening the device."""
        listed = dev.listed
        ports = tuple(int(part) for part in listed.busid.split("-", 1)[1].split("."))
        return DeviceDescriptor(
            listed.vendor_id,
            listed.product_id,
            listed.bcd_device,
            *listed.device_class,
            bNumConfigurations=listed.configurations,
            bus=listed.busnum,
            address=listed.devnum,
            speed=listed.speed,
            port_numbers=ports,
            port_number=ports[-1],
        )

    def get_configuration_descriptor(self, dev: Node, config: int) -> Configuration:
        """Return it from the cache that opening fills, or import the device for a moment; IndexError past the end."""
        if not 0 <= config < dev.listed.configurations:
            raise IndexError(f"no configuration {config}")
        with self._lock:
            cached = self._configurations.get(dev.key)
        if cached is None:
            self.open_device(dev).close()
            with self._lock:
                cached = self._configurations[dev.key]
        return cached

    def get_interface_descriptor(self, dev: Node, intf: int, alt: int, config: int) -> Interface:
        """IndexError past the end."""
        interfaces = self.get_configuration_descriptor(dev, config).interfaces
        numbers = sorted({interface.bInterfaceNumber for interface in interfaces})
        settings = [interface for interface in interfaces if interface.bInterfaceNumber == numbers[intf]]
        return settings[alt]

    def get_endpoint_descriptor(self, dev: Node, ep: int, intf: int, alt: int, config: int) -> Endpoint:
        """IndexError past the end."""
        return self.get_interface_descriptor(dev, intf, alt, config).endpoints[ep]

    def open_device(self, dev: Node) -> client.Imported:
        """Import the device; USBError with EBUSY if somebody has it, with ENODEV if it is gone."""
        handle = client.Imported(self._address, dev.listed.busid)
        if handle.device.devnum != dev.listed.devnum:  # pulled and plugged in again: another device by now
            handle.close()
            raise client.failed(errno.ENODEV)
        with self._lock:
            known = dev.key in self._configurations
        if not known:
            self._read_configuration(dev, handle)
        return handle

    def close_device(self, dev_handle: client.Imported) -> None:
        """Give the device back."""
        dev_handle.close()

    def set_configuration(self, dev_handle: client.Imported, config_value: int) -> None:
        """Ask the device."""
        self._command(dev_handle, 0x00, _SET_CONFIGURATION, config_value, 0)

    def get_configuration(self, dev_handle: client.Imported) -> int:
        """Ask the device."""
        setup = _setup(_TO_HOST, _GET_CONFIGURATION, 0, 0, 1)
        return dev_handle.transfer_in(0, 1, _TIMEOUT_MS, setup)[0]

    def set_interface_altsetting(self, dev_handle: client.Imported, intf: int, altsetting: int) -> None:
        """Ask the device."""
        self._command(dev_handle, 0x01, _SET_INTERFACE, altsetting, intf)

    def claim_interface(self, dev_handle: client.Imported, intf: int) -> None:
        """Do nothing: who has imported the device has all of it."""

    def release_interface(self, dev_handle: client.Imported, intf: int) -> None:
        """Do nothing: closing gives it back."""

    def bulk_write(self, dev_handle: client.Imported, ep: int, intf: int, data: "array[int]", timeout: int) -> int:
        """Return the bytes written. `timeout` in milliseconds, 0 for none."""
        return dev_handle.transfer_out(ep, data.tobytes(), timeout)

    def bulk_read(self, dev_handle: client.Imported, ep: int, intf: int, buff: "array[int]", timeout: int) -> int:
        """Fill `buff` and return the bytes read. `timeout` in milliseconds, 0 for none."""
        return _fill(buff, dev_handle.transfer_in(ep, len(buff) * buff.itemsize, timeout))

    def ctrl_transfer(
        self,
        dev_handle: client.Imported,
        bmRequestType: int,
        bRequest: int,
        wValue: int,
        wIndex: int,
        data: "array[int]",
        timeout: int,
    ) -> int:
        """Return the bytes of the data stage."""
        length = len(data) * data.itemsize
        setup = _setup(bmRequestType, bRequest, wValue, wIndex, length)
        if bmRequestType & _TO_HOST:
            return _fill(data, dev_handle.transfer_in(0, length, timeout, setup))
        return dev_handle.transfer_out(0, data.tobytes(), timeout, setup)

    def clear_halt(self, dev_handle: client.Imported, ep: int) -> None:
        """Ask the device."""
        self._command(dev_handle, 0x02, _CLEAR_FEATURE, 0, ep)

    def reset_device(self, dev_handle: client.Imported) -> None:
        """Do nothing: importing has reset it."""

    def _command(self, handle: client.Imported, kind: int, request: int, value: int, index: int) -> None:
        handle.transfer_out(0, b"", _TIMEOUT_MS, _setup(kind, request, value, index, 0))

    def _read_configuration(self, dev: Node, handle: client.Imported) -> None:
        try:
            setup = _setup(_TO_HOST, _GET_DESCRIPTOR, _CONFIGURATION_TYPE << 8, 0, _MAX_CONFIGURATION_BYTES)
            data = handle.transfer_in(0, _MAX_CONFIGURATION_BYTES, _TIMEOUT_MS, setup)
            configuration = descriptors.parse_configuration(data)
        except BaseException:
            handle.close()
            raise
        with self._lock:
            self._configurations[dev.key] = configuration


def _setup(kind: int, request: int, value: int, index: int, length: int) -> bytes:
    fields = (value, index, length)
    return bytes((kind, request)) + b"".join(field.to_bytes(2, "little") for field in fields)


def _fill(buffer: "array[int]", data: bytes) -> int:
    memoryview(buffer).cast("B")[: len(data)] = data
    return len(data)
