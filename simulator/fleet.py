"""Which units there are, as data: UnitSpec rows, read from TOML. No behaviour."""

import re
import tomllib
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from simulator import models
from simulator.sheets import PAPERS

MAX_SHEETS = 1000  # more than any feeder takes; bounds what a mistyped number can do
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_MAX_SERIAL = 0xFFFF_FFFF
_MAX_FEED_S = 600.0
_MAX_BUSY_POLLS = 100
_PEER_BUSY_POLLS = 1  # hardware makes a host wait at least once a side
_FIRST_SERIAL = 1000


class FleetError(ValueError):
    """A fleet that cannot be built; `str()` says what to change."""


@dataclass(frozen=True, slots=True)
class UnitSpec:
    """One unit; FleetError if a value is out of its range.

    `serial` is what GET DEVICE ID answers; `sheets` lie in the feeder at the start; `feed_s` is the time of one sheet
    (None: the model's own speed); `busy_polls` is how often each side answers "no data yet" before it is ready;
    `paper` is what the sheets are.
    """

    id: str
    model: str
    serial: int
    sheets: int = 0
    feed_s: float | None = None
    busy_polls: int = 0
    paper: str = "a4"

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not _ID.fullmatch(self.id):
            raise FleetError(f"id {self.id!r}: use 1 to 32 of a-z, 0-9 and '-'")
        if not isinstance(self.model, str) or self.model not in models.BY_NAME:
            raise FleetError(f"{self.id}: unknown model {self.model!r}; known are {', '.join(models.BY_NAME)}")
        _whole(self.id, "serial", self.serial, _MAX_SERIAL)
        _whole(self.id, "sheets", self.sheets, MAX_SHEETS)
        _whole(self.id, "busy_polls", self.busy_polls, _MAX_BUSY_POLLS)
        if not isinstance(self.paper, str) or self.paper not in PAPERS:
            raise FleetError(f"{self.id}: unknown paper {self.paper!r}; known are {', '.join(PAPERS)}")
        if self.feed_s is not None and not _is_duration(self.feed_s):
            raise FleetError(f"{self.id}: feed_s must be a number of seconds from 0 to {_MAX_FEED_S:.0f}")


@dataclass(frozen=True, slots=True)
class Fleet:
    """The units of one simulation, with different ids; FleetError otherwise."""

    units: tuple[UnitSpec, ...]

    def __post_init__(self) -> None:
        ids = [unit.id for unit in self.units]
        if not ids:
            raise FleetError("a fleet needs at least one [[unit]]")
        for id_ in ids:
            if ids.count(id_) > 1:
                raise FleetError(f"two units are called {id_!r}")

    @classmethod
    def of(
        cls,
        *names: str,
        sheets: int = 0,
        paper: str = "a4",
        feed_s: float | None = None,
        busy_polls: int = _PEER_BUSY_POLLS,
    ) -> "Fleet":
        """Return one unit of each model named, at its own speed; FleetError for a model that there is not.

        Units are called as their models in small letters, a second one "ix500-2"; their serial numbers differ.
        """
        rows: list[UnitSpec] = []
        for number, name in enumerate(names, start=1):
            model = models.find(name)
            if model is None:
                raise FleetError(f"unknown model {name!r}; known are {', '.join(models.BY_NAME)}")
            same = sum(row.model == model.name for row in rows)
            id_ = model.name.lower() + (f"-{same + 1}" if same else "")
            rows.append(UnitSpec(id_, model.name, _FIRST_SERIAL + number, sheets, feed_s, busy_polls, paper))
        return cls(tuple(rows))

    @classmethod
    def load(cls, source: str | Path) -> "Fleet":
        """Read a fleet from a TOML file, or a built-in one by its name ("ix500"); FleetError says what is wrong."""
        text = _text(source)
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise FleetError(f"{source}: not valid TOML: {error}") from error
        if unknown := set(document) - {"unit"}:
            raise FleetError(f"{source}: unknown key {min(unknown)!r}; a fleet has only [[unit]] tables")
        rows = document.get("unit", [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise FleetError(f"{source}: write each unit as a [[unit]] table")
        try:
            return cls(tuple(_unit(row) for row in rows))
        except FleetError as error:
            raise FleetError(f"{source}: {error}") from error


def builtin() -> tuple[str, ...]:
    """Return the names of the built-in fleets."""
    folder = resources.files("simulator") / "fleets"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def _text(source: str | Path) -> str:
    if isinstance(source, str) and source in builtin():
        return (resources.files("simulator") / "fleets" / f"{source}.toml").read_text("utf-8")
    try:
        return Path(source).read_text("utf-8")
    except FileNotFoundError:
        raise FleetError(f"{source}: no such file, and no built-in fleet ({', '.join(builtin())})") from None
    except (OSError, ValueError) as error:
        raise FleetError(f"{source}: cannot be read: {error}") from error


def _unit(row: dict[str, Any]) -> UnitSpec:
    known = {field.name for field in fields(UnitSpec)}
    name = row.get("id", "a unit")
    if unknown := set(row) - known:
        raise FleetError(f"{name}: unknown key {min(unknown)!r}; known are {', '.join(sorted(known))}")
    if missing := {"id", "model", "serial"} - set(row):
        raise FleetError(f"{name}: {min(missing)!r} is missing")
    return UnitSpec(**row)


def _whole(unit: str, name: str, value: object, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise FleetError(f"{unit}: {name} must be a whole number from 0 to {most}, not {value!r}")


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MAX_FEED_S
