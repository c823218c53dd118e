"""Open identities, in memory, bound to live sessions. No method gives one out: pages are opened here.

They are opened with a Permit, to be delivered, or on the strength of a session of one's own, to be looked at.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path

from gateway.core.gate import Permit
from gateway.core.model import AccountId, SessionId
from gateway.vault.seal import BrokenSeal, unseal

CHUNK_BYTES = 256 * 1024  # four of age's: handing each of them to another thread costs more than opening it
AHEAD = 4  # chunks between the opening thread and whoever takes them
READERS = 8  # threads of their own for those who look: a browser that takes nothing holds up no delivery


class NotOpen(Exception):
    """No live session of this account holds its identity (any more)."""


class Keyring:
    """The identities of accounts whose sessions passed the code."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._identities: dict[SessionId, tuple[AccountId, str]] = {}
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reading")
        self._also: list[Callable[[SessionId], None]] = []

    def when_dropped(self, also: Callable[[SessionId], None]) -> None:
        """Call this too whenever a session's keys are forgotten: for what was made with them."""
        self._also.append(also)

    def admit(self, account: AccountId, session: SessionId, identity: str) -> None:
        """Hold an identity for as long as the session lives."""
        with self._lock:
            self._identities[session] = (account, identity)

    def drop_session(self, session: SessionId) -> None:
        """Forget what one session held; streams on its strength stop at the next chunk."""
        with self._lock:
            self._identities.pop(session, None)
        for also in self._also:
            also(session)

    def open_sessions(self, account: AccountId) -> frozenset[SessionId]:
        """Return the sessions that hold this account's identity."""
        with self._lock:
            return frozenset(s for s, (owner, _) in self._identities.items() if owner == account)

    def holds(self, session: SessionId) -> bool:
        """Tell whether a session holds an identity."""
        with self._lock:
            return session in self._identities

    def _identity(self, session: SessionId, account: AccountId) -> str:
        with self._lock:
            owner, identity = self._identities.get(session, (None, ""))
        if owner != account:
            raise NotOpen("the session that this stands on holds the keys no more")
        return identity

    def _identity_for(self, permit: Permit, account: AccountId) -> str:
        with self._lock:
            for session in (permit.session, *self._identities):
                owner, identity = self._identities.get(session, (None, ""))
                if owner == account:
                    return identity
        raise NotOpen("no session of this account holds its keys any more")

    async def stream(self, permit: Permit, account: AccountId, path: Path) -> AsyncIterator[bytes]:
        """Open one sealed page to deliver it; NotOpen as soon as no session of the account holds the keys, BrokenSeal.

        Where the permit's own session ends and another one holds them, whether it goes on is the gate's to say.
        """
        # A thread of its own: a destination that takes nothing holds up no other, nor the scanning.
        with ThreadPoolExecutor(1, thread_name_prefix="delivering") as thread:
            async with aclosing(self._pour(lambda: self._identity_for(permit, account), path, thread)) as chunks:
                async for chunk in chunks:
                    yield chunk

    def read(self, session: SessionId, account: AccountId, path: Path) -> AsyncIterator[bytes]:
        """Open one sealed page for the owner's own eyes; NotOpen as soon as the session is gone, BrokenSeal."""
        return self._pour(lambda: self._identity(session, account), path, self._readers)

    async def _pour(
        self, held: Callable[[], str], path: Path, threads: ThreadPoolExecutor
    ) -> AsyncGenerator[bytes, None]:
        """Open a page with what is held, for as long as it is."""
        identity = held()
        loop = asyncio.get_running_loop()
        hose = _Hose(loop)
        opening = loop.run_in_executor(threads, _open, path, hose, identity)
        del identity
        try:
            while (chunk := await hose.get()) is not None:
                held()
                yield chunk
            await opening
        finally:
            hose.shut()
            await asyncio.gather(opening, return_exceptions=True)


def _open(path: Path, hose: "_Hose", identity: str) -> None:
    try:
        with path.open("rb", buffering=0) as file:
            unseal(file, hose, identity)
            hose.pour()
    except OSError as error:
        raise BrokenSeal(f"{path.name}: {error.strerror or error}") from error
    finally:
        hose.end()


class _Hose:
    """A bounded queue with a blocking end for the opening thread and an asynchronous one for the taker."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._room = threading.BoundedSemaphore(AHEAD)
        self._shut = False
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        if len(self._held) >= CHUNK_BYTES:
            self.pour()
        return len(data)

    def flush(self) -> None:
        """Do nothing: `pour` does it."""

    def pour(self) -> None:
        """Hand on what is held; OSError if nobody takes it."""
        if not self._held:
            return
        if not self._shut:
            self._room.acquire()
        if self._shut:
            raise OSError("nobody takes this page any more")
        self._loop.call_soon_threadsafe(self._chunks.put_nowait, bytes(self._held))
        self._held.clear()

    def end(self) -> None:
        """Tell the taker that no more comes."""
        self._loop.call_soon_threadsafe(self._chunks.put_nowait, None)

    def shut(self) -> None:
        """Make the thread's next write fail, also one that waits for room."""
        self._shut = True
        try:
            self._room.release()
        except ValueError:
            return

    async def get(self) -> bytes | None:
        chunk = await self._chunks.get()
        if chunk is not None:
            self._room.release()
        return chunk
