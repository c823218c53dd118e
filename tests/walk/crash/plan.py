"""From a seed to the lives of a chain. The same seed gives the same plan, whatever became of other chains."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from gateway.core.model import DeliveryState as D
from gateway.core.model import ScanState as S
from tests.walk.crash.instants import ACKNOWLEDGING, Edge, Instant, instants, step_name
from tests.walk.crash.orders import Life
from tests.walk.crash.sheets import Sheet
from tests.walk.crash.unit import Batch

NAMED = 8  # lives of a chain that end at a named instant
TIMED = 6  # and at any time
PLAIN_BETWEEN = 2  # lives between two power cuts that end without one
SHEETS = 3  # where a plan needs some: both sides of one, and another one
SPAN_S = 0.16  # a life that is not killed has delivered by then
LARGE_BYTES = 300_000  # several pieces of a document, several chunks of a page
RESUME_OVER_S = 660.0  # paused scans are finished by then
_COMMON = frozenset({"COMMIT", "fsync", "PROPFIND", "asking the gate", "unlink", "reading from the unit"})

_COMMITTED = Instant(Edge.AFTER, step_name("delivery", D.SENDING, D.COMMITTING))
_PUBLISHED = Instant(Edge.AFTER, "publishing the folder's file")
_ACKNOWLEDGED = Instant(Edge.AFTER, ACKNOWLEDGING)
_MOVED = Instant(Edge.AFTER, "MOVE")
_JAMMED = Instant(Edge.AFTER, step_name("scan", S.RECEIVING, S.PAUSED))
_AT_REST = Instant(Edge.AFTER, "everything")  # comes by no such instant
# What happens only in the life after a certain end: the end that comes first.
LEADS: dict[str, Instant] = {
    "adopting a page": Instant(Edge.AFTER, "keeping a page"),
    "reconciling the folder": _PUBLISHED,
    "removing the folder's temporary file": _PUBLISHED,
    "reading the folder's file": _PUBLISHED,
    "reconciling WebDAV": _MOVED,
    "GET": _MOVED,
    "DELETE": _MOVED,
    step_name("scan", S.RECEIVING, S.PAUSED): _ACKNOWLEDGED,
    step_name("scan", S.PAUSED, S.RECEIVING): _ACKNOWLEDGED,
    step_name("scan", S.PAUSED, S.INCOMPLETE): _JAMMED,
    step_name("delivery", D.SENDING, D.WAITING): Instant(Edge.AFTER, step_name("delivery", D.WAITING, D.SENDING)),
    step_name("delivery", D.COMMITTING, D.UNCERTAIN): _COMMITTED,
    step_name("delivery", D.UNCERTAIN, D.DELIVERED): _PUBLISHED,
    step_name("delivery", D.UNCERTAIN, D.WAITING): _COMMITTED,
}
_FINISHING = step_name("scan", S.PAUSED, S.INCOMPLETE)


def chain(seed: int, *, power: bool = False) -> tuple[Life, ...]:
    """Return the lives that end in a kill, and the last one that does not.

    `power`: some of the kills are power cuts; between two of them some lives end without one.
    """
    plan = _Plan(seed, power)
    return (*plan.killed(), Life(drains=True, ahead_s=plan.ahead_s + 5))


def at(instant: Instant, seed: int) -> tuple[Life, ...]:
    """Return the lives around one instant, with power cuts at which the disk keeps nothing that was not synced.

    Twice a mere kill, and the power goes in the life after it: when that is at rest, and when it has acknowledged the
    first page that was put in; then a cut at the instant itself. Later crossings have the two the other way round:
    the first life of a house makes more folders than the others.
    """
    plan = _Plan(seed, power=False)
    lives: list[Life] = []
    afters = (_AT_REST, _ACKNOWLEDGED) if instant.crossing == 1 else (_ACKNOWLEDGED, _AT_REST)
    for after in (*afters, None):
        lives += [plan.led(instant)] if instant.name in LEADS else []
        lives.append(plan.ending(instant, SHEETS))
        if after is not None:
            batches = plan.ending(after, SHEETS).batches if after is _ACKNOWLEDGED else ()
            soon_s = lives[-1].ahead_s + 5  # so that a paused scan goes on
            lives.append(Life(batches, soon_s, after))
        lives[-1] = replace(lives[-1], power_cut="nothing")
    return (*lives, Life(drains=True, ahead_s=plan.ahead_s + 5))


class _Plan:
    def __init__(self, seed: int, power: bool) -> None:
        self._seed = seed
        self._random = Random(f"chain {seed} {power}")
        self._power = power
        self._since_cut = 0
        self._number = 0
        self.ahead_s = 0.0

    def killed(self) -> Iterator[Life]:
        ends: list[Instant | None] = [*self._dealt(), *[None] * TIMED]
        self._random.shuffle(ends)
        for end in ends:
            if end is not None and end.name in LEADS:
                yield self.led(end)
            yield self.ending(end)

    def led(self, end: Instant) -> Life:
        """Return the life before one that ends at an instant which needs it."""
        lead = LEADS[end.name]
        return self.ending(lead, SHEETS, jams=lead is _JAMMED)

    def _dealt(self) -> list[Instant]:
        """Return this chain's share of the deck: chains in a row come by every instant equally often."""
        deck = list(instants())
        Random("the deck").shuffle(deck)
        return [self._counted(deck[(self._seed * NAMED + i) % len(deck)]) for i in range(NAMED)]

    def _counted(self, instant: Instant) -> Instant:
        most = 12 if instant.name in _COMMON else 2
        return Instant(instant.edge, instant.name, self._random.choice((1, self._random.randint(1, most))))

    def ending(self, end: Instant | None, sheets: int = 0, *, jams: bool = False) -> Life:
        """Return the next life; None: it is killed at any time."""
        finishing = end is not None and end.name == _FINISHING
        self.ahead_s += RESUME_OVER_S if finishing else self._random.choice((0.0, 0.0, 10.0, 10.0, 60.0, RESUME_OVER_S))
        self._number += 1
        return Life(
            batches=tuple(self._batches(sheets, end, jams)),
            ahead_s=self.ahead_s,
            instant=end,
            kill_after_s=None if end is not None else self._random.uniform(0.0, SPAN_S),
            power_cut=self._cuts(),
        )

    def _batches(self, sheets: int, end: Instant | None, jams: bool) -> Iterator[Batch]:
        presses = 1 if end is not None else self._random.choice((0, 1, 1, 2))
        for press in range(presses):
            count = sheets or self._random.randint(1, 4)
            yield Batch(tuple(self._sheet(press, n) for n in range(count)), jams or self._random.random() < 0.1)

    def _sheet(self, press: int, number: int) -> Sheet:
        large = self._random.random() < 0.1
        name = f"{self._seed:06}/{self._number:02}/{press}/{number}"
        return Sheet(name, LARGE_BYTES if large else self._random.randint(0, 2000))

    def _cuts(self) -> str:
        if not self._power or self._random.randint(self._since_cut, PLAIN_BETWEEN) < PLAIN_BETWEEN:
            self._since_cut += 1
            return ""
        self._since_cut = 0
        return "any"
