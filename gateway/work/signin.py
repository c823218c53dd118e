"""Signing in: password, then authentication code or sign-in code."""

import uuid
from dataclasses import replace

from gateway.clock import Clock
from gateway.core import account as accounts
from gateway.core import session as sessions
from gateway.core.model import Account, AccountState, Level, Session, SessionId
from gateway.store.accounts import Credential
from gateway.store.recovery import TicketUsed
from gateway.store.sessions import SessionOver
from gateway.store.store import Store
from gateway.vault import keys
from gateway.work.caller import Caller
from gateway.work.codes import CODE_WRONG, Codes
from gateway.work.credentials import SLOT_BROKEN, Credentials
from gateway.work.devices import Devices
from gateway.work.outcomes import Denied, Grant, no_such_window
from gateway.work.paper import print_paper
from gateway.work.passwords import Stretcher
from gateway.work.record import entry
from gateway.work.sessions import Parked, Rescue, Sessions
from gateway.work.throttle import Throttle

WRONG = Denied("sign_in_failed", "The e-mail address or the password is not right.", 401)
CODE_NOT_DUE = Denied("code_not_due", "No authentication code is due: sign in with e-mail address and password.", 409)
TOO_MANY_MISSES = Denied("too_many_misses", "Too many wrong codes. Sign in again with your password.", 401)
PAPER_ALONE = Denied(
    "paper_alone",
    "The rescue key replaces the password, so the code must come from your authenticator: paper alone never signs in. "
    "If the authenticator is lost as well, ask the administrator for a reset.",
    403,
)
_MAY_SIGN_IN = frozenset({AccountState.ACTIVE, AccountState.DELETING})


