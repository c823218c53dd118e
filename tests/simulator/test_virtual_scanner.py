"""Paper, button and cover without any wire."""

import pytest

from simulator import UnitSpec
from simulator.faults import IN_THE_PATH, REFUSALS, Fault, FaultKind
from simulator.scanner import VirtualScanner
from simulator.sheets import Sheet, Side


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def scanner(**more: object) -> VirtualScanner:
    return VirtualScanner(UnitSpec("a", "iX500", 1, **more), now_s=Clock())  # type: ignore[arg-type]


def test_sheets_come_out_in_the_order_in_which_they_were_loaded() -> None:
    unit = scanner(sheets=1)
    unit.load(2)
    assert [unit.feed() for _ in range(4)] == [Sheet("a", 1, 1), Sheet("a", 2, 1), Sheet("a", 2, 2), FaultKind.EMPTY]


def test_a_press_is_seen_by_one_poll() -> None:
    unit = scanner()
    unit.press()
    assert [unit.poll_button() for _ in range(2)] == [True, False]


def test_a_press_that_nobody_polls_for_is_over_after_two_seconds() -> None:
    clock = Clock()
    unit = VirtualScanner(UnitSpec("a", "iX500", 1), now_s=clock)
    unit.press()
    clock.now += 1.9
    assert unit.button_down
    clock.now += 0.2
    assert not unit.poll_button()


def test_without_power_the_button_does_nothing() -> None:
    unit = scanner()
    unit.unplug()
    unit.press()
    unit.plug()
    assert not unit.poll_button()


def test_an_open_cover_stops_the_feed() -> None:
    unit = scanner(sheets=1)
    unit.open_cover()
    assert unit.feed() is FaultKind.COVER
    unit.close_cover()
    assert unit.feed() == Sheet("a", 1, 1)


def test_a_jam_stays_until_the_cover_was_opened_and_the_sheet_goes_back() -> None:
    unit = scanner(sheets=2)
    unit.inject(Fault(FaultKind.JAM))
    assert [unit.feed(), unit.feed()] == [FaultKind.JAM, FaultKind.JAM]
    unit.open_cover()
    unit.close_cover()
    assert unit.feed() == Sheet("a", 1, 1)


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind in IN_THE_PATH])
def test_what_stops_the_paper_lasts_until_somebody_looks_inside(kind: FaultKind) -> None:
    unit = scanner(sheets=2)
    unit.inject(Fault(kind))
    assert [unit.feed(), unit.feed()] == [kind, kind]
    unit.open_cover()
    unit.close_cover()
    assert unit.feed() == Sheet("a", 1, 1)


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind in REFUSALS])
def test_a_refusal_leaves_the_paper_in_the_feeder_as_often_as_it_was_asked_for(kind: FaultKind) -> None:
    unit = scanner(sheets=2)
    unit.inject(Fault(kind, at_sheet=2, times=2))
    assert [unit.feed() for _ in range(4)] == [Sheet("a", 1, 1), kind, kind, Sheet("a", 1, 2)]
    assert unit.faults == ()


def test_a_double_feed_that_nobody_looks_for_takes_two_sheets() -> None:
    unit = scanner(sheets=3)
    unit.inject(Fault(FaultKind.DOUBLE_FEED))
    assert [unit.feed(detect_double=False) for _ in range(3)] == [
        Sheet("a", 1, 1),
        Sheet("a", 1, 3),
        FaultKind.EMPTY,
    ]


def test_a_carrier_sheet_is_known_by_itself() -> None:
    unit = scanner()
    unit.load(1, "carrier")
    assert unit.feed() is FaultKind.CARRIER_SHEET


def test_a_closed_lid_is_an_unplugged_unit() -> None:
    unit = scanner()
    told: list[bool] = []
    unit.on_plug.append(lambda: told.append(unit.plugged))
    unit.close_lid()
    unit.open_lid()
    assert told == [False, True]


def test_a_model_without_a_folding_lid_stays_on_the_bus() -> None:
    unit = VirtualScanner(UnitSpec("a", "fi-5110EOX", 1))
    unit.close_lid()
    assert unit.plugged


def test_a_fault_at_a_command_is_met_by_that_command_only() -> None:
    unit = scanner(sheets=1)
    unit.inject(Fault(FaultKind.BUSY, command=0x00, times=2))
    unit.feed()
    assert [unit.struck(0x12), unit.due(Side.FRONT)] == [None, None]
    assert [fault.kind for fault in (unit.struck(0x00), unit.struck(0x00)) if fault] == [FaultKind.BUSY] * 2
    assert unit.struck(0x00) is None


def test_a_fault_on_a_side_waits_for_its_side() -> None:
    unit = scanner(sheets=2)
    unit.inject(Fault(FaultKind.STALL, at_sheet=2, side=Side.BACK))
    unit.feed()
    assert unit.due(Side.BACK) is None
    unit.feed()
    assert unit.due(Side.FRONT) is None
    assert unit.due(Side.BACK) is not None


@pytest.mark.parametrize("count", [0, -1, 1001])
def test_a_load_out_of_bounds_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="the feeder takes"):
        scanner().load(count)


def test_what_happened_is_written_down() -> None:
    unit = scanner(sheets=1)
    unit.feed()
    assert [event.what for event in unit.log] == ["1 sheets loaded", "sheet 1 of batch 1 fed"]
