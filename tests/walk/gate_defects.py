"""Gates that are wrong, to be found out.

Behind each rule stands a second one, so that a page gets out only where both are broken; but for the last answer before
a commit, where only the keys stand behind, and [Stop forwarding now] leaves them where they are.
"""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.core import gate
from gateway.core.gate import Facts, Permit, Refusal
from gateway.core.model import Deadline, Delivery, DeliveryState, Instant, Level
from gateway.store import accounts
from gateway.work import gatekeeper
from gateway.work.gatekeeper import Gatekeeper
from gateway.work.signin import SignIn

Decide = Callable[[Facts, Instant], Permit | Refusal]


def ignores_the_epoch(patch: pytest.MonkeyPatch) -> None:
    """A new epoch ends no session, and the gate takes any epoch for the present one."""

    async def none_ends(connection: Any, account: Any, at: Any) -> tuple[str, ...]:
        return ()

    def decide(facts: Facts, now: Instant) -> Permit | Refusal:
        alike = tuple(replace(s, epoch=facts.auth_epoch) for s in facts.sessions)
        return gate.decide(replace(facts, sessions=alike), now)

    patch.setattr(accounts, "sessions", SimpleNamespace(end_of_account=none_ends))
    patch.setattr(gatekeeper, "decide", decide)


def ignores_the_window(patch: pytest.MonkeyPatch) -> None:
    """Neither the window nor the session itself is ever over for the gate."""

    def decide(facts: Facts, now: Instant) -> Permit | Refusal:
        never = Deadline(now.utc.replace(year=now.utc.year + 1), now.boot_s + 10**9)
        alike = tuple(replace(s, ends=never, forwards_until=never) for s in facts.sessions)
        return gate.decide(replace(facts, sessions=alike), now)

    patch.setattr(gatekeeper, "decide", decide)


def ignores_the_level(patch: pytest.MonkeyPatch) -> None:
    """The password alone gives out the identity, and the gate takes every session for a verified one."""
    opened = SignIn.open

    async def opening(self: SignIn, account: Any, caller: Any, replaces: Any, parked: Any, **more: Any) -> Any:
        grant = await opened(self, account, caller, replaces, parked, **more)
        identity = await self._credentials.open(account.id, parked.kek) if parked.kek else None
        if isinstance(identity, str):
            self._sessions._keyring.admit(account.id, grant.session.id, identity)
        return grant

    def decide(facts: Facts, now: Instant) -> Permit | Refusal:
        alike = tuple(replace(s, level=Level.L2, forwards_until=s.forwards_until or s.ends) for s in facts.sessions)
        return gate.decide(replace(facts, sessions=alike), now)

    patch.setattr(SignIn, "open", opening)
    patch.setattr(gatekeeper, "decide", decide)


def ignores_the_last_moment(patch: pytest.MonkeyPatch) -> None:
    """Before a commit the gate says once more what it said before."""
    said: dict[str, Permit] = {}
    ask = Gatekeeper.ask

    async def asking(self: Gatekeeper, delivery: Delivery) -> Permit | Refusal:
        row = await self._store.deliveries.get(delivery.id)
        if row is not None and row.state is DeliveryState.COMMITTING:
            return said[delivery.id]
        answer = await ask(self, delivery)
        if isinstance(answer, Permit):
            said[delivery.id] = answer
        return answer

    patch.setattr(Gatekeeper, "ask", asking)


DEFECTS = {
    "the epoch": ignores_the_epoch,
    "the window": ignores_the_window,
    "the level": ignores_the_level,
}
