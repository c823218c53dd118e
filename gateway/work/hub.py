"""Hints that something changed, per account. Nothing depends on one arriving: truth is in the rows."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.core.model import AccountId

TOPICS = ("units", "scans", "account", "claims", "notices")


class Hub:
    """Topics that changed, to every open page of an account; for the outbox `anything` is set at each.

    `notable` is set likewise, but not for what the notices say themselves.
    """

    def __init__(self) -> None:
        self.anything = asyncio.Event()
        self.notable = asyncio.Event()
        self._queues: dict[AccountId, set[asyncio.Queue[str]]] = defaultdict(set)
        self._count = 0
        self._told: dict[AccountId, int] = {}
        self._told_all = 0

    def moment(self, account: AccountId) -> int:
        """Return a number that changes whenever this account is told something; it means nothing to another daemon."""
        return max(self._told.get(account, 0), self._told_all)

    @asynccontextmanager
    async def subscribe(self, account: AccountId, since: int | None = None) -> AsyncIterator[asyncio.Queue[str]]:
        """Give a queue of topics for as long as the block runs; what is not fetched in time is coalesced.

        `since`: the moment that the subscriber knows of; every topic comes at once if that is another one by now.
        """
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=4 * len(TOPICS))
        if since is not None and since != self.moment(account):
            for topic in TOPICS:
                queue.put_nowait(topic)
        self._queues[account].add(queue)
        try:
            yield queue
        finally:
            self._queues[account].discard(queue)
            if not self._queues[account]:
                del self._queues[account]

    def tell(self, account: AccountId, topic: str) -> None:
        """Say that a topic of one account changed."""
        self.anything.set()
        if topic != "notices":
            self.notable.set()
        self._count += 1
        self._told[account] = self._count
        for queue in self._queues.get(account, ()):
            if not queue.full():
                queue.put_nowait(topic)

    def tell_all(self, topic: str) -> None:
        """Say that a topic changed for everybody (a unit nobody owns appeared)."""
        for account in tuple(self._queues):
            self.tell(account, topic)
        self._count += 1
        self._told_all = self._count
