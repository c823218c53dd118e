"""One life of the real daemon, lived in a process of its own: `live(order)` returns only if nothing kills it."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from gateway import app
from gateway.clock import SystemClock
from gateway.core.delivery import CANNOT_SAY
from gateway.core.model import Delivery, DeliveryState, Instant, ScanState
from gateway.settings import Destinations, Network, Paths, Settings, Web
from tests.walk.crash import defects
from tests.walk.crash.diary import Pen
from tests.walk.crash.instants import ACKNOWLEDGING, Edge, Reaper
from tests.walk.crash.orders import Life, Order
from tests.walk.crash.sinks import TAKEN
from tests.walk.crash.unit import Feeder

LOOK_S = 0.01
GIVE_UP_S = 6 * 3600.0  # of the clock that is set forward: six tries an hour apart; the session's window is longer
_UNDECIDED = (
    DeliveryState.WAITING,
    DeliveryState.SENDING,
    DeliveryState.COMMITTING,
    DeliveryState.UNCERTAIN,
)
_OPEN = (ScanState.RECEIVING,)


class Ahead:
    """The system's clock, so many seconds ahead."""

    def __init__(self, ahead_s: float) -> None:
        self._system = SystemClock()
        self.ahead = timedelta(seconds=ahead_s)

    def now(self) -> Instant:
        """Return this instant."""
        real = self._system.now()
        return Instant(real.utc + self.ahead, real.boot_s + self.ahead.total_seconds(), real.boot_id)


def settings(folder: Path, sink_ports: tuple[int, ...]) -> Settings:
    """Return the settings of the house in a folder."""
    return Settings(
        paths=Paths(state=folder / "state", runtime=folder / "run"),
        web=Web(socket=str(folder / "web.sock")),
        network=Network(find=False),
        destinations=Destinations(roots=(folder / "archive",), allow=tuple(f"127.0.0.1:{port}" for port in sink_ports)),
    )


def live(order: Order) -> None:
    """Live it in this very process."""
    folder = Path(order.folder)
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
    pen = Pen(folder / "diary")
    reaper = Reaper(order.life.instant, pen.tell)
    defects.plant(order.defect)
    reaper.install()
    asyncio.run(_Living(order, pen, reaper).run())
    pen.tell("ended")


class _Living:
    """The daemon, and who lives in its house."""

    def __init__(self, order: Order, pen: Pen, reaper: Reaper) -> None:
        self._order = order
        self._life: Life = order.life
        self._pen = pen
        self._reaper = reaper
        self._clock = Ahead(order.life.ahead_s)
        self._feeder = Feeder(self._note)

    def _note(self, what: str, sheet: str) -> None:
        self._pen.tell(what, sheet)
        if what == "acknowledged":
            self._reaper.cross(Edge.AFTER, ACKNOWLEDGING)

    async def run(self) -> None:
        """Start, press, and stay until nothing is left to do."""
        house = settings(Path(self._order.folder), self._order.sink_ports)
        async with app.build(house, clock=self._clock, finders=[self._feeder]) as daemon:
            ready = asyncio.Event()
            serving = asyncio.ensure_future(daemon.run(ready=lambda _: ready.set()))
            started = asyncio.ensure_future(ready.wait())
            await asyncio.wait({serving, started}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                await serving
            for batch in self._life.batches:
                self._feeder.press(batch)
            visitor = await daemon.services.sessions.whois(self._order.token, acts=True)
            if visitor is None:
                raise RuntimeError("the session did not outlive the restart")
            daemon.services.hub.anything.set()
            await (self._drain(daemon) if self._life.drains else self._last(daemon))
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    async def _last(self, daemon: app.App) -> None:
        """Die at rest when nothing is left that could bring about the chosen instant."""
        while self._feeder.to_do or not await self._quiet(daemon, lambda d: d.next_try_at > self._clock.now().utc):
            await asyncio.sleep(LOOK_S)
        if self._life.kill_after_s is None:
            self._reaper.die("at rest")
        await asyncio.Event().wait()

    async def _drain(self, daemon: app.App) -> None:
        """Finish what is paused, and set the clock forward whenever only that helps."""
        while not await self._quiet(daemon, lambda _: False):
            for scan in await daemon.services.store.scans.in_state(ScanState.PAUSED):
                await daemon.services.catalogue.finish_scan(scan.account, scan.id)
            for delivery in await daemon.services.store.deliveries.in_state(DeliveryState.UNCERTAIN):
                if delivery.reason == CANNOT_SAY:
                    await self._decide(daemon, delivery)
            if await self._quiet(daemon, lambda d: d.next_try_at > self._clock.now().utc):
                due = await daemon.services.store.deliveries.next_try(self._clock.now().utc)
                if due is not None:
                    self._clock.ahead += due - self._clock.now().utc + timedelta(seconds=1)
                    self._expect_progress()
                    daemon.services.hub.anything.set()
            await asyncio.sleep(LOOK_S)
        await daemon.services.store.audit.verify()

    async def _decide(self, daemon: app.App, delivery: Delivery) -> None:
        """Say whether a document arrived that the destination cannot tell of: its owner looks where it was taken."""
        there = (Path(self._order.folder) / TAKEN / delivery.name).exists()
        self._pen.tell("decided", "there" if there else "not there")
        ledger = daemon.services.ledger
        decide = ledger.confirm if there else ledger.retry
        await decide(delivery.account, delivery.id, peer="")

    def _expect_progress(self) -> None:
        """Give up on deliveries that stay undecided however often they are tried."""
        if self._clock.ahead.total_seconds() - self._life.ahead_s > GIVE_UP_S:
            raise RuntimeError("something is still undecided")

    async def _quiet(self, daemon: app.App, waits: Callable[[Delivery], bool]) -> bool:
        """Tell whether nothing is received, planned or sent, but for deliveries that wait."""
        store = daemon.services.store
        open_still = (*_OPEN, ScanState.PAUSED) if self._life.drains else _OPEN
        if await store.scans.in_state(*open_still):
            return False
        for account in await store.accounts.all():
            if await store.deliveries.scans_without_deliveries(account.id):
                return False
        return all(waits(delivery) for delivery in await store.deliveries.in_state(*_UNDECIDED))


if __name__ == "__main__":
    live(Order.decode(sys.argv[1]))
