"""The rules of an account, as their owner sets them, and the planning of what they say."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from drivers.port import Colour
from gateway.clock import Clock
from gateway.core.delivery import planned
from gateway.core.model import AccountId, Delivery, DestinationId, Filing, RuleId, Scan, UnitId
from gateway.core.routing import ALWAYS, DAY_MINUTES, Rule, Unrouted, When, filled_in, route, with_destination
from gateway.store.store import Store
from gateway.work.hub import Hub
from gateway.work.outcomes import NOT_FOUND, Denied
from gateway.work.record import entry

MOST_RULES = 50
_TEXT_LIMIT = 128  # characters: what paperless-ngx takes for a title, a name
_MOST_TAGS = 20


@dataclass(frozen=True, slots=True)
class Draft:
    """What an owner enters for a rule."""

    when: When
    destinations: tuple[DestinationId, ...]
    filing: Filing


class Routing:
    """Reads, owner's actions and plans; every call names the account."""

    def __init__(self, *, clock: Clock, store: Store, hub: Hub) -> None:
        self._clock = clock
        self._store = store
        self._hub = hub
        # Rules are read, thought over and written: one at a time, whoever changes them or what they name.
        self.changes = asyncio.Lock()

    async def rules(self, account: AccountId) -> tuple[Rule, ...]:
        """Return the account's rules in their order."""
        return await self._store.rules.of_account(account)

    async def plan(self) -> None:
        """Give each finished scan a delivery per destination of its rule, named and filed before the first try."""
        for account in await self._store.accounts.all():
            rules = await self._store.rules.of_account(account.id)
            found = await self._store.deliveries.scans_without_deliveries(account.id) if rules else ()
            planned_now = [delivery for scan in found for delivery in self._deliveries(scan, rules)]
            if planned_now:
                await self._store.deliveries.plan(tuple(planned_now))

    def _deliveries(self, scan: Scan, rules: tuple[Rule, ...]) -> tuple[Delivery, ...]:
        found, now = route(scan, rules, local(scan)), self._clock.now().utc
        if isinstance(found, Unrouted):
            return ()
        filing = filled_in(found.filing, scan, local(scan))
        return tuple(planned(scan, destination, now, filing=filing) for destination in found.destinations)

    async def including(self, account: AccountId, destination: DestinationId) -> Rule:
        """Return the account's rule for every scan with one more destination, under `changes`; not saved yet."""
        rules = await self.rules(account)
        found = next((rule for rule in rules if rule.when == ALWAYS), None)
        last = max((rule.position for rule in rules), default=-1) + 1
        rule = found or Rule(RuleId(uuid.uuid4().hex), account, last, ALWAYS, ())
        return with_destination(rule, destination)

    async def add(self, account: AccountId, draft: Draft, *, peer: str) -> Rule | Denied:
        """Add a rule: before the one for every scan, else as the last."""
        async with self.changes:
            return await self._add(account, draft, peer)

    async def _add(self, account: AccountId, draft: Draft, peer: str) -> Rule | Denied:
        refused = await self._refusal(account, draft)
        rules = await self.rules(account)
        if refused is None and len(rules) >= MOST_RULES:
            refused = Denied("too_many_rules", f"An account has {MOST_RULES} rules at the most.", 409)
        if refused is not None:
            return refused
        rule = Rule(RuleId(uuid.uuid4().hex), account, 0, draft.when, draft.destinations, draft.filing)
        at = next((n for n, other in enumerate(rules) if other.when == ALWAYS), len(rules))
        return await self._ordered(account, (*rules[:at], rule, *rules[at:]), rule, "rule_added", peer)

    async def change(self, account: AccountId, rule_id: RuleId, draft: Draft, *, peer: str) -> Rule | Denied:
        """Write a rule anew, at its place; a scanner that it knew already may be gone by now."""
        async with self.changes:
            return await self._change(account, rule_id, draft, peer)

    async def _change(self, account: AccountId, rule_id: RuleId, draft: Draft, peer: str) -> Rule | Denied:
        rules = await self.rules(account)
        rule = next((rule for rule in rules if rule.id == rule_id), None)
        if rule is None:
            return NOT_FOUND
        refused = await self._refusal(account, draft, rule.when.units)
        if refused is not None:
            return refused
        changed = replace(rule, when=draft.when, destinations=draft.destinations, filing=draft.filing)
        return await self._ordered(account, [changed if r is rule else r for r in rules], changed, "rule_changed", peer)

    async def place(self, account: AccountId, rule_id: RuleId, place: int, *, peer: str) -> Rule | Denied:
        """Put a rule at another place of the order, 0 for the first."""
        async with self.changes:
            rules = list(await self.rules(account))
            rule = next((rule for rule in rules if rule.id == rule_id), None)
            if rule is None:
                return NOT_FOUND
            rules.remove(rule)
            rules.insert(min(max(0, place), len(rules)), rule)
            return await self._ordered(account, rules, rule, "rule_moved", peer)

    async def remove(self, account: AccountId, rule_id: RuleId, *, peer: str) -> Denied | None:
        """Remove a rule; what it has planned goes on."""
        async with self.changes:
            rules = await self.rules(account)
            left = _numbered([rule for rule in rules if rule.id != rule_id])
            if len(left) == len(rules):
                return NOT_FOUND
            audit = entry(self._clock.now(), account, peer, "rule_removed")
            await self._store.rules.remove(rule_id, left, audit)
        self._tell(account)
        return None

    async def _ordered(
        self, account: AccountId, rules: Sequence[Rule], about: Rule, action: str, peer: str
    ) -> Rule | Denied:
        ordered = _numbered(rules)
        await self._store.rules.save(ordered, entry(self._clock.now(), account, peer, action))
        self._tell(account)
        return next(rule for rule in ordered if rule.id == about.id)

    def _tell(self, account: AccountId) -> None:
        for topic in ("account", "scans"):
            self._hub.tell(account, topic)

    async def _refusal(self, account: AccountId, draft: Draft, known: frozenset[UnitId] = frozenset()) -> Denied | None:
        units = known | {unit.id for unit in await self._store.units.of_account(account)}
        mine = {destination.id for destination in await self._store.destinations.of_account(account)}
        if not draft.destinations or len(set(draft.destinations)) < len(draft.destinations):
            return _unusable("A rule names one destination or several, each once.")
        if not draft.when.units <= units or not set(draft.destinations) <= mine:
            return _unusable("A rule names scanners and destinations of this account only.")
        return _when_refusal(draft.when) or _filing_refusal(draft.filing)


