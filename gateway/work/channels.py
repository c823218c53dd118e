"""Where notices are pushed to besides the pages: an account's channels, and what is on its way to them."""

import asyncio
import logging
import secrets
import uuid

import msgspec

from gateway.clock import Clock
from gateway.core.delivery import next_try
from gateway.core.model import AccountId
from gateway.core.notice import LAST_PUSH_SPAN, URGENT, ChannelId, Notice
from gateway.destinations import push
from gateway.destinations.kinds import Surroundings
from gateway.destinations.port import DestinationError, Rejected, Unavailable
from gateway.destinations.push import Note
from gateway.store.notices import Channel, Push
from gateway.store.store import Store
from gateway.vault.device import DeviceKey
from gateway.work.notices import TITLES
from gateway.work.outcomes import NOT_FOUND, Denied, sentence
from gateway.work.record import entry

LOOK_S = 5.0
PUSH_S = 60.0  # a server that takes longer for a few words is broken
MOST_CHANNELS = 10
_PLACE = {"table": "channels", "column": "secrets"}

log = logging.getLogger(__name__)


class Channels:
    """The owner's actions, and the round that pushes."""

    def __init__(self, *, clock: Clock, store: Store, device: DeviceKey, around: Surroundings, page: str) -> None:
        """Take what channels stand on; `page`: the address of the pages that a notice leads to, "" if none is known."""
        self._clock = clock
        self._store = store
        self._device = device
        self._around = around
        self._page = page
        self._busy: set[ChannelId] = set()

    async def of(self, account: AccountId) -> tuple[tuple[Channel, str], ...]:
        """Return the account's channels, each with what went wrong with the latest push to it."""
        errors = await self._store.notices.errors(account)
        return tuple((row, errors.get(row.id, "")) for row in await self._store.notices.channels(account))

    async def add(
        self, account: AccountId, kind: str, config: dict[str, str], secret: dict[str, str], *, peer: str
    ) -> Channel | Denied:
        """Save a channel that its kind accepts."""
        if len(await self._store.notices.channels(account)) >= MOST_CHANNELS:
            return Denied("too_many_channels", f"An account has {MOST_CHANNELS} channels at the most.", 409)
        try:
            await push.check(kind, config, secret, self._around)
        except DestinationError as error:
            return Denied("channel_unusable", sentence(error), 422)
        now = self._clock.now()
        sealed = self._device.seal(msgspec.json.encode(secret), account=account, **_PLACE)
        channel = Channel(ChannelId(uuid.uuid4().hex), account, kind, config, sealed, now.utc)
        await self._store.notices.add_channel(channel, entry(now, account, peer, "channel_added", reason=kind))
        return channel

    async def test(self, account: AccountId, channel_id: ChannelId) -> Denied | None:
        """Push a notice that says it is a test."""
        channel = await self._channel(account, channel_id)
        if channel is None:
            return NOT_FOUND
        key, now = f"test/{uuid.uuid4().hex}", self._clock.now().utc
        note = Note(key, "A test", "Notices of your ScanSnap gateway arrive here.", self._page, now)
        try:
            await self._send(channel, note)
        except DestinationError as error:
            return Denied("channel_failed", sentence(error), 424)
        return None

    async def remove(self, account: AccountId, channel_id: ChannelId, *, peer: str) -> Denied | None:
        """Remove a channel."""
        channel = await self._channel(account, channel_id)
        if channel is None:
            return NOT_FOUND
        audit = entry(self._clock.now(), account, peer, "channel_removed", reason=channel.kind)
        await self._store.notices.remove_channel(channel_id, audit)
        return None

    async def run(self) -> None:
        """Push what is due until cancelled; a channel that hangs holds up no other."""
        async with asyncio.TaskGroup() as group:
            while True:
                for one in await self._store.notices.due(self._clock.now().utc):
                    if one.channel.id not in self._busy:
                        self._busy.add(one.channel.id)
                        group.create_task(self._serve(one), name=f"push {one.channel.id}")
                await asyncio.sleep(LOOK_S)

    async def _serve(self, one: Push) -> None:
        try:
            await self._push(one)
        except Exception:  # the task's guard: it is due again at the next look
            log.exception("a push to %s is tried again", one.channel.id)
        finally:
            self._busy.discard(one.channel.id)

    async def _push(self, one: Push) -> None:
        notice, now = one.notice, self._clock.now().utc
        if notice.over_at is not None or notice.read_at is not None or now - notice.begun_at > LAST_PUSH_SPAN:
            await self._store.notices.pushed(one, error="" if one.attempts == 0 else "given up")
            return
        try:
            await self._send(one.channel, self._note(notice))
        except DestinationError as error:
            await self._again(one, error)
        except Exception:  # one push's guard: it is no reason to stop the others
            log.exception("a notice cannot be pushed to %s", one.channel.id)
            await self._again(one, Unavailable("an internal error; see the log"))
        else:
            await self._store.notices.pushed(one)

    async def _again(self, one: Push, error: DestinationError) -> None:
        asked_s = error.retry_after_s if isinstance(error, Unavailable) else None
        due = next_try(
            one.attempts, self._clock.now().utc, jitter=secrets.randbelow(1000) / 1000, retry_after_s=asked_s
        )
        final = isinstance(error, Rejected)
        await self._store.notices.pushed(one, error=sentence(error), next_try_at=None if final else due)

    def _note(self, notice: Notice) -> Note:
        title, urgent = TITLES[notice.kind], notice.kind in URGENT
        return Note(f"notice/{notice.id}", title, notice.detail, self._page, notice.begun_at, urgent)

    async def _send(self, channel: Channel, note: Note) -> None:
        plain = self._device.unseal(channel.sealed, account=channel.account, **_PLACE)
        way = push.build(channel.kind, channel.config, msgspec.json.decode(plain, type=dict[str, str]), self._around)
        try:
            async with asyncio.timeout(PUSH_S):
                await way.push(note)
        except TimeoutError:
            raise Unavailable("the server does not answer in time") from None

    async def _channel(self, account: AccountId, channel_id: ChannelId) -> Channel | None:
        return next((c for c in await self._store.notices.channels(account) if c.id == channel_id), None)
