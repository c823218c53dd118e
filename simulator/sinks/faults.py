"""What a destination saw, and how it misbehaves: faults are rows, each for the next requests that fit it."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

_POLL_S = 0.005


class Trouble(StrEnum):
    """What a fault does to a request."""

    STATUS = "status"  # answer with a status instead of doing it: 200 here is "accepted, then dropped"
    STATUS_AFTER = "status_after"  # do it, then answer with a status all the same
    EARLY = "early"  # answer with a status before the body was read, and do nothing
    DROP = "drop"  # close the connection instead of doing it
    DROP_REPLY = "drop_reply"  # do it, then close the connection without a word
    DRIP = "drip"  # do it, then send the head of an answer byte by byte, `pause_s` in between, and never end it
    RESET = "reset"  # close the connection after `at_byte` bytes of the body
    SHORT = "short"  # do it with the first `at_byte` bytes of the body
    SLOW_BODY = "slow_body"  # read the body with a pause before every piece


@dataclass(frozen=True, slots=True)
class Fault:
    """One row: what happens to the next `times` requests with this method, to a path that contains `path`."""

    method: str
    trouble: Trouble
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    pause_s: float = 0.0
    at_byte: int = 0
    path: str = ""
    times: int = 1


@dataclass(slots=True)
class Request:
    """One request as it was seen; `status` is 0 until it is answered, and stays 0 if the connection was dropped."""

    method: str
    path: str
    headers: dict[str, str]
    status: int = 0
    bytes_received: int = 0


@dataclass(slots=True)
class Sink:
    """A running server: where it is, what it saw, which faults still wait; `over` is set at its end."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def bytes_received(self) -> int:
        """Return how many body bytes arrived over all requests."""
        return sum(r.bytes_received for r in self.requests)

    def misbehave(self, fault: Fault) -> None:
        """Add a fault behind those that wait."""
        with self._lock:
            self.faults.append(fault)

    async def until(self, condition: Callable[[Self], bool], timeout_s: float = 10.0) -> None:
        """Wait until a condition on what was seen holds; TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not condition(self):
                await asyncio.sleep(_POLL_S)

    def take_fault(self, method: str, path: str) -> Fault | None:
        """Take the first fault that waits for such a request."""
        with self._lock:
            for index, fault in enumerate(self.faults):
                if fault.method == method and fault.path in path:
                    left = fault.times - 1
                    self.faults[index : index + 1] = [replace(fault, times=left)] if left else []
                    return fault
        return None
