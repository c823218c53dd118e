"""A simulated unit without a cable: CDBs in, bytes out, through the simulator's own codec."""

from simulator import UnitSpec
from simulator.scanner import VirtualScanner
from simulator.scsi.replies import Reply
from simulator.scsi.server import Target
from simulator.scsi.wire import Command, parse_envelope


def command(cdb: bytes) -> Command:
    """Return what the simulator makes of a CDB in its envelope."""
    return parse_envelope((b"C" + bytes(18) + cdb).ljust(31, b"\0"))


class Bench:
    """One unit, `scanner` as a person sees it."""

    def __init__(self, model: str = "iX500", *, serial: int = 700, busy_polls: int = 0) -> None:
        self.scanner = VirtualScanner(UnitSpec("bench", model, serial, feed_s=0.0, busy_polls=busy_polls))
        self.target = Target(self.scanner)

    async def ask(self, cdb: bytes, data_out: bytes = b"") -> Reply:
        """Do one command."""
        return await self.target.execute(command(cdb), data_out)
