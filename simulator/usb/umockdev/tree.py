"""The files of a simulated bus below $UMOCKDEV_DIR, and the messages with which udev tells of a change."""

import fcntl
import os
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_USB_MAJOR = 189
_BUS = 1
_ONE_SLOT_BYTES = 4096  # a pipe holds at least a page
_MURMUR = 0x5BD1E995
_WORD = 0xFFFFFFFF
_UDEV_HEAD = struct.Struct("=8s8I")  # systemd's udev_monitor_netlink_header
_UDEV_MAGIC = 0xFEEDCAFE


@dataclass(frozen=True, slots=True)
class Identity:
    """What sysfs says of a device: the port it hangs on, its address, its ids and names, its descriptors."""

    port: int
    address: int
    vendor_id: int
    product_id: int
    manufacturer: str
    product: str
    descriptors: bytes


class Tree:
    """The directory that the preload library shows to a process instead of /sys and /dev."""

    def __init__(self, root: Path) -> None:
        self._root = root
        for folder in ("sys/bus/usb/devices", "sys/class", "sys/dev/char", "dev/.node"):
            (root / folder).mkdir(parents=True)

    def make_node(self, address: int) -> "tuple[Gauge, Path]":
        """Make the node of a device, and return it with the path where its socket must listen before `plug`."""
        link = self._root / "dev/.node" / _node(address).replace("/", "_")
        node, at = self._root / "dev" / _node(address), self._root / "ioctl/dev" / _node(address)
        for path in (node, at):
            path.parent.mkdir(parents=True, exist_ok=True)
        _link(link, _device_number(address))
        return Gauge(node), at

    def plug(self, it: Identity) -> None:
        """Show a device to whoever looks from now on."""
        folder = self._root / "sys/devices/usb1" / _name(it)
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in _files(it).items():
            (folder / name).write_text(text, "ascii")
        (folder / "descriptors").write_bytes(it.descriptors)
        _link(folder / "subsystem", "../../../bus/usb")
        _link(self._root / "sys/dev/char" / _device_number(it.address), f"../../devices/usb1/{_name(it)}")
        _link(self._root / "sys/bus/usb/devices" / _name(it), f"../../../devices/usb1/{_name(it)}")

    def unplug(self, it: Identity) -> None:
        """Hide a device from whoever looks from now on; who has it open keeps it open."""
        for path in (
            self._root / "sys/bus/usb/devices" / _name(it),
            self._root / "sys/dev/char" / _device_number(it.address),
            self._root / "dev/.node" / _node(it.address).replace("/", "_"),
            self._root / "dev" / _node(it.address),
        ):
            path.unlink(missing_ok=True)

    def tell(self, action: str, it: Identity) -> None:
        """Send what udev sends to everybody who listens."""
        properties = "".join(
            f"{key}={value}\0"
            for key, value in {
                "ACTION": action,
                "DEVPATH": f"/devices/usb1/{_name(it)}",
                "SUBSYSTEM": "usb",
                "DEVTYPE": "usb_device",
                "DEVNAME": f"/dev/{_node(it.address)}",
                "MAJOR": _USB_MAJOR,
                "MINOR": it.address - 1,
                "BUSNUM": f"{_BUS:03}",
                "DEVNUM": f"{it.address:03}",
                "SEQNUM": it.address,
            }.items()
        ).encode("ascii")
        head = _UDEV_HEAD.pack(
            b"libudev\0",
            socket.htonl(_UDEV_MAGIC),
            _UDEV_HEAD.size,
            _UDEV_HEAD.size,
            len(properties),
            socket.htonl(_murmur(b"usb")),
            socket.htonl(_murmur(b"usb_device")),
            0,
            0,
        )
        with socket.socket(socket.AF_UNIX, socket.SOCK_RAW | socket.SOCK_NONBLOCK) as sender:
            for listener in self._root.glob("event*"):
                with suppress(OSError):  # a process that ended leaves its socket's file
                    sender.sendto(head + properties, str(listener))


class Gauge:
    """A node as a pipe of one slot: writable, so that poll() reports it, only while a transfer can be reaped."""

    def __init__(self, node: Path) -> None:
        os.mkfifo(node)
        self._pipe = os.open(node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, _ONE_SLOT_BYTES)
        self._full = False
        self.show(ready=False)

    def show(self, *, ready: bool) -> None:
        """Say whether something can be reaped; after `close` nobody asks."""
        if self._pipe < 0:
            return
        if ready and self._full:
            os.read(self._pipe, _ONE_SLOT_BYTES)
        elif not ready and not self._full:
            os.write(self._pipe, b"\0")
        self._full = not ready

    def close(self) -> None:
        """Close our end; may be called twice."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1


def _name(it: Identity) -> str:
    return f"{_BUS}-{it.port}"


def _node(address: int) -> str:
    return f"bus/usb/{_BUS:03}/{address:03}"


def _device_number(address: int) -> str:
    return f"{_USB_MAJOR}:{address - 1}"


def _files(it: Identity) -> dict[str, str]:
    ids = f"{it.vendor_id:x}/{it.product_id:x}/100"
    return {
        "uevent": f"MAJOR={_USB_MAJOR}\nMINOR={it.address - 1}\nDEVNAME={_node(it.address)}\nDEVTYPE=usb_device\n"
        f"DRIVER=usb\nPRODUCT={ids}\nTYPE=255/255/255\nBUSNUM={_BUS:03}\nDEVNUM={it.address:03}\n",
        "dev": f"{_device_number(it.address)}\n",
        "busnum": f"{_BUS}\n",
        "devnum": f"{it.address}\n",
        "speed": "480\n",
        "idVendor": f"{it.vendor_id:04x}\n",
        "idProduct": f"{it.product_id:04x}\n",
        "bConfigurationValue": "1\n",
        "bcdDevice": "0100\n",
        "bDeviceClass": "ff\n",
        "bDeviceSubClass": "ff\n",
        "bDeviceProtocol": "ff\n",
        "bMaxPacketSize0": "64\n",
        "bNumConfigurations": "1\n",
        "bNumInterfaces": " 1\n",
        "bmAttributes": "c0\n",
        "bMaxPower": "0mA\n",
        "configuration": "\n",
        "manufacturer": f"{it.manufacturer}\n",
        "product": f"{it.product}\n",
        "version": " 2.00\n",
        "maxchild": "0\n",
        "rx_lanes": "1\n",
        "tx_lanes": "1\n",
    }


def _link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _murmur(text: bytes) -> int:
    """Return MurmurHash2 with seed 0, by which libudev filters messages."""
    value = len(text)
    for at in range(0, len(text) - 3, 4):
        part = int.from_bytes(text[at : at + 4], "little") * _MURMUR & _WORD
        part = (part ^ part >> 24) * _MURMUR & _WORD
        value = value * _MURMUR & _WORD ^ part
    rest = text[len(text) & ~3 :]
    if rest:
        value = (value ^ int.from_bytes(rest, "little")) * _MURMUR & _WORD
    value = (value ^ value >> 13) * _MURMUR & _WORD
    return value ^ value >> 15
