"""Faults of the transport, and the vendor of each model, as a host sees them on the bus."""

import asyncio

import pytest
import usb.core

from simulator import Fleet, Simulation, running
from simulator.faults import Fault, FaultKind
from simulator.models import MODELS
from tests.simulator.host import Host, Talk

ASKED = 0x100000


def begin_side(host: Host) -> Host:
    host.begin()
    assert host.feed().status == 0
    assert host.scan().status == 0
    return host


async def test_every_model_has_its_vendor_on_the_bus() -> None:
    async with running(Fleet.of(*(model.name for model in MODELS))) as simulation:
        listed = await asyncio.to_thread(simulation.usb_backend().enumerate_devices)
        assert [(node.listed.vendor_id, node.listed.product_id) for node in listed] == [
            (model.vendor_id, model.product_id) for model in MODELS
        ]


async def test_an_early_status_comes_in_place_of_the_data_and_the_block_stays(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    unit.load(1)
    unit.inject(Fault(FaultKind.EARLY_STATUS))

    def batch(host: Host) -> tuple[bytes, bytes]:
        begin_side(host)
        envelope = b"C" + bytes(18) + bytes.fromhex("28000000000010000000")
        host.device.write(0x02, envelope.ljust(31, b"\0"), 5000)
        early = bytes(host.device.read(0x81, ASKED, 5000))
        return early, host.side(0x00, ASKED)

    early, image = await talk(batch)
    assert early == b"S" + bytes(12)
    assert unit.delivered[0].byte_count == len(image)
    assert unit.errors == []


async def test_without_its_zero_length_packet_the_status_hangs_on_the_data(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    unit.load(1)
    unit.inject(Fault(FaultKind.MISSING_ZLP))

    def batch(host: Host) -> bytes:
        begin_side(host)
        envelope = b"C" + bytes(18) + bytes.fromhex("28000000000010000000")
        host.device.write(0x02, envelope.ljust(31, b"\0"), 5000)
        data = bytes(host.device.read(0x81, ASKED, 5000))
        with pytest.raises(usb.core.USBTimeoutError):
            host.device.read(0x81, 13, 50)
        return data

    data = await talk(batch)
    assert len(data) % 512 == 13
    assert data[-13:] == bytes.fromhex("53000000000000000002000000")
