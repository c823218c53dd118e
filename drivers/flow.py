"""A dialogue with a device is a generator: it yields requests and receives replies. No I/O, no clock."""

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Pause:
    """Ask the runner to wait before going on; `reason` is for the log."""

    seconds: float
    reason: str


Flow: TypeAlias = Generator[Request | Pause, Reply | None, Result]


def run(
    flow: "Flow[Request, Reply, Result]",
    exchange: Callable[[Request], Reply],
    *,
    sleep: Callable[[float], None],
) -> Result:
    """Run a flow to its result over a blocking `exchange`.

    Whatever `exchange` raises is thrown into the flow, so that the dialogue itself decides how to recover.
    """
    answer: Reply | None = None
    error: Exception | None = None
    while True:
        try:
            step = flow.throw(error) if error is not None else flow.send(answer)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        answer, error = None, None
        if isinstance(step, Pause):
            sleep(step.seconds)
            continue
        try:
            answer = exchange(step)
        except Exception as raised:  # noqa: BLE001 - handed to the flow, which raises it again if it has no use for it
            error = raised


async def walk(
    flow: "Flow[Request, Reply, Result]",
    exchange: Callable[[Request], Awaitable[Reply]],
    *,
    sleep: Callable[[float], Awaitable[None]],
) -> Result:
    """Run a flow to its result over an `exchange` that is awaited; otherwise as `run`."""
    answer: Reply | None = None
    error: Exception | None = None
    while True:
        try:
            step = flow.throw(error) if error is not None else flow.send(answer)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        answer, error = None, None
        if isinstance(step, Pause):
            await sleep(step.seconds)
            continue
        try:
            answer = await exchange(step)
        except Exception as raised:  # noqa: BLE001 - handed to the flow, which raises it again if it has no use for it
            error = raised
