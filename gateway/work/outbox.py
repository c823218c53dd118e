"""With a Permit: unseal, assemble, deliver, receipt. The only place that calls `deliver` and `reconcile`."""

import asyncio
import logging
import secrets
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from gateway.clock import Clock
from gateway.core import delivery as machine
from gateway.core.delivery import Event
from gateway.core.gate import Permit, Refusal
from gateway.core.model import Delivery, DeliveryState, Destination, Receipt
from gateway.destinations.port import DestinationError, Proof, Rejected, ReplyLost, Trace, Unavailable
from gateway.documents.assemble import DamagedPage
from gateway.documents.worker import EncodeError
from gateway.store.audit import AuditEntry
from gateway.store.store import Store
from gateway.vault.keyring import NotOpen
from gateway.vault.seal import BrokenSeal
from gateway.work.gatekeeper import Gatekeeper
from gateway.work.hub import Hub
from gateway.work.ports import Ports
from gateway.work.record import entry
from gateway.work.render import Renderer

REASK_S = 0.1  # while sending: three small queries, and a shut gate cancels within a quarter of a second
_TOLD = (DeliveryState.FAILED, DeliveryState.UNCERTAIN, DeliveryState.QUARANTINED)

log = logging.getLogger(__name__)


class GateShut(Exception):
    """The gate said no while a delivery was on its way."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.reason = refusal.reason


class Withdrawn(Exception):
    """The delivery was taken back while it was on its way: its destination was removed."""


@dataclass(slots=True)
class _Flight:
    """A delivery on its way, and whether its commit has begun; `moving`: the write of that into its row.

    `committed`: the destination was told to make it visible, or may have been.
    """

    delivery: Delivery
    state: DeliveryState = DeliveryState.SENDING
    moving: asyncio.Future[bool] | None = None
    committed: bool = False

    async def landed(self) -> None:
        """Follow the row: where a library's own task asked for the commit, its end does not wait for that write."""
        if self.moving is None:
            return
        await asyncio.wait({self.moving})
        if not self.moving.cancelled() and self.moving.exception() is None and self.moving.result():
            self.state = DeliveryState.COMMITTING


