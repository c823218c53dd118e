"""The one clock, injected everywhere. Nothing else in the gateway asks what time it is."""

import ctypes
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from gateway.core.model import Instant


class Clock(Protocol):
    """Wall clock and boot clock together; see Instant."""

    def now(self) -> Instant:
        """Return this instant."""


class SystemClock:
    """The machine's own clocks (Linux: CLOCK_BOOTTIME goes on during suspend, boot_id changes at each boot)."""

    def __init__(self) -> None:
        self._boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()

    def now(self) -> Instant:
        """Return this instant."""
        return Instant(utc=datetime.now(UTC), boot_s=time.clock_gettime(time.CLOCK_BOOTTIME), boot_id=self._boot_id)


_TIME_ERROR = 5  # adjtimex(2): "the clock is not synchronised to a reliable server"
_TIMEX_BYTES = 256  # struct timex is 208 bytes; all zero asks and changes nothing


class Hardware(Protocol):
    """What the machine knows of its clock."""

    def keeps_time(self) -> bool:
        """Tell whether the clock goes on while the machine is off."""

    def synchronised(self) -> bool:
        """Tell whether the clock was set by a time server since the start."""


class SystemHardware:
    """Linux: a real-time clock shows in /sys, synchronisation in adjtimex(2)."""

    def keeps_time(self) -> bool:
        """Tell whether there is a real-time clock, or a host that gives its time (virtual machines, containers)."""
        return any(Path("/sys/class/rtc").glob("rtc*")) or not Path("/proc/device-tree/model").exists()

    def synchronised(self) -> bool:
        """Tell whether the kernel takes its clock for right."""
        answer: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
        return answer not in (-1, _TIME_ERROR)
