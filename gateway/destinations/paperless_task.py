"""What paperless-ngx says of a document: JSON of either API generation, read into one shape. No I/O.

Two generations of a task are in use, and a server of 3.x speaks both:

- API 1 to 9 (paperless-ngx 1.10 to 2.x): a bare list; `status` PENDING, STARTED, SUCCESS, FAILURE, ...; `result` a
  text; `related_document` a number, or digits; the file in `task_file_name`.
- API 10 (paperless-ngx 3.0 on): pages {count, next, results}; `status` in lower case; `result_data` an object with
  `document_id`, or `duplicate_of` and `duplicate_in_trash`, or `reason`, or `error_message`; `related_document_ids`;
  the file in `input_data.filename`.

Sources: paperless-ngx docs/api.md ("POSTing documents", "API Versioning"), documents/serialisers.py of 2.20 and 3.1.
"""

import html
import json
import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from gateway.destinations.port import Unavailable

_TEXT_LIMIT = 300  # characters of a server's own words that are shown
_READ_LIMIT = 4000  # characters of them that are looked into: names and titles have 255 and 128
_DIGITS = 18  # of a document's number: below 2**63
_DUPLICATE = re.compile(r"It is a duplicate of .*#(\d{1,18})\)?\.?( Note: .*)?\s*$", re.DOTALL)

_ENDS = {"success": True, "failure": False, "revoked": False}


class State(Enum):
    """How far a task is; a status that nobody foresaw counts as work."""

    WORKING = auto()
    DONE = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Task:
    """One consumption: `document` is what it made, `duplicate_of` what stood in its way, `text` the server's words."""

    state: State
    file_name: str
    created_at: datetime | None
    document: int | None
    duplicate_of: int | None
    in_trash: bool
    text: str


@dataclass(frozen=True, slots=True)
class Original:
    """What the server stores of a document: checksum (MD5 in 1.x and 2.x, SHA-256 from 3.0 on) and size in bytes."""

    checksum: str
    byte_count: int


def parsed(answer: bytes) -> Any:
    """Return the value of a JSON text; Unavailable if it is none."""
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        raise Unavailable("the server does not answer like paperless-ngx") from None


def rows(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list answer, paged or bare; Unavailable if it is no list."""
    listed = value.get("results") if isinstance(value, dict) else value
    if not isinstance(listed, list):
        raise Unavailable("the server does not answer like paperless-ngx")
    return [row for row in listed if isinstance(row, dict)]


def number(value: Any) -> int | None:
    """Return the id of an object, which is a positive number or its digits; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS:
        value = int(value)
    good = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**_DIGITS
    return value if good else None


def task_of(row: dict[str, Any]) -> Task:
    """Read a task of either generation."""
    result, given = _object(row.get("result_data")), _object(row.get("input_data"))
    text = _text(row.get("result")) or _text(result.get("error_message")) or _text(result.get("reason"))
    duplicate = _DUPLICATE.search(text)
    twin = number(result.get("duplicate_of")) or (number(duplicate[1]) if duplicate else None)
    return Task(
        state=_state(row.get("status")),
        file_name=_text(row.get("task_file_name")) or _text(given.get("filename")),
        created_at=_instant(row.get("date_created")),
        document=number(row.get("related_document")) or number(result.get("document_id")),
        duplicate_of=twin,
        in_trash=result.get("duplicate_in_trash") is True or bool(duplicate and duplicate[2]),
        text=shown(text),
    )


def original_of(value: Any) -> Original:
    """Read a document's metadata; what is missing matches nothing."""
    found = _object(value)
    size = found.get("original_size")
    return Original(_text(found.get("original_checksum")).lower(), size if type(size) is int else -1)


def complaint(answer: bytes) -> str:
    """Return a refusal's own words: the first text in it, in one line."""
    try:
        return shown(_first(parsed(answer)))
    except Unavailable:
        return ""


def shown(text: str) -> str:
    """Return a server's words as one printable line of bounded length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[:_READ_LIMIT]).split())
    return line if len(line) <= _TEXT_LIMIT else line[: _TEXT_LIMIT - 1] + "…"


def same_file(one: str, other: str) -> bool:
    """Tell whether two file names mean one file; servers change quotes, entities and spaces of a name they are given.

    Too generous rather than too strict: a task that is taken for ours makes us ask again, never send again.
    """
    return _core(one) == _core(other)


def _core(name: str) -> str:
    return "".join(c for c in html.unescape(name).casefold() if c.isalnum())


def _state(status: Any) -> State:
    ended = _ENDS.get(_text(status).lower())
    return State.WORKING if ended is None else State.DONE if ended else State.FAILED


def _first(value: Any) -> str:
    while isinstance(value, dict | list) and value:
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
    return _text(value)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value[:_READ_LIMIT] if isinstance(value, str) else ""


def _instant(value: Any) -> datetime | None:
    try:
        instant = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None