def _numbered(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    return tuple(replace(rule, position=place) for place, rule in enumerate(rules))


def local(scan: Scan) -> datetime:
    """Return when a scan began in the gateway's own time zone."""
    return scan.started_at.astimezone()


def _when_refusal(when: When) -> Denied | None:
    if not when.colours <= set(Colour):
        return _unusable(f"The colours of a rule are of these: {', '.join(Colour)}.")
    if not when.weekdays <= set(range(7)):
        return _unusable("The weekdays of a rule are numbers from 0, Monday, to 6.")
    if not all(0 <= minute < DAY_MINUTES for minute in (when.from_minute, when.to_minute)):
        return _unusable(f"The times of a rule are minutes of the day, from 0 to {DAY_MINUTES - 1}.")
    return None


def _filing_refusal(filing: Filing) -> Denied | None:
    texts = (filing.title, filing.correspondent, *filing.tags)
    if len(filing.tags) > _MOST_TAGS or not all(filing.tags) or any("," in tag for tag in filing.tags):
        return _unusable(f"A rule gives {_MOST_TAGS} tags at the most, none of them empty or with a comma.")
    if any(len(text) > _TEXT_LIMIT or not text.isprintable() for text in texts):
        return _unusable(f"Title, correspondent and tags have {_TEXT_LIMIT} characters at the most, on one line.")
    return None


def _unusable(detail: str) -> Denied:
    return Denied("unusable", detail, 422)
