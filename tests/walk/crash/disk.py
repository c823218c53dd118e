"""A disk that keeps what was synced, and of the rest as much as it likes. It reads the log of powercut.c.

A file's bytes are safe after its own fsync; a name (made, moved, removed) after the fsync of its folder. At a cut all
the rest is lost, or a part of it: the first so many changes, or any of them, a write also in parts.
"""

import os
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from random import Random

_HEAD = struct.Struct("<IIQQII")
_SECTOR_BYTES = 512
_MEMORY = "-shm"  # SQLite's index of its log: shared memory, made anew at every start


class Kind(IntEnum):
    CREATE = 1
    WRITE = 2
    TRUNCATE = 3
    SYNC_FILE = 4
    SYNC_FOLDER = 5
    RENAME = 6
    LINK = 7
    UNLINK = 8
    MKDIR = 9
    RMDIR = 10


@dataclass(frozen=True, slots=True)
class Entry:
    """One call as the log has it; `data` of what has two paths is the second one."""

    kind: Kind
    mode: int
    inode: int
    offset: int
    path: str
    data: bytes


@dataclass(slots=True, eq=False)
class Node:
    """A file's bytes, or none for a folder: as programs see them, and as they are on the disk."""

    mode: int
    seen: bytearray = field(default_factory=bytearray)
    kept: bytearray = field(default_factory=bytearray)
    is_folder: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What is not safe yet: of a file's bytes, or (`folders`) of names."""

    entry: Entry
    node: Node
    folders: tuple[str, ...] = ()


def entries(log: Path) -> Iterator[Entry]:
    """Read a log; the last entry may be cut off by the kill."""
    data = log.read_bytes() if log.exists() else b""
    at = 0
    while at + _HEAD.size <= len(data):
        kind, mode, inode, offset, path_bytes, data_bytes = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        if at + path_bytes + data_bytes > len(data):
            return
        path = data[at : at + path_bytes].decode()
        at += path_bytes
        yield Entry(Kind(kind), mode, inode, offset, path, data[at : at + data_bytes])
        at += data_bytes


class Escaped(Exception):
    """The log is not the whole truth; `str()` says of what."""


