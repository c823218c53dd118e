"""The simulated bus as files: what udev and libusb read of units that come and go, and what they are told."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulator.fleet import Fleet
from simulator.scanner import VirtualScanner
from simulator.usb.device import ScanSnapUsb
from simulator.usb.umockdev import bus as under_test
from simulator.usb.umockdev.bus import NoPreload, UmockdevBus
from tests.simulator.guest import open_node

MAX_SOCKET_PATH = 108


@pytest.fixture
async def units(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Path, list[VirtualScanner]]]:
    """Two plugged units; where their bus is, and they."""
    monkeypatch.setattr(under_test.ctypes.util, "find_library", str)  # no process is started here
    units = [VirtualScanner(spec) for spec in Fleet.of("iX500", "iX110").units]
    bus = UmockdevBus(ScanSnapUsb(unit) for unit in units)
    await bus.start()
    root = Path(bus.environment()["UMOCKDEV_DIR"])
    try:
        yield root, units
    finally:
        await bus.close()
    assert not root.exists()


def attributes(root: Path, port: str) -> dict[str, str]:
    folder = root / "sys/bus/usb/devices" / port
    names = ("idVendor", "idProduct", "manufacturer", "product", "devnum", "dev", "speed")
    return {name: (folder / name).read_text("ascii").strip() for name in names}


async def test_each_unit_has_its_sysfs_folder_its_node_and_its_socket(units: tuple[Path, list[VirtualScanner]]) -> None:
    root, _ = units
    assert attributes(root, "1-1") == {
        "idVendor": "04c5",
        "idProduct": "132b",
        "manufacturer": "Fujitsu",
        "product": "ScanSnap iX500",
        "devnum": "2",
        "dev": "189:1",
        "speed": "480",
    }
    second = attributes(root, "1-2")
    assert (second["idVendor"], second["product"], second["devnum"]) == ("05ca", "ScanSnap iX110", "3")
    assert os.path.samefile(root / "sys/dev/char/189:2", root / "sys/bus/usb/devices/1-2")
    assert (root / "sys/bus/usb/devices/1-1/descriptors").stat().st_size == 50
    assert (root / "dev/.node/bus_usb_001_003").readlink() == Path("189:2")
    assert len(str(root / "ioctl/dev/bus/usb/001/003")) < MAX_SOCKET_PATH
    for address in (2, 3):
        file = await open_node(root, address)
        assert len(await file.descriptors()) == 50
        await file.close()


async def test_a_unit_that_is_pulled_is_hidden_and_comes_back_with_another_address(
    units: tuple[Path, list[VirtualScanner]],
) -> None:
    root, (unit, _) = units
    with listener(root) as told:
        unit.unplug()
        removed = await message(told)
        assert not (root / "sys/bus/usb/devices/1-1").exists()
        assert not (root / "dev/bus/usb/001/002").exists()
        assert attributes(root, "1-2")["devnum"] == "3"
        unit.plug()
        added = await message(told)
    assert attributes(root, "1-1")["devnum"] == "4"
    assert (removed["ACTION"], removed["DEVNAME"], removed["DEVNUM"]) == ("remove", "/dev/bus/usb/001/002", "002")
    assert (added["ACTION"], added["DEVNAME"], added["SUBSYSTEM"]) == ("add", "/dev/bus/usb/001/004", "usb")
    assert (added["DEVTYPE"], added["BUSNUM"], added["MINOR"]) == ("usb_device", "001", "3")


async def test_a_listener_that_died_does_not_keep_the_news_from_the_others(
    units: tuple[Path, list[VirtualScanner]],
) -> None:
    root, (unit, _) = units
    with listener(root, 5):
        pass  # its file stays behind
    with listener(root, 7) as told:
        unit.unplug()
        assert (await message(told))["ACTION"] == "remove"


async def test_a_lid_that_does_not_stay_open_or_shut_leaves_the_bus_as_the_lid_is(
    units: tuple[Path, list[VirtualScanner]],
) -> None:
    root, (unit, _) = units
    with listener(root) as told:
        unit.close_lid()
        unit.open_lid()
        unit.close_lid()
        assert [(await message(told))["ACTION"] for _ in range(3)] == ["remove", "add", "remove"]
        assert not (root / "sys/bus/usb/devices/1-1").exists()
        unit.open_lid()
        assert (await message(told))["ACTION"] == "add"
    assert attributes(root, "1-1")["devnum"] == "5"


async def test_without_the_preload_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test.ctypes.util, "find_library", lambda _name: None)
    with pytest.raises(NoPreload, match="apt-get install umockdev"):
        await UmockdevBus([]).start()


@contextmanager
def listener(root: Path, number: int = 7) -> Iterator[socket.socket]:
    """A process's monitor of udev: the preload library binds it to a path beside the tree."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_RAW | socket.SOCK_NONBLOCK) as monitor:
        monitor.bind(str(root / f"event{number}"))
        yield monitor


async def message(told: socket.socket) -> dict[str, str]:
    """Return the properties of the next message of udev."""
    async with asyncio.timeout(5):
        data = await asyncio.get_running_loop().sock_recv(told, 4096)
    assert data[:12] == b"libudev\0\xfe\xed\xca\xfe"
    head, offset, length = (int.from_bytes(data[at : at + 4], "little") for at in (12, 16, 20))
    assert (head, offset, offset + length) == (40, 40, len(data))
    pairs = data[offset:].rstrip(b"\0").split(b"\0")
    return dict(pair.decode("ascii").split("=", 1) for pair in pairs)
