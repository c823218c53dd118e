"""What the rooms answer to people: values, not exceptions. A Denied carries its reason and a sentence."""

from dataclasses import dataclass

from gateway.core.model import Account, Session


@dataclass(frozen=True, slots=True)
class Denied:
    """No, and why: a stable `reason`, a sentence for the person, and the HTTP status it maps to."""

    reason: str
    detail: str
    status: int


NOT_FOUND = Denied("not_found", "There is no such thing in this account.", 404)


def sentence(of: object) -> str:
    """Return what an error says as a sentence of its own."""
    text = str(of)
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


@dataclass(frozen=True, slots=True)
class Grant:
    """A session was opened or raised; `token` is shown to nobody else and stored only as a hash."""

    token: str
    session: Session
    account: Account
