"""Sessions: opened, raised, recognised, listed, ended. Every rise in level is a new session with a new token."""

import asyncio
import contextlib
import hashlib
import logging
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.core import session as sessions
from gateway.core.model import Account, AccountId, Level, Session, SessionId
from gateway.store.accounts import Credential
from gateway.store.audit import AuditEntry
from gateway.store.store import Store
from gateway.vault.keyring import Keyring
from gateway.vault.runtime import RuntimeSlots
from gateway.work.caller import Caller
from gateway.work.hub import Hub
from gateway.work.outcomes import NOT_FOUND, Denied, Grant
from gateway.work.record import entry

MOST_PARKED = 256  # of all accounts: the oldest makes room, and must sign in again

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who a request comes from. `locked`: no activity for 30 minutes, so the pages are shut; forwarding is not."""

    session: Session
    account: Account
    locked: bool


@dataclass(frozen=True, slots=True)
class Token:
    """A new session token: the text for its holder, the hash for the database."""

    text: str
    hash: str


@dataclass(frozen=True, slots=True)
class Rescue:
    """A password reset that waits for its code: the rescue key's hash, and the new credential.

    The identity is in the credential's slot only, which opens with the key share and what the code gives out.
    """

    used: str
    credential: Credential


@dataclass(frozen=True, slots=True)
class Parked:
    """What a half-way session keeps in memory: the password's key share, and what the code will make durable."""

    kek: bytes = b""
    renewed: tuple[Credential, Credential] | None = None
    rescue: Rescue | None = None