class SignIn:
    """The door for people."""

    def __init__(
        self,
        *,
        clock: Clock,
        store: Store,
        stretcher: Stretcher,
        throttle: Throttle,
        devices: Devices,
        credentials: Credentials,
        codes: Codes,
        sessions: Sessions,
        windows_h: tuple[int, ...],
    ) -> None:
        self._clock = clock
        self._store = store
        self._stretcher = stretcher
        self._throttle = throttle
        self._devices = devices
        self._credentials = credentials
        self._codes = codes
        self._sessions = sessions
        self.windows_h = windows_h
        self._decoy_salt = keys.new_salt()

    async def password(self, email: str, password: str, *, caller: Caller, replaces: Session | None) -> Grant | Denied:
        """Check e-mail address and password: the same work and the same answer whether or not the account exists."""
        folded = accounts.fold_email(email)
        account = await self._store.accounts.by_email(folded)
        credential = await self._store.accounts.credential(account.id) if account else None
        known = await self._devices.recognise(caller, account)
        attempt = await self._throttle.password(folded, caller, known=known)
        if isinstance(attempt, Denied):
            return attempt
        salt, costs = (credential.salt, credential.stretching) if credential else (self._decoy_salt, keys.STRETCHING)
        stretched = await self._stretcher.stretch(password, salt, costs, known=bool(known))
        if isinstance(stretched, Denied):
            await self._throttle.undo(attempt)
            return stretched
        right = keys.verify(stretched, credential.verifier if credential else bytes(32))
        if not right or account is None or credential is None or account.state not in _MAY_SIGN_IN:
            who = account.id if account else None
            refused = entry(self._clock.now(), who, caller.peer, "sign_in", factor="password", outcome="refused")
            await self._store.audit.append(refused)
            return WRONG
        await self._throttle.right(attempt)
        parked = Parked(stretched.kek, await self._renewed(account, credential, stretched.kek, password))
        return await self.open(account, caller, replaces, parked)

    async def _renewed(
        self, account: Account, before: Credential, kek: bytes, password: str
    ) -> tuple[Credential, Credential] | None:
        """Return the credential as today's stretching makes it, if it was stretched otherwise; written later."""
        if before.stretching == keys.STRETCHING:
            return None
        identity = await self._credentials.open(account.id, kek)
        salt = keys.new_salt()
        stretched = await self._stretcher.stretch(password, salt, known=True)
        if isinstance(identity, Denied) or isinstance(stretched, Denied):
            return None
        return before, self._credentials.seal(account.id, salt, stretched, identity)

    async def open(
        self, account: Account, caller: Caller, replaces: Session | None, parked: Parked, *, factor: str = "password"
    ) -> Grant:
        """Open the session that a right password (or rescue key) leads to: half-way while a code is due."""
        now = self._clock.now()
        session = sessions.begin(
            account, SessionId(uuid.uuid4().hex), now, peer=caller.peer[:64], client=caller.client[:200]
        )
        audit = entry(now, account.id, caller.peer, "sign_in", factor=factor, session=session.id)
        grant = await self._sessions.admit(account, session, replaces, audit)
        if session.level is Level.LP:
            self._sessions.park(session.id, parked)
            return grant
        await self._rehash(account, parked)
        return replace(grant, device=await self._devices.welcome(caller, account))

    async def _rehash(self, account: Account, parked: Parked) -> None:
        if parked.renewed is not None:
            before, after = parked.renewed
            await self._store.accounts.rehash(account.id, before, after)

    async def code(self, session: Session, code: object, *, window_h: int, caller: Caller) -> Grant | Denied:
        """Check the authentication code of a session that passed the password; a right one opens the gate."""
        account = await self._due(session)
        if isinstance(account, Denied):
            return account
        if window_h not in self.windows_h:
            return no_such_window(self.windows_h)
        burnt = await self._codes.burn(account, code, caller=caller, action="sign_in")
        if burnt is not None:
            return await self._count_miss(session, burnt) if burnt is CODE_WRONG else burnt
        parked = self._sessions.parked(session.id)
        if parked is None:  # another code or a sign-out was faster
            return CODE_NOT_DUE
        if parked.rescue is not None:
            return await self._rescued(account, session, parked.kek, parked.rescue, window_h, caller)
        identity = await self._credentials.open(account.id, parked.kek)
        if isinstance(identity, Denied):
            return SLOT_BROKEN
        grant = await self._verified(account, session, session, identity, window_h, caller)
        if isinstance(grant, Grant):
            await self._rehash(account, parked)
        return grant

    async def _due(self, session: Session) -> Account | Denied:
        """Return the account of a session whose code is due."""
        if session.level is not Level.LP or self._sessions.parked(session.id) is None:
            return CODE_NOT_DUE
        account = await self._store.accounts.get(session.account)
        return WRONG if account is None or account.state not in _MAY_SIGN_IN else account

    async def _verified(
        self,
        account: Account,
        session: Session,
        replaces: Session | None,
        identity: str,
        window_h: int,
        caller: Caller,
    ) -> Grant | Denied:
        """Open the verified session that follows a half-way one."""
        now = self._clock.now()
        after = sessions.verified(
            session, sessions.Event.CODE, SessionId(uuid.uuid4().hex), now, window_h=window_h, epoch=account.auth_epoch
        )
        audit = entry(now, account.id, caller.peer, "sign_in", factor="totp", session=after.id)
        rises = replaces is not None
        try:
            grant = await self._sessions.admit(account, after, replaces, audit, rises=rises, identity=identity)
        except SessionOver:  # another code or a sign-out was faster
            return CODE_NOT_DUE
        return replace(grant, device=await self._devices.welcome(caller, account))

    async def _rescued(
        self, account: Account, session: Session, kek: bytes, rescue: Rescue, window_h: int, caller: Caller
    ) -> Grant | Denied:
        """Make a password reset durable: the rescue key and the authenticator's code together."""
        identity = self._credentials.open_slot(account.id, rescue.credential, kek)
        if isinstance(identity, Denied):
            return identity
        made = print_paper(account.id, identity)
        audit = entry(self._clock.now(), account.id, caller.peer, "password_changed", factor="rescue_key")
        try:
            ended = await self._store.recovery.rescue(account.id, rescue.used, rescue.credential, made.stored, audit)
        except TicketUsed:
            return CODE_NOT_DUE
        self._sessions.over(account.id, ended)
        await self._throttle.open_up(accounts.fold_email(account.email), account.id)
        present = await self._store.accounts.get(account.id)
        grant = await self._verified(present or account, session, None, identity, window_h, caller)
        return replace(grant, paper=made.paper) if isinstance(grant, Grant) else grant

    async def _count_miss(self, session: Session, denied: Denied) -> Denied:
        if await self._store.sessions.miss(session.id) < sessions.LP_MISSES:
            return denied
        audit = entry(self._clock.now(), session.account, "", "session_ended", reason="misses", session=session.id)
        await self._store.sessions.end((session.id,), audit)
        self._sessions.forget((session.id,))
        return TOO_MANY_MISSES

    async def sign_in_code(self, session: Session, text: str, *, caller: Caller) -> Grant | Denied:
        """Check a sign-in code instead; a right one lets the person set up another authenticator, and no more."""
        account = await self._due(session)
        if isinstance(account, Denied):
            return account
        parked = self._sessions.parked(session.id)
        if parked is None or parked.rescue is not None:
            return PAPER_ALONE
        burnt = await self._codes.burn_paper(account, text, caller=caller)
        if burnt is not None:
            return burnt
        now = self._clock.now()
        after = sessions.by_paper(session, SessionId(uuid.uuid4().hex), now)
        audit = entry(now, account.id, caller.peer, "sign_in", factor="sign_in_code", session=after.id)
        try:
            return await self._sessions.admit(account, after, session, audit, rises=True)
        except SessionOver:
            return CODE_NOT_DUE
