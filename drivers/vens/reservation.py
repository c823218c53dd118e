"""Getting a unit and letting it go: RESERVE, RELEASE, and what to do with a unit that says that it is occupied."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address

from drivers.errors import Busy, DriverError, PeerError, Refused, WrongPassword
from drivers.vens import flow, frames
from drivers.vens.dialects import Dialect
from drivers.vens.frames import Answer, Reserve
from drivers.vens.link import Connection, Data, ask_control
from drivers.vens.wire import DeviceInfo

log = logging.getLogger(__name__)

_RECOVERY_PAUSE_S = 1.0  # section 8.5
_RECOVERIES = 3
_HOST_PC = 0
_NAME_BYTES = 64


@dataclass(frozen=True, slots=True)
class Reservation:
    """A unit that is ours, or is to be: where it is, how it is talked to, and our token.

    `stale`: it was occupied at our last try, and says since then that nobody has it: a job was left unfinished, and to
    end that disturbs nobody.
    """

    info: DeviceInfo
    dialect: Dialect
    token: bytes
    stale: bool = False

    def connect(self) -> Connection:
        """Return a new data connection, to be entered."""
        return Connection(self.info.address, self.info.data_port)

    def data(self, connection: Connection) -> Data:
        """Return the data channel on a connection."""
        return Data(connection, self.info.family, self.token)

    async def take(self, *, own: IPv4Address, event_port: int, password: str, at: datetime) -> None:
        """Reserve the unit. WrongPassword; Busy if another has it; Refused; Unreachable."""
        for left in reversed(range(_RECOVERIES + 1)):
            status = await self._reserve(own, event_port, password, at)
            if status == Answer.ACCEPTED:
                return
            if status != Answer.OCCUPIED or not self.stale or not left:
                raise self._refusal(status)
            await self._recover()

    async def answers(self) -> bool:
        """Tell whether the unit is where it was: it answers there (GET_DEV_INFO), and with no other host name."""
        asked = frames.control(self.info.family, frames.Control.DEVICE_INFO, self.token)
        try:
            reply = await ask_control(self.info.address, self.info.control_port, asked)
        except DriverError:
            return False
        told = reply.body[:_NAME_BYTES].rstrip(b"\0 ")
        return not reply.status and told in (b"", self.info.host_name.encode("ascii"))

    async def release(self) -> None:
        """Give the unit back."""
        await ask_control(self.info.address, self.info.control_port, frames.release(self.info.family, self.token))

    async def _reserve(self, own: IPv4Address, event_port: int, password: str, at: datetime) -> int:
        request = Reserve(
            family=self.info.family,
            token=self.token,
            length=self.dialect.reserve_bytes,
            interface=self.info.interface,
            alive_s=self.dialect.alive_s,
            host_type=self.dialect.host_type,
            client=own,
            event_port=event_port,
            password=password,
            manager=self.info.manager if self.dialect.host_type == _HOST_PC else b"",
            at=at,
        )
        reply = await ask_control(self.info.address, self.info.control_port, request.encode())
        return reply.status

    async def _recover(self) -> None:
        """End the job that somebody left (section 8.5)."""
        log.info("%s is occupied by nobody: ending what was left of a job", self.info.host_name)
        try:
            async with self.connect() as connection:
                await self.data(connection).run(flow.end())
        except DriverError as error:
            log.info("%s: %s", self.info.host_name, error)
        await asyncio.sleep(_RECOVERY_PAUSE_S)

    def _refusal(self, status: int) -> DriverError:
        match status:
            case Answer.WRONG_PASSWORD:
                return WrongPassword(
                    "The scanner wants another Wi-Fi password: the one that was set in the maker's software, otherwise "
                    "the last four characters of its serial number"
                )
            case Answer.OCCUPIED:
                who = f"The device at {self.info.client}" if int(self.info.client) else "Another device"
                return Busy(f"{who} holds the scanner: close the scanning app there, or wait until it is done")
            case Answer.BOUND:
                return Refused("The scanner is bound to another computer: release it there in the maker's software")
            case Answer.BAD_PACKET:
                return PeerError("The scanner does not understand our request (status -1)")
            case _:
                return Refused(f"The scanner refuses the connection (status {status})")
