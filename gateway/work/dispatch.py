"""Whose turn it is: takes what waits, destination by destination; a broken one stalls no other."""

import asyncio
import logging
from collections import defaultdict
from contextlib import suppress
from datetime import datetime

from gateway.clock import Clock
from gateway.core import delivery as machine
from gateway.core.delivery import REMOVED, Event
from gateway.core.model import Delivery, DeliveryState, Destination, DestinationId
from gateway.store.store import Store
from gateway.work.hub import Hub
from gateway.work.lasting import AGAIN_S
from gateway.work.outbox import Outbox
from gateway.work.routing import Routing

SWEEP_S = 30.0  # nothing depends on a hint arriving
BATCH = 100  # of each destination, so that none waits for another's queue

log = logging.getLogger(__name__)


class Dispatch:
    """Plans what the rules say and hands it to the outbox, one delivery of a destination at a time."""

    def __init__(self, *, clock: Clock, store: Store, routing: Routing, outbox: Outbox, hub: Hub) -> None:
        self._clock = clock
        self._store = store
        self._routing = routing
        self._outbox = outbox
        self._hub = hub
        self._busy: set[DestinationId] = set()
        self._asked_for: set[DestinationId] = set()  # while busy: somebody looks again when it is free
        self._resting: dict[DestinationId, float] = {}  # until when it asked to be left alone, in seconds since boot

    async def run(self) -> None:
        """Deliver until cancelled; what goes wrong with a look ends nothing that is on its way."""
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    patience_s = await self._look(group)
                except Exception:  # the loop's guard: the next look may do
                    log.exception("it is looked again for what is due")
                    patience_s = AGAIN_S
                with suppress(TimeoutError):
                    async with asyncio.timeout(patience_s):
                        await self._hub.anything.wait()

    async def _look(self, group: asyncio.TaskGroup) -> float:
        """Begin what is due; return for how many seconds nothing else is."""
        self._hub.anything.clear()
        await self._step_back()
        return await self._patience_s(await self._round(group))

    async def _patience_s(self, looked: datetime) -> float:
        """Return how long nothing is due; what fell due since `looked` is due now."""
        now, due = self._clock.now(), await self._store.deliveries.next_try(looked)
        until_s = [] if due is None else [(due - now.utc).total_seconds()]
        return min([SWEEP_S, *until_s, *(rests_s - now.boot_s for rests_s in self._resting.values())])

    async def _round(self, group: asyncio.TaskGroup) -> datetime:
        """Begin what is due; returns the time that was asked for."""
        await self._routing.plan()
        waiting: dict[DestinationId, list[Delivery]] = defaultdict(list)
        now = self._clock.now()
        self._resting = {which: until_s for which, until_s in self._resting.items() if until_s > now.boot_s}
        for delivery in await self._store.deliveries.due(now.utc, BATCH):
            if delivery.destination not in self._resting:
                waiting[delivery.destination].append(delivery)
        for destination, deliveries in waiting.items():
            if destination in self._busy:
                self._asked_for.add(destination)
            else:
                self._busy.add(destination)
                group.create_task(self._serve(destination, deliveries), name=f"outbox {destination}")
        return now.utc

    async def _step_back(self) -> None:
        """Step back what is under way by its row and by no task: a crash, or a failing database, came in between."""
        for delivery in await self._store.deliveries.in_state(DeliveryState.SENDING, DeliveryState.COMMITTING):
            if delivery.destination not in self._busy:
                now, after = self._clock.now().utc, machine.step(delivery.state, Event.CRASH)
                await self._store.deliveries.move(delivery.id, (delivery.state,), after, next_try_at=now)

    async def _serve(self, destination_id: DestinationId, deliveries: list[Delivery]) -> None:
        try:
            destination = await self._store.destinations.get(destination_id)
            if destination is None:
                await self._let_be(deliveries)
            else:
                await self._attempt(deliveries, destination)
        except Exception:  # the task's guard: one destination's trouble is not the others'
            log.exception("deliveries to %s are tried again", destination_id)
            await asyncio.sleep(AGAIN_S)
            self._hub.anything.set()
        finally:
            self._busy.discard(destination_id)
            if destination_id in self._asked_for:
                self._asked_for.discard(destination_id)
                self._hub.anything.set()

    async def _attempt(self, deliveries: list[Delivery], destination: Destination) -> None:
        """Try one after the other, until the destination asks to be left alone."""
        for delivery in deliveries:
            try:
                asked_s = await self._outbox.attempt(delivery, destination)
            except Exception:  # one delivery's trouble is not the others'
                log.exception("delivery %s is tried again", delivery.id)
                await asyncio.sleep(AGAIN_S)
                self._hub.anything.set()
                continue
            if asked_s is not None:
                self._resting[destination.id] = self._clock.now().boot_s + min(asked_s, machine.LONGEST_RETRY_S)
                return

    async def _let_be(self, deliveries: list[Delivery]) -> None:
        """Give up what was on its way when its destination was removed, and came back."""
        for delivery in deliveries:
            after = machine.step(delivery.state, Event.DISCARD)
            await self._store.deliveries.move(delivery.id, (delivery.state,), after, reason=REMOVED)
            self._hub.tell(delivery.account, "scans")
