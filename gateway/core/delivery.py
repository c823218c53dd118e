"""The delivery machine, its back-off, and the name a document gets."""

from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from gateway.core.model import Delivery, DeliveryId, DeliveryState, DestinationId, Filing, Scan, ScanState

FIRST_RETRY_S = 5.0
LONGEST_RETRY_S = 3600.0
REMOVED = "The destination was removed."  # why a delivery was given up that nobody gave up
CANNOT_SAY = "The destination cannot say whether it has the document."  # why an uncertain one is left to its owner


class Event(StrEnum):
    PERMIT = "permit"
    SHUT = "shut"
    ERROR = "error"
    CRASH = "crash"
    COMMIT = "commit"
    RECEIPT = "receipt"
    NO_ANSWER = "no_answer"
    ABSENT = "absent"
    FOUND = "found"
    REFUSED = "refused"
    BROKEN_SEAL = "broken_seal"
    RETRY = "retry"
    DISCARD = "discard"


S = DeliveryState
_STEPS: dict[tuple[DeliveryState, Event], DeliveryState] = {
    (S.WAITING, Event.PERMIT): S.SENDING,
    (S.WAITING, Event.DISCARD): S.DISCARDED,
    (S.SENDING, Event.SHUT): S.WAITING,
    (S.SENDING, Event.ERROR): S.WAITING,
    (S.SENDING, Event.CRASH): S.WAITING,
    (S.SENDING, Event.REFUSED): S.FAILED,
    (S.SENDING, Event.BROKEN_SEAL): S.QUARANTINED,
    (S.SENDING, Event.COMMIT): S.COMMITTING,
    (S.SENDING, Event.DISCARD): S.DISCARDED,  # its destination was removed
    (S.SENDING, Event.RECEIPT): S.DELIVERED,  # found there already: an earlier try had got through
    (S.COMMITTING, Event.RECEIPT): S.DELIVERED,
    (S.COMMITTING, Event.SHUT): S.WAITING,  # the gate was asked once more, and the sink was not told
    (S.COMMITTING, Event.ERROR): S.WAITING,  # the sink answered, and said no
    (S.COMMITTING, Event.REFUSED): S.FAILED,
    (S.COMMITTING, Event.NO_ANSWER): S.UNCERTAIN,
    (S.COMMITTING, Event.CRASH): S.UNCERTAIN,
    (S.UNCERTAIN, Event.FOUND): S.DELIVERED,
    (S.UNCERTAIN, Event.ABSENT): S.WAITING,
    (S.FAILED, Event.RETRY): S.WAITING,
    (S.FAILED, Event.DISCARD): S.DISCARDED,
    (S.QUARANTINED, Event.DISCARD): S.DISCARDED,
    (S.UNCERTAIN, Event.DISCARD): S.DISCARDED,
    (S.UNCERTAIN, Event.RETRY): S.WAITING,
}


def step(state: DeliveryState, event: Event) -> DeliveryState:
    """Return the state after `event`; KeyError if the machine has no such step."""
    return _STEPS[state, event]


def next_try(attempts: int, now: datetime, *, jitter: float, retry_after_s: float | None) -> datetime:
    """Return when to try again: 5 s doubling to an hour, plus up to a fifth (`jitter` 0..1), or what the sink asked."""
    wait_s = min(FIRST_RETRY_S * 2 ** min(attempts, 20), LONGEST_RETRY_S) * (1 + jitter / 5)
    return now + timedelta(seconds=max(wait_s, min(retry_after_s or 0.0, LONGEST_RETRY_S)))


def document_name(scan: Scan) -> str:
    """Return the file name of a scan's document: sortable, unique by the scan's id, safe on every file system."""
    stamp = scan.started_at.strftime("%Y-%m-%d %H.%M.%S")
    label = "".join(c if c.isalnum() or c in " -_" else "-" for c in scan.unit_label).strip() or "scan"
    mark = " (incomplete)" if scan.state is ScanState.INCOMPLETE else ""
    return f"{stamp} {label[:40]} {scan.id[:8]}{mark}.pdf"


def planned(scan: Scan, destination: DestinationId, now: datetime, *, filing: Filing, generation: int = 1) -> Delivery:
    """Return a delivery of the scan, named and ready to be asked for; a further `generation` is sent once more."""
    key = f"{scan.id}/{destination}/{generation}"
    return Delivery(
        id=DeliveryId(sha256(key.encode()).hexdigest()[:32]),
        scan=scan.id,
        account=scan.account,
        destination=destination,
        generation=generation,
        name=document_name(scan),
        state=DeliveryState.WAITING,
        attempts=0,
        next_try_at=now,
        reason="",
        receipt=None,
        created_at=now,
        filing=filing,
    )
