"""Where a job's pages come from: the feeder or the glass, and what is said when the paper does not come. No HTTP."""

import asyncio
from collections.abc import Callable

from simulator.escl.images import Document, on_the_glass, through_the_feeder
from simulator.escl.jobs import Event, Job
from simulator.escl.offer import feeder_size
from simulator.escl.quirks import Quirks
from simulator.escl.wire import COLOURS, Source
from simulator.faults import IN_THE_PATH, FaultKind
from simulator.scanner import VirtualScanner
from simulator.sheets import Sheet, Side

_UNAVAILABLE, _CONFLICT = 503, 409
# What a fault at the feed does to the job, and the status of the request that met it (3.5).
_AT_FEED: dict[FaultKind, tuple[Event | None, int]] = {
    **dict.fromkeys(IN_THE_PATH, (Event.FAILED, _CONFLICT)),
    FaultKind.NOT_READY: (None, _UNAVAILABLE),
    FaultKind.ASLEEP: (None, _UNAVAILABLE),
    FaultKind.BATTERY: (Event.FAILED, 500),
    FaultKind.WIFI: (Event.FAILED, 500),
    FaultKind.STOP_BUTTON: (Event.STOPPED, _CONFLICT),
}
_STUCK: dict[FaultKind, str] = {FaultKind.DOUBLE_FEED: "ScannerAdfMultipickDetected"}
_JAM = "ScannerAdfJam"


def adf_state(scanner: VirtualScanner, job: Job | None, quirks: Quirks) -> str:
    """Return the word for the feeder's state (3.2)."""
    if scanner.cover_open:
        return quirks.hatch
    if scanner.stuck is not None:
        return _STUCK.get(scanner.stuck, _JAM)
    if job is not None and job.source is Source.FEEDER and job.waiting:
        return "ScannerAdfProcessing"
    return "ScannerAdfLoaded" if scanner.sheets else "ScannerAdfEmpty"


class Pages:
    """The pages of one job after another, as the paper brings them."""

    def __init__(self, scanner: VirtualScanner, now_s: Callable[[], float]) -> None:
        self._scanner = scanner
        self._now_s = now_s

    def provide(self, job: Job, quirks: Quirks) -> int:
        """See to it that a page of the job waits: 0, or the status that says why there is none."""
        if not job.waiting:
            trouble = self._from_the_glass(job, quirks) if job.source is Source.PLATEN else self._feed(job, quirks)
            if trouble:
                return trouble
            job.busy_polls = self._scanner.spec.busy_polls
        return 0

    async def ready(self, job: Job, *, patient: bool) -> bool:
        """Tell whether the first waiting page has gone past the sensors; `patient` waits until it has."""
        left_s = job.ready_at_s - self._now_s()
        if patient:
            await asyncio.sleep(max(0.0, left_s))
            return True
        if job.busy_polls:
            job.busy_polls -= 1
            return False
        return left_s <= 0

    def taken(self, job: Job) -> None:
        """Go on behind the page that was sent; each side is waited for anew."""
        job.last = job.waiting.popleft()
        job.completed += 1
        job.busy_polls = self._scanner.spec.busy_polls

    def end(self, job: Job, event: Event) -> None:
        """End a job; the sheet in the path goes out, unless it is stuck there."""
        if job.happens(event) and self._scanner.stuck is None:
            self._scanner.eject()

    def _from_the_glass(self, job: Job, quirks: Quirks) -> int:
        if job.completed:
            self.end(job, Event.RAN_OUT)
            return quirks.end
        settings = job.settings
        view = on_the_glass(job.region, settings.dpi)
        sheet, mode = self._scanner.on_glass, COLOURS[settings.colour]
        job.waiting.append(Document(sheet, Side.FRONT, mode, settings.dpi, view))
        job.ready_at_s = self._now_s() + self._scanner.feed_s
        return 0

    def _feed(self, job: Job, quirks: Quirks) -> int:
        outcome = self._scanner.feed()
        if isinstance(outcome, Sheet) and outcome.length_1200 > self._scanner.model.longest_paper_1200:
            self._scanner.block(FaultKind.JAM)
            outcome = FaultKind.JAM
        if isinstance(outcome, Sheet):
            job.waiting.extend(self._sides(outcome, job, quirks))
            job.ready_at_s = self._now_s() + self._scanner.feed_s
            return 0
        if outcome is FaultKind.EMPTY:
            self.end(job, Event.RAN_OUT)
            return quirks.end
        event, status = _AT_FEED[outcome]
        if event is not None:
            self.end(job, event)
        return status

    def _sides(self, sheet: Sheet, job: Job, quirks: Quirks) -> list[Document]:
        settings, width = job.settings, feeder_size(self._scanner)[0]
        view = through_the_feeder(sheet, job.region, width, settings.dpi, to_the_paper=not quirks.full_length)
        sides = (Side.FRONT, Side.BACK) if settings.duplex else (Side.FRONT,)
        return [Document(sheet, side, COLOURS[settings.colour], settings.dpi, view) for side in sides]
