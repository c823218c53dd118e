"""A folder of this machine (or of a mount) below a root that the administrator lists.

What happens between the event loop and the disk; the system calls are in folder_files.py. Every delivery has one
thread of its own, so that steps of one delivery never overlap, not even when it is cancelled in the middle of a write.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import ParamSpec, Protocol, TypeVar

from gateway.core.gate import Permit
from gateway.destinations.folder_files import Draft, Folder
from gateway.destinations.kinds import Field, Kind, Surroundings, Values
from gateway.destinations.names import plain
from gateway.destinations.port import Commit, DestinationError, Parcel, Proof, Rejected, Trace
from gateway.destinations.upload import sha256_of

TIDY_S = 5.0  # a disk that takes longer to remove a name hangs

P = ParamSpec("P")
T = TypeVar("T")


class _Run(Protocol):
    async def __call__(self, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one blocking step in the delivery's thread."""


class FolderDestination:
    """Writes under a temporary name, then links it to its final one; nothing is ever overwritten."""

    def __init__(self, root: Path, subfolder: PurePosixPath) -> None:
        """Take a listed root and the way below it; use `below` to make one from an owner's path."""
        self._folder = Folder(root, subfolder.parts)

    @classmethod
    def below(cls, roots: tuple[Path, ...], path: str) -> "FolderDestination":
        """Make one for `path`, which must be one of the roots or lie below one; Rejected otherwise."""
        wanted = PurePosixPath(path)
        if not wanted.is_absolute() or ".." in wanted.parts or "\0" in path:
            raise Rejected("path: an absolute path without '..' is needed")
        fitting = [root for root in roots if wanted.is_relative_to(root)]
        if not fitting:
            raise Rejected("path: the folder is not below any of the roots that the administrator lists")
        root = max(fitting, key=lambda r: len(r.parts))
        return cls(root, wanted.relative_to(root))

    async def probe(self) -> None:
        """Open the folder, write an empty file and remove it again; DestinationError."""
        async with _thread() as run:
            await run(self._folder.probe)

    async def deliver(self, permit: Permit, parcel: Parcel, commit: Commit) -> Proof:
        """Write, sync, `await commit()`, link; the same document already there counts as delivered."""
        plain(parcel.name)
        async with _thread() as run:
            size = await run(self._folder.size_of, parcel.name)
            if size is not None:
                with suppress(DestinationError):  # it stays with whatever made it stay so far
                    await run(self._folder.remove_temporary, parcel)
                return await self._found(run, parcel, size)
            draft = Draft(self._folder, parcel)
            try:
                await run(draft.open)
                async for chunk in parcel.open():
                    await run(draft.write, chunk)
                await run(draft.finish)
                await commit()
                return await run(draft.publish)
            finally:
                # Behind a step that hangs in a dead mount it waits for that one: it does, and we do not.
                with suppress(TimeoutError):
                    async with asyncio.timeout(TIDY_S):
                        await run(draft.discard)

    async def reconcile(self, permit: Permit, parcel: Parcel) -> Proof | Trace:
        """Compare what lies under the final name with the document; where nothing does, the temporary name tells.

        A consumer of the folder may have taken the document. The temporary name was durable before the commit, and
        publishing removed it: only while it is there was nothing published, and nothing but a Proof lets it go.
        """
        plain(parcel.name)
        async with _thread() as run:
            size = await run(self._folder.size_of, parcel.name)
            proof = await self._same(run, parcel) if size == parcel.byte_count else None
            if proof is not None:
                await run(self._folder.remove_temporary, parcel)
                return proof
            # Looked for once more: it may have been taken while we were about to read it.
            if await run(self._folder.size_of, parcel.name) is not None:
                return Trace.ABSENT
            return Trace.ABSENT if await run(self._folder.has_temporary, parcel) else Trace.UNKNOWABLE

    async def _found(self, run: _Run, parcel: Parcel, size: int) -> Proof:
        proof = await self._same(run, parcel) if size == parcel.byte_count else None
        if proof is None:
            raise Rejected(f"another file named {parcel.name!r} is in the folder already")
        return proof

    async def _same(self, run: _Run, parcel: Parcel) -> Proof | None:
        there = await run(self._folder.proof_of, parcel.name)
        return there if there is not None and there.sha256 == await sha256_of(parcel) else None


@asynccontextmanager
async def _thread() -> AsyncIterator[_Run]:
    """Give one thread; a cancelled step still ends before the next one starts, because there is only one."""
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="folder")
    loop = asyncio.get_running_loop()

    async def run(step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        # Shielded: a step that was handed over runs, also when the caller is cancelled twice.
        return await asyncio.shield(loop.run_in_executor(executor, lambda: step(*args, **kwargs)))

    try:
        yield run
    finally:
        executor.shutdown(wait=False)


def _make(values: Values, around: Surroundings) -> FolderDestination:
    return FolderDestination.below(around.roots, values["path"])


KIND = Kind(
    label="Folder on the gateway",
    proves="the file lies on the disk, synced, under its final name, with this SHA-256",
    shown="path",
    fields=(Field("path", "Folder", False, "An existing folder below one that the administrator lists"),),
    make=_make,
)
