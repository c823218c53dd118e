"""Which scan goes where."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.core.model import AccountId, DestinationId, Filing, RuleId, Scan, ScanId, ScanState, UnitId
from gateway.core.routing import ALWAYS, Rule, Unrouted, When, filled_in, route

MONDAY = datetime(2024, 5, 6, 7, 30, tzinfo=UTC)
SCAN = Scan(ScanId("s"), AccountId("a"), UnitId("u"), "Hall", ScanState.STORED, MONDAY, colour="gray")
A, B = DestinationId("A"), DestinationId("B")


def rule(when: When, *destinations: DestinationId, position: int = 0) -> Rule:
    return Rule(RuleId(f"r{position}"), AccountId("a"), position, when, destinations)


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        (ALWAYS, True),
        (When(units=frozenset({UnitId("u"), UnitId("v")})), True),
        (When(units=frozenset({UnitId("v")})), False),
        (When(colours=frozenset({"gray"})), True),
        (When(colours=frozenset({"colour"})), False),
        (When(weekdays=frozenset({0})), True),
        (When(weekdays=frozenset({1, 2, 3, 4, 5, 6})), False),
        (When(from_minute=450, to_minute=451), True),
        (When(from_minute=451, to_minute=500), False),
        (When(from_minute=400, to_minute=450), False),
        (When(from_minute=22 * 60, to_minute=8 * 60), True),
        (When(from_minute=22 * 60, to_minute=7 * 60), False),
        (When(units=frozenset({UnitId("u")}), colours=frozenset({"colour"})), False),
    ],
)
def test_a_rule_fits_when_all_that_it_asks_for_is_so(when: When, fits: bool) -> None:
    found = route(SCAN, (rule(when, A),), MONDAY)
    assert found == (rule(when, A) if fits else Unrouted.NO_RULE)


def test_the_first_rule_that_fits_counts_whatever_the_rows_order() -> None:
    first, last = rule(When(colours=frozenset({"gray"})), A, position=1), rule(ALWAYS, B, position=2)
    assert route(SCAN, (last, first), MONDAY) == first
    assert route(replace(SCAN, colour="colour"), (last, first), MONDAY) == last


def test_there_is_no_default() -> None:
    assert route(SCAN, (), MONDAY) is Unrouted.NO_RULE


def test_a_rule_whose_destinations_are_gone_holds_and_lets_no_later_rule_have_it() -> None:
    rules = (rule(When(colours=frozenset({"gray"})), position=0), rule(ALWAYS, B, position=1))
    assert route(SCAN, rules, MONDAY) is Unrouted.NO_DESTINATION


def test_a_title_is_filled_in_and_what_it_is_filled_with_is_not_read_again() -> None:
    filing = Filing("{unit} {date} {time} {other}", "Bank", ("a",))
    assert filled_in(filing, replace(SCAN, unit_label="x"), MONDAY).title == "x 2024-05-06 07:30 {other}"
