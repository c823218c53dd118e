"""VirtualScanner: paper, button, cover and cable of one unit, and a record of what it did. No wire, no image.

One thread: everything is called from the event loop's.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from simulator import models
from simulator.faults import IN_THE_PATH, REFUSALS, Fault, FaultKind
from simulator.fleet import MAX_SHEETS, UnitSpec
from simulator.sheets import PAPERS, Mode, Sheet, Side, View

_HOLD_S = 2.0  # a finger rests on the button for less; a host that polls every second sees it
_LOG_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the unit, in words."""

    at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """One side that was sent to its last byte: the digest (hexadecimal) and count of the bytes that left.

    `mode`, `dpi` and `view` are what `sheets.expected_pixels` needs to say what they show.
    """

    sheet: Sheet
    side: Side
    sha256: str
    byte_count: int
    mode: Mode
    dpi: int
    view: View


@dataclass(slots=True)
class _Armed:
    """A fault that waits for its sheet, or has begun to play."""

    fault: Fault
    sheets_left: int
    times_left: int


class VirtualScanner:
    """One unit as a person sees it. `errors` holds what the host did wrong: tests assert that it is empty."""

    def __init__(self, spec: UnitSpec, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self.spec = spec
        self.model = models.BY_NAME[spec.model]
        self.plugged = True
        self.cover_open = False
        self.pressed_once = False
        self.polls = 0
        self.in_path: Sheet | None = None
        self.on_glass: Sheet | None = None
        self.stuck: FaultKind | None = None
        self.delivered: list[Delivered] = []
        self.errors: list[str] = []
        self.log: deque[Event] = deque(maxlen=_LOG_LENGTH)
        self.on_plug: list[Callable[[], None]] = []
        self.on_air: list[Callable[[], None]] = []
        self.on_press: list[Callable[[], None]] = []
        self.powered = True
        self.presses = self.heeded_presses = 0
        self._wifi_up = True
        self._address = spec.wifi.address if spec.wifi else ""
        self._now_s = now_s
        self._hopper: deque[Sheet] = deque()
        self._batch = 0
        self._released_at_s = 0.0
        self._seen_by: set[str] = set()
        self._armed: list[_Armed] = []
        self._due: list[_Armed] = []
        if spec.sheets:
            self.load(spec.sheets, spec.paper)

    @property
    def id(self) -> str:
        """Return the unit's name in the fleet."""
        return self.spec.id

    @property
    def sheets(self) -> int:
        """Return how many sheets lie in the feeder."""
        return len(self._hopper)

    @property
    def has_glass(self) -> bool:
        """Tell whether it has a glass to lay paper on."""
        return self.spec.escl is not None and self.spec.escl.platen

    @property
    def on_net(self) -> bool:
        """Tell whether it can be reached by network; without a USB cable it is the mains that `unplug` pulls."""
        return self.powered and self._wifi_up and (self.plugged or self.spec.usb)

    @property
    def feed_s(self) -> float:
        """Return the time that one sheet takes."""
        return self.model.feed_s if self.spec.feed_s is None else self.spec.feed_s

    @property
    def button_down(self) -> bool:
        """Tell whether the Scan button is held, and no host has seen it yet."""
        return self._now_s() < self._released_at_s and not self._seen_by

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Return the faults that are still to come."""
        return tuple(armed.fault for armed in (*self._armed, *self._due))

    # --- what a person does

    def load(self, count: int, paper: str = "a4") -> None:
        """Put a stack of new sheets, printed with the next batch number, under those in the feeder."""
        if count < 1 or self.sheets + count > MAX_SHEETS:
            raise ValueError(f"the feeder takes 1 to {MAX_SHEETS} sheets; {self.sheets} are in it")
        if paper not in PAPERS:
            raise ValueError(f"there is no paper {paper!r}; known are {', '.join(PAPERS)}")
        self._batch += 1
        self._hopper.extend(Sheet(self.id, self._batch, number, paper) for number in range(1, count + 1))
        self.note(f"{count} sheets loaded")

    def unload(self) -> None:
        """Take every sheet out of the feeder."""
        self._hopper.clear()
        self.note("sheets taken out")

    def put_on_glass(self, paper: str = "a4") -> Sheet:
        """Put one new sheet face down on the glass, a batch of its own; what lay there is taken off."""
        if paper not in PAPERS:
            raise ValueError(f"there is no paper {paper!r}; known are {', '.join(PAPERS)}")
        self._batch += 1
        self.on_glass = Sheet(self.id, self._batch, 1, paper)
        self.note("a sheet put on the glass")
        return self.on_glass

    def take_off_glass(self) -> None:
        """Leave the glass empty."""
        self.on_glass = None
        self.note("the glass is empty")

    def press(self) -> None:
        """Press Scan: down until a status poll has seen it, 2 s at the most; over Wi-Fi its host is told."""
        if not self.plugged and not self.address:
            self.note("Scan pressed; the unit has no power")
            return
        self.pressed_once = True
        self._seen_by.clear()
        self.presses += 1
        self._released_at_s = self._now_s() + _HOLD_S
        self.note("Scan pressed")
        for listener in list(self.on_press):
            listener()

    def open_cover(self) -> None:
        """Open the cover; a sheet that is stuck goes back on top of the feeder."""
        if self.cover_open and self.stuck is None:
            return
        self.cover_open = True
        self.note("cover opened")
        if self.stuck is not None:
            self.stuck = None
            self._return_sheet()

    def close_cover(self) -> None:
        """Close the cover."""
        if self.cover_open:
            self.cover_open = False
            self.note("cover closed")

    def close_lid(self) -> None:
        """Close the lid; most models are then off, off the bus and off the air."""
        self.note("lid closed")
        if self.model.lid_is_power:
            self.power_off()

    def open_lid(self) -> None:
        """Open the lid; most models switch themselves on."""
        self.note("lid opened")
        if self.model.lid_is_power:
            self.powered = True
            self.plug()
            self._tell(self.on_air)

    def power_off(self) -> None:
        """Take the unit's power: it is off the bus and off the air."""
        self.powered = False
        self.unplug()
        self._tell(self.on_air)

    def power_on(self) -> None:
        """Give the unit its power again; its cable is put in, too."""
        self.powered = True
        self.plug()
        self._tell(self.on_air)

    def drop_wifi(self) -> None:
        """Lose the Wi-Fi: connections break off, nothing is answered."""
        self._wifi_up = False
        self.note("Wi-Fi lost")
        self._tell(self.on_air)

    def restore_wifi(self) -> None:
        """Have the Wi-Fi again."""
        self._wifi_up = True
        self.note("Wi-Fi restored")
        self._tell(self.on_air)

    def move(self, address: str) -> None:
        """Get another address by DHCP; the old one is dead at once."""
        self._address = address
        self.note(f"new address {address}")
        self._tell(self.on_air)

    def unplug(self) -> None:
        """Pull the cable: everything that the unit remembers is lost, paper in the path falls out."""
        if self.plugged:
            self.plugged = False
            if not self.address:  # it may live on, and scan, over Wi-Fi
                self.in_path = None
                self.stuck = None
                self._due.clear()
                self._released_at_s = 0.0
            self.note("unplugged")
            self._tell(self.on_plug)

    def plug(self) -> None:
        """Put the cable in again."""
        if not self.plugged:
            self.plugged = True
            self.pressed_once = False
            self.note("plugged in")
            self._tell(self.on_plug)

    def inject(self, fault: Fault) -> None:
        """Arm a fault for a sheet or a command to come."""
        self._armed.append(_Armed(fault, fault.at_sheet, fault.times))
        place = f"sheet {fault.at_sheet}" if fault.command is None else f"command {fault.command:02x}"
        self.note(f"fault armed: {fault.kind} at {place}")

    # --- what the electronics do

    @property
    def address(self) -> str:
        """Return where the unit is on the air; "" while it is not there."""
        return self._address if self.powered and self._wifi_up else ""

    def heeded(self) -> None:
        """Note that a scan answers every press so far: nobody is told of them any more."""
        self.heeded_presses = self.presses

    def poll_button(self, via: str = "usb") -> bool:
        """Return whether the button is down; a press that was seen is over for whoever looks that way."""
        self.polls += 1
        down = self._now_s() < self._released_at_s and via not in self._seen_by
        self._seen_by.add(via)
        return down

    def feed(self, *, detect_double: bool = True) -> Sheet | FaultKind:
        """Take the next sheet into the path, or say what stands in the way.

        Without detection two sheets pass as one: the lower one is in nobody's image.
        """
        if self.cover_open:
            return FaultKind.COVER
        if self.stuck is not None:
            return self.stuck
        self.eject()
        if not self._hopper:
            return FaultKind.EMPTY
        self._due = [*self._due, *self._advance()]
        trouble = next((armed.fault for armed in self._due if armed.fault.at_feed), None)
        if trouble is not None and trouble.kind in REFUSALS:
            self.played(trouble)
            return trouble.kind
        self.in_path = self._hopper.popleft()
        if trouble is not None and trouble.kind is FaultKind.DOUBLE_FEED and not detect_double:
            self.played(trouble)
            self._pull_a_second_sheet()
        elif trouble is not None:
            self.played(trouble)
            self.block(trouble.kind)
            return trouble.kind
        elif self.in_path.paper == "carrier":
            self.block(FaultKind.CARRIER_SHEET)
            return FaultKind.CARRIER_SHEET
        self.note(f"sheet {self.in_path.number} of batch {self.in_path.batch} fed")
        return self.in_path

    def eject(self) -> None:
        """Let the sheet in the path go into the tray."""
        self.in_path = None

    def due(self, side: Side) -> Fault | None:
        """Return the fault that waits on this side of the sheet in the path, if any."""
        return next((armed.fault for armed in self._due if (armed.fault.side or Side.FRONT) is side), None)

    def struck(self, command: int) -> Fault | None:
        """Return the fault that this command meets, and count it as played."""
        armed = next((armed for armed in self._armed if armed.fault.command == command), None)
        if armed is not None:
            self._count(armed, self._armed)
        return armed.fault if armed else None

    def played(self, fault: Fault) -> None:
        """Count a fault of this sheet as played."""
        self._count(next(armed for armed in self._due if armed.fault == fault), self._due)

    def block(self, kind: FaultKind) -> None:
        """Stop the paper where it is: jam, double feed and the like, or a cover opened in mid-page."""
        if kind not in IN_THE_PATH:
            raise ValueError(f"{kind} does not stop the paper")
        self.note(f"{kind} at sheet {self.in_path.number if self.in_path else '?'}")
        if kind is FaultKind.COVER:
            self.cover_open = True
            self._return_sheet()
        else:
            self.stuck = kind

    def record(self, side: Delivered) -> None:
        """Remember a side whose last byte was sent."""
        self.delivered.append(side)
        self.note(f"sheet {side.sheet.number} {side.side} sent, {side.byte_count} bytes")

    def violation(self, what: str) -> None:
        """Remember that the host broke the protocol."""
        self.errors.append(what)
        self.note(f"protocol error: {what}")

    def note(self, what: str) -> None:
        """Write a line into the log."""
        self.log.append(Event(datetime.now(UTC), what))

    def _advance(self) -> list[_Armed]:
        """Count one sheet and return the faults whose turn it is."""
        waiting = [armed for armed in self._armed if armed.fault.command is None]
        for armed in waiting:
            armed.sheets_left -= 1
        turn = [armed for armed in waiting if armed.sheets_left <= 0]
        self._armed = [armed for armed in self._armed if armed not in turn]
        return turn

    def _count(self, armed: _Armed, among: list[_Armed]) -> None:
        armed.times_left -= 1
        if not armed.times_left:
            among.remove(armed)
        self.note(f"fault played: {armed.fault.kind}")

    def _pull_a_second_sheet(self) -> None:
        if self._hopper:
            lost = self._hopper.popleft()
            self.note(f"sheet {lost.number} of batch {lost.batch} passed beneath it, unseen")

    def _return_sheet(self) -> None:
        if self.in_path is not None:
            self._hopper.appendleft(self.in_path)
            self.in_path = None
            self.note("the sheet is put back into the feeder")

    def _tell(self, listeners: list[Callable[[], None]]) -> None:
        for listener in list(listeners):
            listener()