class Disk:
    """Some folders since the last time that all of them was safe."""

    def __init__(self, roots: list[Path]) -> None:
        self._roots = roots
        self._seen: dict[str, Node] = {}
        self._kept: dict[str, Node] = {}
        self._inodes: dict[int, Node] = {}
        self._pending: list[Change] = []

    @classmethod
    def of(cls, roots: Iterable[Path]) -> "Disk":
        """Take what is there now for safe."""
        disk = cls(list(roots))
        for root in disk._roots:
            for path in (root, *sorted(root.rglob("*"))):
                disk._add(path)
        disk._kept = dict(disk._seen)
        return disk

    def _add(self, path: Path) -> None:
        found = path.lstat()
        if path.is_dir():
            self._seen[str(path)] = Node(found.st_mode & 0o7777, is_folder=True)
            return
        data = path.read_bytes()
        node = self._inodes.get(found.st_ino) or Node(found.st_mode & 0o7777, bytearray(data), bytearray(data))
        self._seen[str(path)] = self._inodes[found.st_ino] = node

    def read(self, log: Path) -> None:
        """Take in what the log says."""
        for entry in entries(log):
            self._take(entry)

    def _take(self, entry: Entry) -> None:
        if entry.kind is Kind.SYNC_FILE:
            node = self._inodes.get(entry.inode)
            self._settle(lambda change: not change.folders and change.node is node)
        elif entry.kind is Kind.SYNC_FOLDER:
            self._settle(lambda change: entry.path in change.folders)
        else:
            change = self._change(entry)
            _apply(change, self._seen, seen=True)
            self._pending.append(change)

    def _change(self, entry: Entry) -> Change:
        if entry.kind in (Kind.WRITE, Kind.TRUNCATE):
            return Change(entry, self._inodes.setdefault(entry.inode, Node(0o600)))
        folders = tuple({os.path.dirname(path) for path in _paths(entry)})
        if entry.kind is Kind.CREATE:
            self._inodes[entry.inode] = Node(entry.mode)
            return Change(entry, self._inodes[entry.inode], folders)
        if entry.kind is Kind.MKDIR:
            return Change(entry, Node(entry.mode, is_folder=True), folders)
        return Change(entry, self._seen[entry.path], folders)

    def _settle(self, safe: Callable[[Change], bool]) -> None:
        left = []
        for change in self._pending:
            if safe(change):
                _apply(change, self._kept, seen=False)
            else:
                left.append(change)
        self._pending = left

    def cut(self, log: Path, random: Random, how: str = "any") -> None:
        """Cut the power: put in the folders' place what the disk has kept, `how` much of the rest included.

        Escaped, if a call is not in the log: then it says nothing of the disk.
        """
        if escaped := self.differences(log):
            raise Escaped(f"the log lacks what happened to {escaped}")
        if how == "any":
            how = random.choices(("nothing", "the first", "some", "all"), (5, 2, 4, 1))[0]
        for change in _lucky(self._pending, how, random):
            _apply(change, self._kept, seen=False)
        self._write()
        log.unlink(missing_ok=True)

    def differences(self, log: Path) -> list[str]:
        """Return where the folders are not as the log says: then a call escaped it."""
        self.read(log)
        found = Disk.of(self._roots)._seen
        paths = {path for path in (*found, *self._seen) if not path.endswith(_MEMORY)}
        return sorted(p for p in paths if _shown(found.get(p)) != _shown(self._seen.get(p)))

    def _write(self) -> None:
        for root in self._roots:
            shutil.rmtree(root)
        written: dict[int, str] = {}
        for path, node in sorted(self._kept.items()):
            lost = os.path.dirname(path) not in self._kept and Path(path) not in self._roots
            if lost or not os.path.isdir(os.path.dirname(path)) or path.endswith(_MEMORY):
                continue
            if node.is_folder:
                os.mkdir(path, node.mode)
            elif id(node) in written:
                os.link(written[id(node)], path)
            else:
                Path(path).write_bytes(node.kept)
                os.chmod(path, node.mode)
                written[id(node)] = path


def _paths(entry: Entry) -> tuple[str, ...]:
    return (entry.path, entry.data.decode()) if entry.kind in (Kind.RENAME, Kind.LINK) else (entry.path,)


def _shown(node: Node | None) -> bytes | None:
    return None if node is None else b"" if node.is_folder else bytes(node.seen)


def _apply(change: Change, names: dict[str, Node], *, seen: bool) -> None:
    entry, node = change.entry, change.node
    data = node.seen if seen else node.kept
    match entry.kind:
        case Kind.WRITE:
            data.extend(bytes(max(0, entry.offset - len(data))))
            data[entry.offset : entry.offset + len(entry.data)] = entry.data
        case Kind.TRUNCATE:
            del data[entry.offset :]
            data.extend(bytes(entry.offset - len(data)))
        case Kind.UNLINK | Kind.RMDIR:
            names.pop(entry.path, None)
        case Kind.RENAME | Kind.LINK:
            if entry.kind is Kind.RENAME:
                names.pop(entry.path, None)
            names[entry.data.decode()] = node
        case _:
            names[entry.path] = node


def _lucky(pending: list[Change], how: str, random: Random) -> Iterator[Change]:
    """Yield what reached the disk without having been synced."""
    if how == "all":
        yield from pending
    elif how == "the first":
        yield from pending[: random.randint(0, len(pending))]
    elif how == "some":
        share = random.choice((0.2, 0.5, 0.8))
        for change in pending:
            if random.random() < share:
                yield _torn(change, random)


def _torn(change: Change, random: Random) -> Change:
    """Return a write as it is, or as many sectors of it as came down."""
    entry = change.entry
    if entry.kind is not Kind.WRITE or random.random() < 0.8:
        return change
    sectors = random.randint(0, len(entry.data) // _SECTOR_BYTES)
    torn = Entry(entry.kind, 0, entry.inode, entry.offset, entry.path, entry.data[: sectors * _SECTOR_BYTES])
    return Change(torn, change.node)
