"""The claim of a unit's interface: who among the open files has it, and what the unit sends to that one."""

import errno

from simulator.usb.device import ScanSnapUsb
from simulator.usb.umockdev.opening import Ended, Failed, Opening


class Claim:
    """The one interface of a unit: at most one open file holds it."""

    def __init__(self, device: ScanSnapUsb) -> None:
        self._device = device
        self.holder: Opening | None = None

    async def take(self, opening: Opening) -> None:
        """Claim the interface, or keep it; Failed with EBUSY if another has it."""
        if self.holder not in (None, opening):
            raise Failed(errno.EBUSY)
        if self.holder is None:
            self.holder = opening
            await self._device.attach(self.serve)

    async def need(self, opening: Opening) -> None:
        """Claim the interface for a process that did not; the kernel does so too, and grumbles."""
        if self.holder is None:
            self._device.scanner.violation("the interface is used before it was claimed")
        await self.take(opening)

    async def drop(self, opening: Opening) -> None:
        """Give the interface back if this file has it; what is under way ends."""
        if self.holder is opening:
            self.holder = None
            opening.end_all(-errno.ENOENT)
            await self._device.detach()

    async def renew(self) -> None:
        """Reset the unit's endpoints; what is under way ends, the claim stays."""
        if self.holder is not None:
            self.holder.end_all(-errno.ENOENT)
            await self._device.attach(self.serve)

    def serve(self) -> None:
        """Give the holder's readings what the unit has by now, oldest first."""
        opening = self.holder
        while opening is not None and opening.pending:
            urb = opening.pending[0]
            outcome = self._device.bulk_in(urb.endpoint, urb.length)
            if outcome is None:
                return
            opening.pending.popleft()
            if isinstance(outcome, int):
                opening.end(Ended(urb, outcome, 0))
            else:
                opening.end(Ended(urb, 0, len(outcome), outcome, urb.buffer))
