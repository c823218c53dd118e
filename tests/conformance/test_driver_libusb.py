"""Our driver through the real libusb: what it gets is what the unit sent, as through USB/IP."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator.app import running
from simulator.fleet import Fleet
from tests.conformance import host

pytestmark = pytest.mark.conformance
HOST = Path(host.__file__)


@pytest.mark.parametrize("colour", ["colour", "gray", "lineart"])
@pytest.mark.parametrize("model", ["S510M", "S1500", "iX500", "iX1500", "iX1600"])
async def test_each_side_arrives_as_it_was_sent_whatever_carries_it(
    bus: Callable[..., Any], model: str, colour: str
) -> None:
    there = await bus(model, sheets=2)
    ran = await there.run(sys.executable, str(HOST), colour)
    assert ran.code == 0, ran.err
    pages = json.loads(ran.out)
    assert len(pages) == 4
    if (
        not there.unit.model.interlaced_jpeg or colour != "colour"
    ):  # one image of both sides; tests/drivers take it apart
        assert [page["body"] for page in pages] == [side.sha256 for side in _in_order(there.unit)]
    assert there.unit.errors == []
    async with running(Fleet.of(model, sheets=2, feed_s=0.0)) as simulation:
        again = await host.scan(simulation.usb_backend(), colour)
        [unit] = simulation.units.values()
    assert again == pages
    assert unit.errors == []


async def test_a_unit_that_somebody_holds_is_offered_with_that_sentence(bus: Callable[..., Any]) -> None:
    there = await bus("iX500")
    ran = await there.run(sys.executable, str(HOST), "hold")
    assert ran.code == 0, ran.err
    assert "holds the scanner" in json.loads(ran.out)


async def test_two_of_a_kind_are_told_apart(bus: Callable[..., Any]) -> None:
    there = await bus("iX500", "iX500")
    ran = await there.run(sys.executable, str(HOST), "list")
    serials = sorted(unit.spec.serial for unit in there.bench.units.values())
    assert sorted(json.loads(ran.out)) == [f"usb:iX500:{serial}" for serial in serials]


async def test_a_unit_that_leaves_and_comes_back_is_seen_by_hot_plug(bus: Callable[..., Any]) -> None:
    there = await bus("iX500")
    unit = there.unit
    ran = await there.run(sys.executable, str(HOST), "watch", SCANSNAP_PANEL=there.bench.panel_url, UNIT=unit.id)
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert [event["what"] for event in found] == ["Sighting", "Gone", "Sighting"]
    assert len({event["id"] for event in found}) == 1


def _in_order(unit: Any) -> list[Any]:
    return sorted(unit.delivered, key=lambda side: (side.sheet.number, side.side != "front"))
