"""What a kind of destination is: the fields that its owner fills in, and how one is made and checked."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from gateway.destinations.net import Guard
from gateway.destinations.port import DestinationError, Port, Rejected

_VALUE_LIMIT = 2000  # characters; an address or a path is far shorter
_LINES_LIMIT = 20_000  # a private key of RSA with 8192 bits has 6,400

Values: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """One value that the owner enters; a secret is stored sealed and never shown again.

    `choices`: the values to choose from, none for free text; `initial`: what the form proposes, and what an optional
    field that was left empty comes to; `lines`: a text of several lines (a key).
    """

    name: str
    label: str
    secret: bool
    help: str
    required: bool = True
    choices: tuple[str, ...] = ()
    initial: str = ""
    lines: bool = False

    @property
    def options(self) -> dict[str, str]:
        """Return the values to choose from with what the form calls them."""
        return {choice: choice for choice in self.choices}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the administrator's settings give to every destination.

    `roots`: folders; `remotes`: rclone remotes ("drive:Scans") of the file `rclone_config`.
    """

    guard: Guard
    roots: tuple[Path, ...] = ()
    remotes: tuple[str, ...] = ()
    rclone_config: Path = field(default_factory=Path)


async def _nothing(values: Values, around: Surroundings) -> None:
    """Find nothing to object to."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of destination.

    `make` builds one without I/O; `check` judges before the values are saved what only the network can tell, such as
    an address. Both raise Rejected with the name of the field in front, `check` also Unavailable. `proves` says to
    people what "delivered" means there; `shown` names the field that tells one destination from another in a list.
    """

    label: str
    proves: str
    shown: str
    fields: tuple[Field, ...]
    make: Callable[[Values, Surroundings], Port]
    check: Callable[[Values, Surroundings], Awaitable[None]] = _nothing


class Form(Protocol):
    """Anything that an owner fills in."""

    @property
    def label(self) -> str:
        """Return what it is called."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """Return what there is to fill in."""


def values_of(kind: Form, config: Values, secrets: Values) -> dict[str, str]:
    """Return every field's value, checked for what any text must hold; Rejected names the field."""
    given = {False: config, True: secrets}
    for secret, values in given.items():
        known = [f.name for f in kind.fields if f.secret is secret]
        for name in values:
            if name not in known:
                place = "secret" if secret else "field"
                raise Rejected(f"{name}: no {place} of {kind.label}; there are: {', '.join(known) or 'none'}")
    return {f.name: _value(f, given[f.secret].get(f.name, "")) for f in kind.fields}


async def check_url(values: Values, around: Surroundings) -> None:
    """Judge the address in the field `url`."""
    try:
        await around.guard.check(values["url"])
    except DestinationError as error:
        raise naming("url", error) from None


def naming(name: str, error: DestinationError) -> DestinationError:
    """Return an error as one of the field `name`."""
    return type(error)(f"{name}: {error}")


def _value(field: Field, value: str) -> str:
    if not value.strip():
        if field.required:
            raise Rejected(f"{field.name}: {field.label} is missing")
        return field.initial
    limit = _LINES_LIMIT if field.lines else _VALUE_LIMIT
    if len(value) > limit:
        raise Rejected(f"{field.name}: longer than {limit} characters")
    if any(ord(c) < 32 and not (field.lines and c in "\r\n\t") for c in value):
        raise Rejected(f"{field.name}: control characters are not allowed")
    if field.choices and value not in field.choices:
        raise Rejected(f"{field.name}: one of {', '.join(field.choices)}")
    return value
