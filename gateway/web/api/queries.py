"""What programs ask for in the query string: how much of a list, and from where on."""

from datetime import UTC, datetime

from aiohttp import web

from gateway.web import problems
from gateway.work.outcomes import Denied

DEFAULT_LIMIT, LONGEST = 50, 200


def limit(request: web.Request) -> int:
    """Return how many rows are wanted; ProblemError 422."""
    text = request.query.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= LONGEST):
        raise problems.ProblemError(Denied("invalid", f"limit is a number from 1 to {LONGEST}.", 422))
    return int(text)


def before(request: web.Request) -> datetime | None:
    """Return the time that the wanted rows lie before; ProblemError 422."""
    text = request.query.get("before")
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))  # an unquoted "+" of the offset arrives as a space
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise problems.ProblemError(Denied("invalid", "before is a time with offset (ISO 8601).", 422))


def before_row(request: web.Request) -> int | None:
    """Return the number of the row that the wanted ones lie before; ProblemError 422."""
    text = request.query.get("before")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise problems.ProblemError(Denied("invalid", "before is the number of a row.", 422))
    return int(text)


def since(request: web.Request) -> int | None:
    """Return the moment that a page knows of; None if it says none. Nothing depends on it being right."""
    text = request.query.get("since", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None
