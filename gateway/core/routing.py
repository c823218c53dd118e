"""Where a finished scan goes: an account's rules in their order, of which the first that fits says it.

What no rule fits, or only one that names no destination any more, is held with that reason: there is no default.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from gateway.core.model import AccountId, DestinationId, Filing, RuleId, Scan, UnitId

DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class When:
    """What a scan must be for a rule to fit; what is empty fits every scan.

    `colours`: how its unit was set, as in `drivers.port.Colour`; `weekdays`: 0 is Monday; the minutes of the day run
    from the first to before the last, over midnight if the last is the smaller one, all day if they are equal. Day and
    time are the gateway's own, of the scan's beginning.
    """

    units: frozenset[UnitId] = frozenset()
    colours: frozenset[str] = frozenset()
    weekdays: frozenset[int] = frozenset()
    from_minute: int = 0
    to_minute: int = 0


ALWAYS = When()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: for which scans, to which destinations at once, and what is said of the documents."""

    id: RuleId
    account: AccountId
    position: int
    when: When
    destinations: tuple[DestinationId, ...]
    filing: Filing = field(default_factory=Filing)


class Unrouted(StrEnum):
    """Why a scan goes nowhere."""

    NO_RULE = "no_rule"
    NO_DESTINATION = "no_destination"


def route(scan: Scan, rules: tuple[Rule, ...], local: datetime) -> Rule | Unrouted:
    """Return the first rule that fits a scan that began at `local` (the gateway's own time), or why none does."""
    for rule in sorted(rules, key=lambda r: r.position):
        if fits(rule.when, scan, local):
            return rule if rule.destinations else Unrouted.NO_DESTINATION
    return Unrouted.NO_RULE


def fits(when: When, scan: Scan, local: datetime) -> bool:
    """Tell whether a scan is what a rule is for."""
    return (
        (not when.units or scan.unit in when.units)
        and (not when.colours or scan.colour in when.colours)
        and (not when.weekdays or local.weekday() in when.weekdays)
        and _within(when, 60 * local.hour + local.minute)
    )


def _within(when: When, minute: int) -> bool:
    if when.from_minute == when.to_minute:
        return True
    if when.from_minute < when.to_minute:
        return when.from_minute <= minute < when.to_minute
    return minute >= when.from_minute or minute < when.to_minute


def filled_in(filing: Filing, scan: Scan, local: datetime) -> Filing:
    """Return what is said of one scan's document: {date}, {time} and {unit} in the title stand for the scan's own."""
    words = {"{date}": f"{local:%Y-%m-%d}", "{time}": f"{local:%H:%M}", "{unit}": scan.unit_label}
    title = filing.title
    for word, value in words.items():
        title = title.replace(word, value)
    return replace(filing, title=title)


def with_destination(rule: Rule, destination: DestinationId) -> Rule:
    """Return a rule that names one more destination."""
    return replace(rule, destinations=(*rule.destinations, destination))
