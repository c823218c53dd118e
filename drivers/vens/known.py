"""Which units have answered, what they said last, and what of it was told on. No I/O, no clock."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from drivers.port import Gone, Sighting
from drivers.vens.sight import name, pin
from drivers.vens.wire import DeviceInfo

_MOST_UNITS = 1024  # bounds what a liar on the network can make us remember
_MISSED_ROUNDS = 3  # a call may be lost, and the next one, too; a unit that reads a sheet may be slow
_LATE_ROUNDS = 2  # a round that has just begun is not answered yet


@dataclass(slots=True)
class Known:
    """A unit that answered.

    `missed`: rounds since then; counted, not timed, so that a standstill of ours is not taken for the unit's.
    `occupied`: it refused us because another has it; `freed`: it said after that that nobody has it; `answers`: how
    often it answered at all.
    """

    info: DeviceInfo
    missed: int = 0
    told: Sighting | None = None
    occupied: bool = False
    freed: bool = False
    answers: int = 0

    def hear(self, info: DeviceInfo) -> None:
        """Take what it says now."""
        self.info = info
        self.missed = 0
        self.answers += 1
        self.freed = self.occupied and not info.notify and not int(info.client)

    def refused(self) -> None:
        """Take note that it was occupied; what it said before that does not count."""
        self.occupied, self.freed = True, False

    def opened(self) -> None:
        """Take note that we have it."""
        self.occupied = self.freed = False

    @property
    def is_told(self) -> bool:
        """Tell whether what was told on is what it says."""
        return self.told is not None and (self.told.address, self.told.fingerprint) == (
            str(self.info.address),
            pin(self.info),
        )


class Roll:
    """All of them, by sighting id; `sight` makes the sighting of one."""

    def __init__(self, sight: Callable[[DeviceInfo], Sighting]) -> None:
        self._sight = sight
        self._known: dict[str, Known] = {}
        self._changed: dict[str, None] = {}
        self._dropped: list[str] = []

    def __len__(self) -> int:
        return len(self._known)

    def get(self, sighting_id: str) -> Known | None:
        """Return a unit that answers still."""
        return self._known.get(sighting_id)

    def addresses(self) -> set[IPv4Address]:
        """Return where they are."""
        return {known.info.address for known in self._known.values()}

    def hear(self, info: DeviceInfo) -> bool:
        """Take an answer; tell whether there is something to tell on."""
        sighting_id = name(info)
        known = self._known.get(sighting_id)
        if known is None:
            if len(self._known) >= _MOST_UNITS:
                return False
            known = self._known[sighting_id] = Known(info)
        known.hear(info)
        if known.is_told:
            return False
        self._changed[sighting_id] = None
        return True

    def begin_round(self) -> list[str]:
        """Count a round, and return who has missed too many: they are known no more."""
        for known in self._known.values():
            known.missed += 1
        gone = [key for key, known in self._known.items() if known.missed > _MISSED_ROUNDS]
        for sighting_id in gone:
            if self._known.pop(sighting_id).told is not None:
                self._dropped.append(sighting_id)
            self._changed.pop(sighting_id, None)
        return gone

    def late(self) -> Iterator[DeviceInfo]:
        """Return who has not answered the last round."""
        return (known.info for known in self._known.values() if known.missed >= _LATE_ROUNDS)

    def changes(self) -> list[Sighting | Gone]:
        """Return what is to be told on, once."""
        events: list[Sighting | Gone] = [Gone(sighting_id) for sighting_id in self._dropped]
        self._dropped.clear()
        for sighting_id in self._changed:
            known = self._known[sighting_id]
            if not known.is_told:
                known.told = self._sight(known.info)
                events.append(known.told)
        self._changed.clear()
        return events

    def forget_told(self) -> None:
        """Have everything told again: somebody else listens."""
        for known in self._known.values():
            known.told = None
        self._changed = dict.fromkeys(self._known)
        self._dropped.clear()
