"""The stream of hints: a topic after each change, and its end with the session."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from tests.web.conftest import House

LATEST_S = 2.0


class Stream:
    """One open stream of server-sent events."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.seen: list[str] = []

    async def next(self) -> str:
        """Return the next event's name, "" at the end of the stream."""
        async with asyncio.timeout(10):
            while line := (await self._answer.content.readline()).decode():
                if line.startswith("event: "):
                    self.seen.append(line.removeprefix("event: ").strip())
                    return self.seen[-1]
                assert line.strip() in ("", "data: {}", "retry: 2000", ": alive"), "hints say which topic, never what"
        return ""

    async def until(self, topic: str) -> None:
        while topic not in self.seen:
            assert await self.next(), f"the stream ended before {topic}: {self.seen}"


@asynccontextmanager
async def listening(house: House, token: str) -> AsyncIterator[Stream]:
    headers = {"Authorization": f"Bearer {token}"}
    async with house.http.get(f"{house.url}/api/v1/events", headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"
        yield Stream(answer)


@pytest.fixture
async def owner(house: House) -> House:
    """A house whose owner has a unit and an L2 session."""
    await house.set_up()
    await house.register()
    await house.enable()
    return house


async def test_each_change_sends_its_topic(house: House) -> None:
    await house.set_up()
    async with listening(house, house.token) as stream:
        await house.register()
        for topic in ("claims", "units", "account"):
            await stream.until(topic)
        stream.seen.clear()
        await house.call("PATCH", f"/units/{house.unit_id}", {"label": "Upstairs"})
        await stream.until("units")
        await house.scan(1)
        await stream.until("scans")


async def test_signing_out_elsewhere_ends_the_stream_within_two_seconds(owner: House) -> None:
    listener, elsewhere = owner.token, await owner.sign_in()
    async with listening(owner, listener) as stream:
        await owner.raw("DELETE", "/session", token=elsewhere)
        start = time.monotonic()
        await stream.until("ended")
        assert time.monotonic() - start < LATEST_S
        assert await stream.next() == "", "nothing comes after the end"


async def test_disabling_two_factor_ends_every_stream(owner: House) -> None:
    async with listening(owner, owner.token) as stream:
        await owner.disable(held=0)
        await stream.until("ended")


async def test_a_stream_is_no_activity_and_tells_when_the_pages_lock(owner: House) -> None:
    async with listening(owner, owner.token) as stream:
        owner.clock.ahead += timedelta(minutes=31)
        await stream.until("locked")
        assert await stream.next() == ""
    assert (await owner.raw("GET", "/events")).reason == "locked"


async def test_a_stream_that_is_left_leaves_nothing_behind(owner: House) -> None:
    for _ in range(5):
        async with listening(owner, owner.token) as stream:
            await owner.call("PATCH", f"/units/{owner.unit_id}", {"label": "Once more"})
            await stream.until("units")
    assert (await owner.raw("GET", "/units")).status == 200
