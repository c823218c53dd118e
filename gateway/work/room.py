"""How much room is left for scans. Nothing is ever evicted: who has none left is refused before the feeder moves."""

from dataclasses import dataclass

from gateway.core.model import AccountId
from gateway.settings import History
from gateway.store.spool import Spool
from gateway.store.store import Store

MIB = 1024 * 1024
LOW = 1.5  # times the line at which owners are told: above it, it is over

NO_ROOM = "The gateway has no room left for scans: make room there, then press Scan again."
NO_QUOTA = "Your account has used up its room on the gateway: delete scans, or have them delivered, then press Scan."


@dataclass(frozen=True, slots=True)
class Left:
    """Bytes that an account may still add, and whether that is nearly nothing.

    `low`: not much more than nearly nothing, so that who is told is not told again at every scan.
    """

    bytes: int
    nearly_full: bool
    low: bool


class Room:
    """Measures the disk, and the account's share where the administrator has set one."""

    def __init__(self, *, store: Store, spool: Spool, settings: History) -> None:
        self._store = store
        self._spool = spool
        self._settings = settings

    @property
    def _kept_bytes(self) -> int:
        """Return what stays free on the disk: the larger of the two settings."""
        share = self._spool.total_bytes() * self._settings.keep_free_percent // 100
        return max(self._settings.keep_free_mib * MIB, share)

    def on_disk(self) -> int:
        """Return the bytes that scans may still take on the disk, negative when it is too full."""
        return self._spool.free_bytes() - self._kept_bytes

    async def left(self, account: AccountId) -> Left:
        """Return what is left for an account."""
        used, disk, quota = await self._store.scans.bytes_of(account), self.on_disk(), self._settings.quota_mib * MIB
        share = quota - used if quota else disk
        near = [(disk, self._kept_bytes)] + ([(share, quota // 10)] if quota else [])
        nearly = any(left < line for left, line in near)
        low = any(left < LOW * line for left, line in near)
        return Left(max(0, min(disk, share)), nearly, low)

    async def refusal(self, account: AccountId) -> str:
        """Return why an account's scan cannot be taken now, "" if it can."""
        if self.on_disk() < 0:
            return NO_ROOM
        quota = self._settings.quota_mib * MIB
        return NO_QUOTA if quota and await self._store.scans.bytes_of(account) >= quota else ""