class Outbox:
    """Makes one attempt at one delivery. Whose turn it is: work/dispatch.py."""

    def __init__(
        self,
        *,
        clock: Clock,
        store: Store,
        renderer: Renderer,
        gatekeeper: Gatekeeper,
        ports: Ports,
        hub: Hub,
    ) -> None:
        self._clock = clock
        self._store = store
        self._renderer = renderer
        self._gatekeeper = gatekeeper
        self._ports = ports
        self._hub = hub

    async def attempt(self, delivery: Delivery, destination: Destination) -> float | None:
        """Ask the gate, then send it, or ask the destination whether it arrived; how that went stands in the row.

        Returns for how many seconds the destination asks to be left alone, if it does.
        """
        answer = await self._gatekeeper.ask(delivery)
        if isinstance(answer, Refusal):
            if delivery.reason != answer.reason:
                await self._store.deliveries.move(
                    delivery.id,
                    (delivery.state,),
                    delivery.state,
                    reason=answer.reason,
                    next_try_at=delivery.next_try_at,
                )
                self._hub.tell(delivery.account, "scans")
            return None
        if delivery.state is DeliveryState.UNCERTAIN:
            return await self._reconcile(delivery, destination, answer)
        return await self._send(delivery, destination, answer)

    async def _send(self, delivery: Delivery, destination: Destination, permit: Permit) -> float | None:
        if not await self._move(delivery, DeliveryState.WAITING, Event.PERMIT, attempts=1):
            return None
        flight = _Flight(delivery)
        began_s = time.monotonic()
        try:
            proof, pages = await self._guarded(flight, self._deliver(flight, destination, permit))
        except (GateShut, NotOpen) as shut:
            await self._back(flight, Event.SHUT, str(shut) if isinstance(shut, GateShut) else "")
        except asyncio.CancelledError:  # the gateway stops
            if flight.state is DeliveryState.COMMITTING and not flight.committed:
                await self._back(flight, Event.SHUT, "")
            raise
        except Withdrawn:
            log.info("delivery %s was taken back", delivery.id)
        except EncodeError as error:
            await self._back(flight, Event.REFUSED, f"The document cannot be made: {error}.")
        except (BrokenSeal, DamagedPage) as error:
            log.error("delivery %s: %s", delivery.id, error)
            await self._back(flight, Event.BROKEN_SEAL, f"A page is damaged: {error}")
        except DestinationError as error:
            await self._failed(flight, error)
            return _asked_s(error)
        except Exception as error:  # the task's guard: one delivery's trouble is not the others'
            log.exception("delivery %s failed", delivery.id)
            event = Event.ERROR if flight.state is DeliveryState.SENDING else Event.NO_ANSWER
            await self._back(flight, event, _trouble(error))
        else:
            await self._delivered(flight, proof, pages, time.monotonic() - began_s)
        return None

    async def _deliver(self, flight: _Flight, destination: Destination, permit: Permit) -> tuple[Proof, int]:
        async with self._renderer.document(flight.delivery, permit) as (parcel, pages):
            port = await self._ports.open(destination)
            return await port.deliver(permit, parcel, lambda: self._commit(flight)), pages

    async def _guarded(self, flight: _Flight, sending: Coroutine[Any, Any, tuple[Proof, int]]) -> tuple[Proof, int]:
        """Run a delivery, asking the gate again meanwhile; once the commit has begun only its answer counts."""
        task = asyncio.ensure_future(sending)
        try:
            while True:
                done, _ = await asyncio.wait({task}, timeout=REASK_S)
                if done:
                    return task.result()
                if flight.state is DeliveryState.SENDING:
                    objection = await self._objection(flight.delivery)
                    if objection is not None and flight.state is DeliveryState.SENDING:
                        task.cancel()
                        await asyncio.wait({task})
                        if task.cancelled() or task.exception() is not None:
                            raise objection
        finally:
            task.cancel()
            await asyncio.wait({task})
            await flight.landed()

    async def _objection(self, delivery: Delivery) -> GateShut | Withdrawn | None:
        """Return why a delivery that is being sent must not go on."""
        row = await self._store.deliveries.get(delivery.id)
        if row is None or row.state not in (DeliveryState.SENDING, DeliveryState.COMMITTING):
            return Withdrawn()
        answer = await self._gatekeeper.ask(delivery)
        return GateShut(answer) if isinstance(answer, Refusal) else None

    async def _commit(self, flight: _Flight) -> None:
        """Make the row durable, then ask the gate: whoever shut it before this answer finds nothing committed."""
        flight.moving = asyncio.ensure_future(self._move(flight.delivery, DeliveryState.SENDING, Event.COMMIT))
        if not await asyncio.shield(flight.moving):
            raise Withdrawn
        flight.state = DeliveryState.COMMITTING
        answer = await self._gatekeeper.ask(flight.delivery)
        if isinstance(answer, Refusal):
            raise GateShut(answer)
        flight.committed = True

    async def _reconcile(self, delivery: Delivery, destination: Destination, permit: Permit) -> float | None:
        """Ask the sink whether a commit without an answer took effect."""
        flight = _Flight(delivery, DeliveryState.UNCERTAIN)
        began_s = time.monotonic()
        try:
            async with self._renderer.document(delivery, permit) as (parcel, pages):
                port = await self._ports.open(destination)
                found = await port.reconcile(permit, parcel)
        except (DestinationError, NotOpen, BrokenSeal, EncodeError, DamagedPage) as error:
            await self._later(delivery, str(error), _asked_s(error))
            return _asked_s(error)
        except Exception as error:  # the task's guard
            log.exception("delivery %s cannot be asked for", delivery.id)
            await self._later(delivery, _trouble(error))
            return None
        if isinstance(found, Proof):
            await self._delivered(flight, found, pages, time.monotonic() - began_s)
        elif found is Trace.ABSENT:
            await self._back(flight, Event.ABSENT, "")
        else:
            await self._later(delivery, machine.CANNOT_SAY)
        return None

    async def _later(self, delivery: Delivery, reason: str, retry_after_s: float | None = None) -> None:
        due = machine.next_try(
            delivery.attempts + 1,
            self._clock.now().utc,
            jitter=_jitter(),
            retry_after_s=retry_after_s,
        )
        state = DeliveryState.UNCERTAIN
        await self._store.deliveries.move(
            delivery.id, (state,), state, reason=reason, next_try_at=due, attempts_delta=1
        )
        self._hub.tell(delivery.account, "scans")

    async def _delivered(self, flight: _Flight, proof: Proof, pages: int, seconds: float) -> None:
        receipt = Receipt(
            location=proof.location,
            remote_id=proof.remote_id,
            byte_count=proof.byte_count,
            sha256=proof.sha256,
            pages=pages,
            at=self._clock.now().utc,
            seconds=round(seconds, 3),
        )
        event = Event.FOUND if flight.state is DeliveryState.UNCERTAIN else Event.RECEIPT
        after = machine.step(flight.state, event)
        audit = self._line(flight.delivery, after, f"{proof.location}, SHA-256 {proof.sha256}")
        await self._store.deliveries.move(flight.delivery.id, (flight.state,), after, receipt=receipt, audit=audit)
        log.info("delivered %s to %s in %.2f s", flight.delivery.id, proof.location, seconds)
        self._hub.tell(flight.delivery.account, "scans")

    async def _failed(self, flight: _Flight, error: DestinationError) -> None:
        if isinstance(error, ReplyLost):
            event = Event.NO_ANSWER if flight.state is DeliveryState.COMMITTING else Event.ERROR
        else:
            event = Event.REFUSED if isinstance(error, Rejected) else Event.ERROR
        await self._back(flight, event, str(error), retry_after_s=_asked_s(error))

    async def _back(self, flight: _Flight, event: Event, reason: str, *, retry_after_s: float | None = None) -> None:
        """Leave the delivery in the state that `event` leads to; only errors count, and wait before the next try."""
        now = self._clock.now().utc
        due = now
        if event in (Event.ERROR, Event.NO_ANSWER):
            due = machine.next_try(
                flight.delivery.attempts,
                now,
                jitter=_jitter(),
                retry_after_s=retry_after_s,
            )
        after = machine.step(flight.state, event)
        audit = self._line(flight.delivery, after, f"{flight.delivery.name}: {reason}") if after in _TOLD else None
        await self._store.deliveries.move(
            flight.delivery.id,
            (flight.state,),
            after,
            reason=reason,
            next_try_at=due,
            attempts_delta=-1 if event is Event.SHUT else 0,
            audit=audit,
        )
        self._hub.tell(flight.delivery.account, "scans")

    def _line(self, delivery: Delivery, state: DeliveryState, reason: str) -> AuditEntry:
        action = "delivered" if state is DeliveryState.DELIVERED else f"delivery_{state}"
        return entry(self._clock.now(), delivery.account, "", action, reason=reason)

    async def _move(self, delivery: Delivery, state: DeliveryState, event: Event, *, attempts: int = 0) -> bool:
        moved = await self._store.deliveries.move(
            delivery.id, (state,), machine.step(state, event), attempts_delta=attempts
        )
        self._hub.tell(delivery.account, "scans")
        return moved


def _trouble(error: Exception) -> str:
    """Return what a person can make of an error that nobody foresaw."""
    if isinstance(error, OSError) and error.strerror:
        return f"The gateway has trouble with its own disk or network: {error.strerror}."
    return "An internal error; see the log."


def _asked_s(error: Exception) -> float | None:
    return error.retry_after_s if isinstance(error, Unavailable) else None


def _jitter() -> float:
    return secrets.randbelow(1000) / 1000
