"""The named instants at which a daemon dies by its own hand, and how they are put into it. Test code only.

A name is a function, or a step of a machine; "before" and "after" are the two sides of it.
"""

import functools
import inspect
import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import aiosqlite

from gateway import app
from gateway.core.model import DeliveryState, ScanState
from gateway.destinations import folder_files
from gateway.destinations.dav import Dav
from gateway.destinations.folder import FolderDestination
from gateway.destinations.webdav import WebdavDestination
from gateway.store.deliveries import Deliveries
from gateway.store.scans import Scans
from gateway.store.spool import Draft, Spool
from gateway.work.gatekeeper import Gatekeeper
from gateway.work.intake import _Pull
from gateway.work.janitor import Janitor
from gateway.work.outbox import Outbox
from gateway.work.render import Renderer
from gateway.work.sessions import Sessions
from tests.walk.crash import shim


class Edge(StrEnum):
    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Instant:
    """One side of a named step; `crossing`: the how-manieth time counts, from 1."""

    edge: Edge
    name: str
    crossing: int = 1

    def __str__(self) -> str:
        return f"{self.edge} {self.name}"


FUNCTIONS: dict[str, tuple[Any, str]] = {
    "opening the database": (app, "open_store"),
    "starting": (Janitor, "start"),
    "sweeping the spool": (Spool, "sweep_temps"),
    "opening the keys again": (Sessions, "_reopen"),
    "beginning a scan": (Scans, "begin"),
    "reading from the unit": (_Pull, "read"),
    "writing a page": (Spool, "write"),
    "keeping a page": (Draft, "keep"),
    "recording a page": (Scans, "add_page"),
    "adopting a page": (Janitor, "_adopt"),
    "planning deliveries": (Deliveries, "plan"),
    "asking the gate": (Gatekeeper, "ask"),
    "verifying pages": (Renderer, "_verify"),
    "committing": (Outbox, "_commit"),
    "creating the folder's file": (folder_files.Draft, "open"),
    "writing the folder's file": (folder_files.Draft, "write"),
    "finishing the folder's file": (folder_files.Draft, "finish"),
    "publishing the folder's file": (folder_files.Draft, "publish"),
    "letting go of the folder's file": (folder_files.Draft, "discard"),
    "reconciling the folder": (FolderDestination, "reconcile"),
    "removing the folder's temporary file": (folder_files.Folder, "remove_temporary"),
    "reading the folder's file": (folder_files.Folder, "proof_of"),
    "PROPFIND": (Dav, "stat"),
    "PUT": (Dav, "put"),
    "MOVE": (Dav, "move"),
    "DELETE": (Dav, "delete"),
    "GET": (Dav, "sha256"),
    "reconciling WebDAV": (WebdavDestination, "reconcile"),
    "COMMIT": (aiosqlite.Connection, "commit"),
    "fsync": (os, "fsync"),
    "rename": (os, "rename"),
    "link": (os, "link"),
    "unlink": (os, "unlink"),
    "mkdir": (os, "mkdir"),
}

S, D = ScanState, DeliveryState
SCAN_STEPS = (
    (S.RECEIVING, S.STORED),
    (S.RECEIVING, S.PAUSED),
    (S.PAUSED, S.RECEIVING),
    (S.PAUSED, S.INCOMPLETE),
)
DELIVERY_STEPS = (
    (D.WAITING, D.SENDING),
    (D.SENDING, D.COMMITTING),
    (D.COMMITTING, D.DELIVERED),
    (D.SENDING, D.WAITING),
    (D.COMMITTING, D.UNCERTAIN),
    (D.UNCERTAIN, D.DELIVERED),
    (D.UNCERTAIN, D.WAITING),
)
ACKNOWLEDGING = "acknowledging a page"  # only its far side: what lies before it is the recording


def step_name(what: str, before: str, after: str) -> str:
    """Return the name of a machine's step."""
    return f"{what} {before} -> {after}"


def names() -> tuple[str, ...]:
    """Return every name of a step."""
    scans = [step_name("scan", *pair) for pair in SCAN_STEPS]
    deliveries = [step_name("delivery", *pair) for pair in DELIVERY_STEPS]
    return (*FUNCTIONS, *scans, *deliveries)


def instants() -> tuple[Instant, ...]:
    """Return both sides of every step, and the acknowledgement."""
    both = [Instant(edge, name) for name in names() for edge in Edge]
    return (*both, Instant(Edge.AFTER, ACKNOWLEDGING))


def often() -> tuple[Instant, ...]:
    """Return the second and third times of what happens in many places of the daemon."""
    names = ("COMMIT", "fsync", "rename", "mkdir")
    return tuple(Instant(edge, name, crossing) for name in names for edge in Edge for crossing in (2, 3))


class Reaper:
    """Counts the crossings of one life and ends it at the chosen one; `tell(what, detail)` survives that."""

    def __init__(self, chosen: Instant | None, tell: Callable[[str, str], None]) -> None:
        self._chosen = chosen
        self._tell = tell
        self._crossings: Counter[tuple[Edge, str]] = Counter()

    def cross(self, edge: Edge, name: str) -> None:
        """Pass an instant, or end there."""
        self._crossings[edge, name] += 1
        chosen = self._chosen
        if chosen is not None and chosen == Instant(edge, name, self._crossings[edge, name]):
            self.die(str(chosen))

    def die(self, where: str) -> None:
        """End at once, as by kill -9."""
        self._tell("died", where)
        shim.hold()
        os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """Put the instants into the functions that they are named after."""
        for name, (owner, attribute) in FUNCTIONS.items():
            _wrap(owner, attribute, functools.partial(self._passing, name))
        _wrap(Scans, "move", self._scan_moving)
        _wrap(Deliveries, "move", self._delivery_moving)

    def _passing(self, name: str, _args: Any) -> Callable[[Edge], None]:
        return lambda edge: self.cross(edge, name)

    def _scan_moving(self, args: Any) -> Callable[[Edge], None]:
        return self._passing(step_name("scan", args[2], args[3]), args)

    def _delivery_moving(self, args: Any) -> Callable[[Edge], None]:
        _, delivery, before, after, *_ = args
        name = step_name("delivery", before[0], after)

        def passing(edge: Edge) -> None:
            if edge is Edge.AFTER and D.UNCERTAIN in (before[0], after) and before[0] != after:
                self._tell(name.removeprefix("delivery "), delivery)
            self.cross(edge, name)

        return passing


def _wrap(owner: Any, attribute: str, passing: Callable[[Any], Callable[[Edge], None]]) -> None:
    inner = getattr(owner, attribute)

    async def waiting(*args: Any, **kwargs: Any) -> Any:
        cross = passing(args)
        cross(Edge.BEFORE)
        result = await inner(*args, **kwargs)
        cross(Edge.AFTER)
        return result

    def calling(*args: Any, **kwargs: Any) -> Any:
        cross = passing(args)
        cross(Edge.BEFORE)
        result = inner(*args, **kwargs)
        cross(Edge.AFTER)
        return result

    wrapped = waiting if inspect.iscoroutinefunction(inner) else calling
    setattr(owner, attribute, functools.wraps(inner)(wrapped))
