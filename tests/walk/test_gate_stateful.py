"""No delivery without a verified session, over random interleavings of all that happens in a house, for every sink.

GATE_EXAMPLES says how many lives are tried; with CI=true they are the same ones each time.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

from gateway.core.model import DeliveryState
from gateway.work import outbox
from tests.conformance.conftest import need
from tests.conformance.peers import there
from tests.walk import gate_doors as doors
from tests.walk.gate_defects import DEFECTS, ignores_the_last_moment
from tests.walk.gate_house import House
from tests.walk.gate_life import Life
from tests.walk.gate_machine import Street
from tests.walk.gate_sinks import KINDS, LIGHT, RCLONE
from tests.walk.gate_street import street
from tests.walk.gate_watch import Violation, Watch

EXAMPLES = int(os.environ.get("GATE_EXAMPLES", "16"))
LONGEST_S = 60 * (5 + EXAMPLES)  # a failing life is made shorter for five minutes at the most


def lives(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=os.environ.get("CI") == "true",
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    with street(tmp_path_factory.mktemp("full"), KINDS if there("rclone") else LIGHT) as made:
        yield made


@pytest.mark.timeout(LONGEST_S)
def test_nothing_leaves_without_a_verified_session(tmp_path: Path) -> None:
    with street(tmp_path, LIGHT) as every_light_sink:
        _live(every_light_sink, Life, lives(EXAMPLES, 20))


@pytest.mark.timeout(LONGEST_S)
def test_nothing_leaves_by_rclone_without_a_verified_session(tmp_path: Path) -> None:
    need(there("rclone"), "rclone")
    with street(tmp_path, (RCLONE, "folder")) as one:
        _live(one, Life, lives(max(1, EXAMPLES // 6), 12))


@pytest.mark.timeout(LONGEST_S)
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_gate_that_ignores_part_of_the_rule_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defect: str
) -> None:
    found: list[str] = []

    class Watched(Life):
        asks_the_page = False  # it is found by what the sinks are given

        def do(self, event: Any) -> Any:
            try:
                return super().do(event)
            except Violation as violation:
                found.append(str(violation))
                raise

    with street(tmp_path, ("folder",)) as one:
        DEFECTS[defect](monkeypatch)
        with suppress(Violation, Flaky):
            _live(one, Watched, settings(lives(max(EXAMPLES, 200), 20), phases=[Phase.generate], database=None))
    assert any("while the gate was shut" in sentence for sentence in found), found


def _live(where: Street, life: type[Life], how: settings) -> None:
    class Here(life):  # type: ignore[misc,valid-type]
        street = where

    run_state_machine_as_test(Here, settings=how)


@pytest.mark.parametrize(
    ("how", "hasty"),
    [("signed out", False), ("signed out", True), ("stopped", True)],
    ids=["signed out while it stands", "signed out as it goes on", "stopped as it goes on"],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_gate_shut_in_the_middle_of_an_upload_leaves_nothing_and_the_next_sign_in_delivers_once(
    full: Street, kind: str, how: str, hasty: bool
) -> None:
    if kind == RCLONE:
        need(there("rclone"), "rclone")
    full.runner.run(_shut_in_the_middle(full, kind, how, hasty))


def test_a_gate_that_ignores_the_last_moment_is_found_out(full: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    ignores_the_last_moment(monkeypatch)
    monkeypatch.setattr(outbox, "REASK_S", 3600.0)  # nor does it ask in between
    with pytest.raises(Violation, match="while the gate was shut"):
        full.runner.run(_shut_in_the_middle(full, "folder", "stopped", hasty=True))


async def _shut_in_the_middle(full: Street, kind: str, how: str, hasty: bool) -> None:
    house = full.house()
    watch = Watch(house, full.sheet)
    watch.hasty = hasty
    await house.start()
    try:
        await _only(house, kind)
        watch.tap.turn_off()
        await watch.scanned(house.people["anna"], (full.sheet("anna", large=True),))
        await watch.look()
        assert len(watch.tap.standing) == 1
        phone = house.browsers[0]
        shut = (
            doors.sign_out(house, phone, everywhere=True)
            if how == "signed out"
            else doors.stop_forwarding(house, phone)
        )
        assert await shut == 204
        await watch.look()
        assert (watch.tap.standing, watch.arrived) == (set(), {})
        watch.tap.turn_on()
        assert await doors.password(house, phone) == 200
        await watch.look()
        assert sum(watch.arrived.values()) == 0
        assert await doors.code(house, phone, 12) == 200
        await watch.look()
        house.clock.passes(3600)
        await watch.look()
        assert sum(watch.arrived.values()) == 1
        await watch.account_for_every_page()
    finally:
        watch.tap.turn_on()
        await house.stop()


def test_what_was_on_its_way_to_a_removed_destination_is_given_up_when_it_comes_back(full: Street) -> None:
    full.runner.run(_removed_in_the_middle(full))


async def _removed_in_the_middle(full: Street) -> None:
    house = full.house()
    watch = Watch(house, full.sheet)
    await house.start()
    try:
        await _only(house, "folder")
        watch.tap.turn_off()
        anna, phone = house.people["anna"], house.browsers[0]
        await watch.scanned(anna, (full.sheet("anna", large=True),))
        await watch.look()
        await _only(house, "none at all")
        assert await doors.sign_out(house, phone, everywhere=True) == 204
        await watch.look()
        assert await watch.undecided(anna) == []
        assert sum(watch.arrived.values()) == 0
        await watch.account_for_every_page()
    finally:
        watch.tap.turn_on()
        await house.stop()


async def _only(house: House, kind: str) -> None:
    phone = house.browsers[0]
    for destination in phone.person.present:
        if phone.person.destinations[destination] != kind:
            assert await doors.remove_destination(house, phone, destination) == 204


def test_a_gate_shut_while_a_commit_is_written_down_leaves_nothing_uncertain(full: Street) -> None:
    full.runner.run(_shut_while_it_is_written_down(full))


async def _shut_while_it_is_written_down(full: Street) -> None:
    house = full.house()
    watch = Watch(house, full.sheet)
    await house.start()
    try:
        await _only(house, "webhook")
        deliveries, written, may_go_on = house.services.store.deliveries, asyncio.Event(), asyncio.Event()
        move = deliveries.move

        async def moving(delivery: Any, before: Any, after: Any, **more: Any) -> bool:
            moved: bool = await move(delivery, before, after, **more)
            if after is DeliveryState.COMMITTING:
                written.set()
                await may_go_on.wait()
            return moved

        deliveries.move = moving
        await watch.scanned(house.people["anna"], (full.sheet("anna", large=True),))
        await written.wait()
        assert await doors.stop_forwarding(house, house.browsers[0]) == 204
        asked = asyncio.Event()
        ask = house.services.outbox._gatekeeper.ask

        async def asking(delivery: Any) -> Any:
            answer = await ask(delivery)
            asked.set()
            return answer

        house.services.outbox._gatekeeper.ask = asking
        await asked.wait()  # once more while it is sent: no, says the gate
        may_go_on.set()
        await watch.look()
        assert [row.state for row in await watch.undecided(house.people["anna"])] == [DeliveryState.WAITING]
        await doors.password(house, house.browsers[0])
        assert await doors.code(house, house.browsers[0], 12) == 200
        await watch.look()
        assert sum(watch.arrived.values()) == 1
    finally:
        may_go_on.set()
        await house.stop()
