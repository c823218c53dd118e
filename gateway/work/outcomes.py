"""What the rooms answer to people: values, not exceptions. A Denied carries its reason and a sentence."""

from dataclasses import dataclass

from gateway.core.model import Account, Session


@dataclass(frozen=True, slots=True)
class Denied:
    """No, and why: a stable `reason`, a sentence for the person, and the HTTP status it maps to.

    `retry_after_s`: when it is worth another try; 0 for whenever.
    """

    reason: str
    detail: str
    status: int
    retry_after_s: int = 0


NOT_FOUND = Denied("not_found", "There is no such thing in this account.", 404)


def no_such_window(windows_h: tuple[int, ...]) -> Denied:
    """Return the answer to a forwarding window that is none of those to choose from."""
    return Denied(
        "unusable", f"A forwarding window here is one of these, in hours: {', '.join(map(str, windows_h))}.", 422
    )


def sentence(of: object) -> str:
    """Return what an error says as a sentence of its own."""
    text = str(of)
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


@dataclass(frozen=True, slots=True)
class Paper:
    """What is to be printed, as it is written; shown once. `codes`: the sign-in codes, if there are new ones."""

    rescue_key: str
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """A session was opened or raised; `token` is shown to nobody else and stored only as a hash.

    `device`: what the browser keeps to be known again; `paper`: what came into being with it.
    """

    token: str
    session: Session
    account: Account
    device: str = ""
    paper: Paper | None = None