def token_hash(token: str) -> str:
    """Return what the database holds of a session token; what a header holds beside ASCII hashes, too."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


class Sessions:
    """The desk where sessions are kept, with the keys that live only as long as they do."""

    def __init__(self, *, clock: Clock, store: Store, keyring: Keyring, slots: RuntimeSlots, hub: Hub) -> None:
        self._clock = clock
        self._store = store
        self._keyring = keyring
        self._slots = slots
        self._hub = hub
        self._parked: dict[SessionId, Parked] = {}

    @staticmethod
    def new_token() -> Token:
        """Make a token of 256 random bits."""
        text = secrets.token_urlsafe(32)
        return Token(text, token_hash(text))

    async def admit(
        self,
        account: Account,
        session: Session,
        replaces: Session | None,
        audit: AuditEntry,
        *,
        rises: bool = False,
        identity: str | None = None,
    ) -> Grant:
        """Write a session's row, ending the one it replaces, and make its token; hold its `identity` meanwhile.

        `rises`: SessionOver unless the one it replaces is live.
        """
        token = self.new_token()
        same = replaces if replaces is not None and replaces.account == account.id else None
        async with self.holding(account.id, session.id, token, identity):
            ended = await self._store.sessions.create(
                session, token.hash, audit, ended=same.id if same else None, rises=rises
            )
        if replaces is not None and same is None:
            await self._store.sessions.end((replaces.id,), audit)
            ended += (replaces.id,)
        self.forget(ended)
        self.tell(account.id)
        return Grant(token.text, session, account)

    @contextlib.asynccontextmanager
    async def holding(
        self, account: AccountId, session: SessionId, token: Token, identity: str | None
    ) -> AsyncIterator[None]:
        """Hold an identity for a session that the block makes; forget it if the block fails."""
        if identity is None:
            yield
            return
        self._keyring.admit(account, session, identity)
        try:
            yield
        except BaseException:
            self.forget((session,))
            raise
        try:
            await asyncio.to_thread(self._slots.write, session, token.text, identity)
        except OSError as error:
            log.warning("a restart of the service will ask for a new sign-in: %s", error)

    def park(self, session: SessionId, parked: Parked) -> None:
        """Keep what a half-way session needs for its next step."""
        while len(self._parked) >= MOST_PARKED:
            self._parked.pop(next(iter(self._parked)))
        self._parked[session] = parked

    def parked(self, session: SessionId) -> Parked | None:
        """Return what a half-way session keeps."""
        return self._parked.get(session)

    def forget(self, ended: tuple[SessionId, ...]) -> None:
        """Take ended sessions' keys out of memory and out of the runtime directory."""
        for session in ended:
            self._parked.pop(session, None)
            self._keyring.drop_session(session)
            self._slots.delete(session)

    async def start(self) -> None:
        """After a restart: end what did not outlive it, and delete what those sessions left."""
        now = self._clock.now()
        await self._store.sessions.end_lost(now.boot_id, now.utc)
        live = await self._store.sessions.live()
        await asyncio.to_thread(self._slots.keep_only, live)

    async def whois(self, token: str, *, acts: bool) -> Visitor | None:
        """Return whose token this is, if its session lives; `acts` counts as activity of the person.

        After a restart this opens the account's keys again, on locked pages too, and unlocks nothing else.
        """
        session = await self._store.sessions.by_token(token_hash(token))
        account = await self._store.accounts.get(session.account) if session else None
        if session is None or account is None:
            return None
        now = self._clock.now()
        if not sessions.lives(session, account, now):
            return None
        if session.level is Level.L2 and session.id not in self._keyring.open_sessions(account.id):
            await self._reopen(session, token)
        locked = session.level is Level.L2 and sessions.locked(session, now)
        if acts and not locked:
            await self._store.sessions.touch(session.id, now.after(sessions.IDLE_SPAN))
        return Visitor(session, account, locked)

    async def _reopen(self, session: Session, token: str) -> None:
        identity = await asyncio.to_thread(self._slots.read, session.id, token)
        if identity is None:
            return
        self._keyring.admit(session.account, session.id, identity)
        if session.id not in await self._store.sessions.live():  # ended while the file was read
            self.forget((session.id,))
            return
        self._hub.tell(session.account, "scans")

    async def of(self, account: Account) -> tuple[Session, ...]:
        """Return the account's live sessions, the newest first; half-way ones are none yet."""
        now = self._clock.now()
        rows = await self._store.sessions.of_account(account.id)
        live = [s for s in rows if sessions.lives(s, account, now) and s.level is not Level.LP]
        return tuple(sorted(live, key=lambda s: s.password_at, reverse=True))

    async def end(self, account: AccountId, session: SessionId, *, caller: Caller) -> Denied | None:
        """End one session of an account."""
        if session not in {s.id for s in await self._store.sessions.of_account(account)}:
            return NOT_FOUND
        audit = entry(self._clock.now(), account, caller.peer, "session_ended", reason="by its owner", session=session)
        await self._store.sessions.end((session,), audit)
        self.over(account, (session,))
        return None

    async def sign_out(self, session: Session, *, everywhere: bool, caller: Caller) -> None:
        """End this session, or all of the account's: the gate shuts and the keys leave memory at once."""
        reason = "everywhere" if everywhere else "this device"
        audit = entry(self._clock.now(), session.account, caller.peer, "sign_out", reason=reason, session=session.id)
        ended: tuple[SessionId, ...] = (session.id,)
        if everywhere:
            ended = await self._store.sessions.end_all_of(session.account, audit)
        else:
            await self._store.sessions.end(ended, audit)
        self.over(session.account, ended)

    async def stop_forwarding(self, session: Session, *, caller: Caller) -> None:
        """Shut the forwarding windows of all of the account's sessions; the pages stay open."""
        audit = entry(self._clock.now(), session.account, caller.peer, "forwarding_stopped", session=session.id)
        await self._store.sessions.stop_forwarding(session.account, audit)
        self.tell(session.account)

    def over(self, account: AccountId, ended: tuple[SessionId, ...]) -> None:
        """Follow the end of sessions that their rows say already: keys go, open pages are told."""
        self.forget(ended)
        self.tell(account)

    def widen(self, account: AccountId, identity: str) -> None:
        """Hold more identities for the sessions that are open; after a restart they hold what they began with."""
        for session in self._keyring.open_sessions(account):
            self._keyring.admit(account, session, identity)
        self.tell(account)

    def tell(self, account: AccountId) -> None:
        """Say on the account's open pages that sessions and gate changed."""
        for topic in ("account", "scans"):
            self._hub.tell(account, topic)
