"""What the gateway sees of any scanner, whatever carries the bytes. Types only: no I/O, no family."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Colour(StrEnum):
    """How a page is wanted. AUTOMATIC: the picture itself decides, after the gate."""

    COLOUR = "colour"
    GRAY = "gray"
    LINEART = "lineart"
    AUTOMATIC = "automatic"


class Side(StrEnum):
    FRONT = "front"
    BACK = "back"


class Cause(StrEnum):
    """What a person did to the unit."""

    BUTTON = "button"
    PAPER = "paper"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A unit that answered for itself over one way.

    `id` names the way and the unit ("usb:iX500:1200753") and is the same at every sighting; `address` is
    where it is now ("usb 1-2") and is never the identity; `fingerprint` is what a unit's pin is held against.
    `driven` is empty, or the sentence that says why this unit cannot be scanned from. `has_button`: a press on it can
    be seen; otherwise paper put in is the way to start. `serial`: the number on the label, where the unit tells it.
    `default_password`: what it asks for until its owner changes that; "" where it asks for none.
    """

    id: str
    model: str
    via: str
    address: str
    fingerprint: str
    seen_at: datetime
    driven: str = ""
    has_button: bool = True
    serial: str = ""
    default_password: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """The way that a sighting named is no longer there."""

    id: str


class Paper(StrEnum):
    """Which paper lies in the feeder. AUTOMATIC: the unit ends each page where its sheet ends."""

    AUTOMATIC = "automatic"
    A4 = "a4"
    A5 = "a5"
    A6 = "a6"
    B5 = "b5"
    LETTER = "letter"
    LEGAL = "legal"
    CARD = "card"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a unit can do; lengths in millimetres, resolutions in dots per inch.

    `brightness`, `contrast`: the hardware has the control. `has_button`: a press can be seen.
    """

    resolutions_dpi: tuple[int, ...]
    colours: tuple[Colour, ...]
    duplex: bool
    max_width_mm: float
    max_height_mm: float
    has_button: bool
    overscan: bool = False
    double_feed: bool = False
    brightness: bool = False
    contrast: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """How to scan.

    `jpeg_quality` is the unit's own index, 1 (smallest) to 7 (finest). `double_feed`: stop when two sheets go in
    together. `overscan`: also what lies beyond the paper's edges. `brightness`, `contrast`: -127 to 127.
    """

    resolution_dpi: int = 300
    colour: Colour = Colour.COLOUR
    duplex: bool = True
    jpeg_quality: int = 4
    paper: Paper = Paper.AUTOMATIC
    overscan: bool = False
    double_feed: bool = True
    brightness: int = 0
    contrast: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """One poll of the unit."""

    paper: bool
    button: bool
    cover_open: bool


@dataclass(frozen=True, slots=True)
class Press:
    """One physical press of the Scan button, or one sheet put into an empty feeder.

    `seen`: the unit itself said so on our own connection to it; otherwise a notice told of it, which anybody can send.
    """

    unit: str
    at: datetime
    cause: Cause
    seen: bool = True


@dataclass(frozen=True, slots=True)
class PageEnd:
    """What is known of a page only after its last chunk. `components` of a pixel: 1 or 3."""

    width_px: int
    height_px: int
    resolution_dpi: int
    byte_count: int
    components: int


@dataclass(frozen=True, slots=True)
class Page:
    """One side of one sheet. `number` counts sheets of this scan from 1.

    `chunks` is read once, to its end, before the next page is asked for; `end()` is valid after that
    (RuntimeError before). The bytes are the unit's own, never decoded: `image/jpeg`, or `image/x-raw` (drivers.raw).
    `colour` is how the page is wanted, whatever it was sent in.
    """

    number: int
    side: Side
    media_type: str
    colour: Colour
    chunks: AsyncIterator[bytes]
    end: Callable[[], PageEnd]


class Scanner(Protocol):
    """An open unit. One call at a time; every call may raise DriverError."""

    @property
    def id(self) -> str:
        """Return the sighting id under which it was opened."""

    @property
    def capabilities(self) -> Capabilities:
        """Return what the unit said of itself."""

    async def status(self) -> Status:
        """Ask once: one command to the unit."""

    def presses(self, *, eager: Callable[[], bool] = ..., on_paper: Callable[[], bool] = ...) -> AsyncGenerator[Press]:
        """Yield one Press per physical press until closed.

        `eager()`: somebody waits for it, look often; `on_paper()`: paper put in is wanted, too, even where only
        asking the unit again and again can tell.
        """

    def scan(self, profile: Profile) -> AsyncGenerator[Page]:
        """Feed and yield pages until the feeder is empty; leaving early (aclose) cancels at the unit."""

    async def close(self) -> None:
        """Release the unit; never raises, may be called twice."""


class Finder(Protocol):
    """The door of one family."""

    def sightings(self) -> AsyncGenerator[Sighting | Gone]:
        """Yield each unit when it appears and when it goes, until closed."""

    async def open(self, sighting_id: str, *, password: str = "") -> Scanner:
        """Open a unit that is there now, with the password that its owner gave ("": its default).

        Unreachable, Busy, WrongPassword or Refused otherwise.
        """
