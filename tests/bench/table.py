"""The table that `python -m tests.bench` prints."""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.bench.measure import Sample


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant: what was measured, who, the medians, and the medians of the peer that ratios refer to."""

    what: str
    who: str
    result: Sample
    peer: Sample


@dataclass(frozen=True, slots=True)
class Bound:
    """A figure, the one that must hold, and whether that is so; `met`: None if it was not measured."""

    what: str
    found: str
    wanted: str
    met: bool | None
    more: str = ""


def unmeasured(what: str, why: str) -> Bound:
    """Return the line for what could not be measured here."""
    return Bound(what, "not measured", "", None, why)


_VERDICTS = {True: "yes", False: "NO", None: "-"}
_MUST = f"{'must hold':<62} {'found':>12} {'wanted':<14} met"
_HEAD = f"{'what':<40} {'who':<18} {'wall s':>8} {'cpu s':>8} {'peak MB':>8} {'wall ×':>7} {'cpu ×':>7} {'peak ×':>7}"


def lines(rows: Iterable[Row]) -> Iterable[str]:
    """Yield the table line by line; × is the ratio to the peer (below 1: cheaper), - beside a peer that took none."""
    yield _HEAD
    for row in rows:
        own, peer = row.result, row.peer
        yield (
            f"{row.what:<40} {row.who:<18} {own.wall_s:>8.2f} {own.cpu_s:>8.2f} {own.peak_mb:>8.0f} "
            f"{_ratio(own.wall_s, peer.wall_s)} {_ratio(own.cpu_s, peer.cpu_s)} {_ratio(own.peak_mb, peer.peak_mb)}"
        )


def verdicts(bounds: Iterable[Bound]) -> Iterable[str]:
    """Yield what must hold line by line, each with its verdict at the end."""
    yield _MUST
    for bound in bounds:
        more = f"  ({bound.more})" if bound.more else ""
        yield f"{bound.what:<62} {bound.found:>12} {bound.wanted:<14} {_VERDICTS[bound.met]}{more}"


def _ratio(own: float, peer: float) -> str:
    return f"{own / peer:>7.2f}" if peer else f"{'-':>7}"
