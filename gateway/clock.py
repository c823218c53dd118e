"""The one clock, injected everywhere. Nothing else in the gateway asks what time it is."""

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
