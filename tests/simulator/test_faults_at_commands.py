"""Faults that meet any command, and replies that are wrong in themselves."""

import errno
import time

import pytest
import usb.core

from simulator import Simulation
from simulator.faults import Fault, FaultKind
from tests.simulator.host import Host, Talk


def begin_side(host: Host) -> Host:
    host.begin()
    assert host.feed().status == 0
    assert host.scan().status == 0
    return host


async def test_busy_is_told_as_often_as_asked_for(scansnap: Simulation, talk: Talk) -> None:
    scansnap.unit("ix500").inject(Fault(FaultKind.BUSY, command=0x00, times=2))
    answers = await talk(lambda host: [host.plain("00 00 00 00 00 00")[0] for _ in range(3)])
    assert answers == [0x08, 0x08, 0x00]


async def test_any_sense_can_be_given_to_any_command(scansnap: Simulation, talk: Talk) -> None:
    scansnap.unit("ix500").inject(Fault(FaultKind.SENSE, command=0xC2, sense=(4, 0x80, 0x05)))
    answer = await talk(lambda host: host.ask("c2 00 00 00 00 00 00 00 0c 00", asked=12))
    assert (answer.data, answer.code) == (b"", (4, 0x80, 0x05))


async def test_garbage_sense_is_no_sense(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    unit.load(1)
    unit.inject(Fault(FaultKind.GARBAGE_SENSE))
    answer = await talk(lambda host: begin_side(host).read(0x00))
    assert len(answer.sense) == 18
    assert answer.sense[0] & 0x7F not in (0x70, 0x7F)


async def test_a_wrong_residue_disagrees_with_the_bytes_that_came(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    unit.load(1)
    unit.inject(Fault(FaultKind.WRONG_RESIDUE))
    asked = 0x100000
    answer = await talk(lambda host: begin_side(host).read(0x00, asked))
    assert int.from_bytes(answer.sense[3:7], "big") == asked - len(answer.data) + 512
    assert answer.sense[2] & 0x60 == 0x60


async def test_a_slow_reply_takes_its_time_and_is_right(scansnap: Simulation, talk: Talk) -> None:
    scansnap.unit("ix500").inject(Fault(FaultKind.SLOW, command=0x12, delay_s=0.2))

    def ask(host: Host) -> float:
        began_s = time.monotonic()
        host.good("12 00 00 00 60 00", asked=96)
        return time.monotonic() - began_s

    assert await talk(ask) >= 0.2


async def test_the_cable_can_be_pulled_at_any_command(scansnap: Simulation, talk: Talk) -> None:
    unit = scansnap.unit("ix500")
    unit.inject(Fault(FaultKind.UNPLUG, command=0x12))

    def ask(host: Host) -> int:
        with pytest.raises(usb.core.USBError) as raised:
            host.ask("12 00 00 00 60 00", asked=96)
        code: int = raised.value.errno
        return code

    assert await talk(ask) == errno.ENODEV
    assert not unit.plugged
