"""What programs ask for in the query string: how much of a list, and from where on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from aiohttp import web

from gateway.web import problems
from gateway.work.outcomes import Denied

DEFAULT_LIMIT, LONGEST = 50, 200
_FLAGS = {"1": True, "true": True, "0": False, "false": False}
_TIE = re.compile(r"[0-9a-f]{32}")

Row = TypeVar("Row")


def limit(request: web.Request) -> int:
    """Return how many rows are wanted; ProblemError 422."""
    text = request.query.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= LONGEST):
        raise problems.ProblemError(Denied("invalid", f"limit is a number from 1 to {LONGEST}.", 422))
    return int(text)


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a list that is ordered by time: before `at`, or at that very time behind the row with the id `tie`."""

    at: datetime
    tie: str = ""

    def __str__(self) -> str:
        """Return the mark as a client sends it back, in characters that need no quoting in a URL."""
        return f"{self.at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}~{self.tie}"


def before(request: web.Request) -> Mark | None:
    """Return the place that the wanted rows lie behind; ProblemError 422."""
    text = request.query.get("before")
    if text is None:
        return None
    time, _, tie = text.partition("~")
    try:
        at = datetime.fromisoformat(time.replace(" ", "+"))  # an unquoted "+" of the offset arrives as a space
        if at.tzinfo is not None and (tie == "" or _TIE.fullmatch(tie)):
            return Mark(at.astimezone(UTC), tie)
    except (ValueError, OverflowError):
        pass
    detail = "before is `next` of the page before, or a time with offset (ISO 8601)."
    raise problems.ProblemError(Denied("invalid", detail, 422))


def before_row(request: web.Request) -> int | None:
    """Return the number of the row that the wanted ones lie before; ProblemError 422."""
    text = request.query.get("before")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise problems.ProblemError(Denied("invalid", "before is the number of a row.", 422))
    return int(text)


def page(rows: Sequence[Row], wanted: int) -> tuple[Sequence[Row], Row | None]:
    """Return the page of `wanted` rows, and its last one if there are more; asked for was one row more."""
    return rows[:wanted], rows[wanted - 1] if len(rows) > wanted else None


def flag(request: web.Request, name: str, default: bool) -> bool:
    """Return a parameter that is 1 or 0; ProblemError 422."""
    text = request.query.get(name, "1" if default else "0")
    if text not in _FLAGS:
        raise problems.ProblemError(Denied("invalid", f"{name} is 1 or 0.", 422))
    return _FLAGS[text]


def since(request: web.Request) -> int | None:
    """Return the moment that a page knows of; None if it says none. Nothing depends on it being right."""
    text = request.query.get("since", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None
