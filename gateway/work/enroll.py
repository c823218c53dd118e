"""Two-factor authentication: start, confirm with one code, replace the authenticator, disable.

A registered unit is what makes it available. Confirming prints new paper: ten sign-in codes and a new rescue key.
"""

import uuid
from dataclasses import dataclass

import pyotp

from gateway.clock import Clock
from gateway.core import account as accounts
from gateway.core import session as sessions
from gateway.core import totp
from gateway.core.model import Account, AccountId, Level, Session, SessionId, TwoFactor
from gateway.store.factors import EnrolmentOver, PendingFactor
from gateway.store.store import Store
from gateway.work.caller import Caller
from gateway.work.codes import CODE_SHAPE, CODE_WRONG, Codes
from gateway.work.credentials import Credentials
from gateway.work.devices import Devices
from gateway.work.outcomes import NOT_FOUND, Denied, Grant, no_such_window
from gateway.work.paper import print_paper
from gateway.work.record import entry
from gateway.work.sessions import Sessions
from gateway.work.timekeeper import Timekeeper

ISSUER = "ScanSnap Gateway"
_WHY = {
    accounts.Refused.NO_UNIT: "You need to register a ScanSnap unit with this account first.",
    accounts.Refused.ALREADY_ON: "Two-factor authentication is on already.",
    accounts.Refused.NOT_ON: "Two-factor authentication is not on.",
}
_ENABLES, _ROTATES = frozenset({Level.L1}), frozenset({Level.L2, Level.LR})
NOT_PENDING = Denied("enrolment_over", "This enrolment is over. Start again.", 409)


@dataclass(frozen=True, slots=True)
class Availability:
    """What [Account setting] shows: the action, whether it can be chosen, and why not."""

    enabled: bool
    action: str
    why: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the authenticator needs: the secret key (base32) and the URI of the QR code."""

    secret: str
    uri: str


def _refused(why: accounts.Refused) -> Denied:
    return Denied(why.value, _WHY[why], 409)


class Enroll:
    """The two-factor desk."""

    def __init__(
        self,
        *,
        clock: Clock,
        store: Store,
        codes: Codes,
        credentials: Credentials,
        devices: Devices,
        sessions: Sessions,
        timekeeper: Timekeeper,
        windows_h: tuple[int, ...],
    ) -> None:
        self._clock = clock
        self._store = store
        self._codes = codes
        self._credentials = credentials
        self._devices = devices
        self._sessions = sessions
        self._timekeeper = timekeeper
        self.windows_h = windows_h
        self._shares: dict[AccountId, tuple[SessionId, bytes]] = {}

    async def availability(self, account: Account) -> Availability:
        """Return whether two-factor can be enabled, or once on disabled, now."""
        units = await self._store.units.count(account.id)
        on = account.two_factor not in (TwoFactor.OFF, TwoFactor.PENDING)
        decide = accounts.may_disable if on else accounts.may_enable
        refused = decide(account.two_factor, units)
        return Availability(refused is None, "disable" if on else "enable", _WHY[refused] if refused else "")

    async def start(
        self, session: Session, password: str, *, caller: Caller, replaces: bool = False
    ) -> Enrolment | Denied:
        """Make a new secret, valid for 10 minutes and for this session; an older one is void.

        `replaces`: of an account that has two-factor on, for a verified session or one by a sign-in code.
        """
        account = await self._store.accounts.get(session.account)
        if account is None:
            return NOT_FOUND
        refused = await self._refusal(account, session, replaces)
        if refused is not None:
            return refused
        kek = await self._credentials.check(account, password, caller)
        if isinstance(kek, Denied):
            return kek
        was = await self._was(account)
        after = TwoFactor.PENDING if was is TwoFactor.OFF else TwoFactor.ROTATING
        secret = pyotp.random_base32(length=totp.SECRET_CHARACTERS)
        sealed = self._codes.seal_secret(account.id, secret)
        pending = PendingFactor(account.id, session.id, sealed, self._clock.now().utc, tries=0, was=was)
        if not await self._store.factors.start_pending(pending, after):
            return NOT_PENDING
        self._shares[account.id] = (session.id, kek)
        self._sessions.tell(account.id)
        return Enrolment(secret, totp.uri(secret, email=account.email, issuer=ISSUER))

    async def _refusal(self, account: Account, session: Session, replaces: bool) -> Denied | None:
        """Return why this session cannot begin to set up an authenticator now, or None."""
        if replaces and session.level in _ROTATES:
            refused = accounts.may_rotate(account.two_factor)
        else:
            refused = accounts.may_enable(account.two_factor, await self._store.units.count(account.id))
        return _refused(refused) if refused else None

    async def _was(self, account: Account) -> TwoFactor:
        """Return the state to go back to when nothing comes of it."""
        pending = await self._store.factors.pending(account.id)
        return pending.was if pending else account.two_factor

    async def confirm(self, session: Session, code: object, *, window_h: int, caller: Caller) -> Grant | Denied:
        """Switch the new authenticator on with one right code; this session rises to L2, every other one ends."""
        if window_h not in self.windows_h:
            return no_such_window(self.windows_h)
        if not isinstance(code, str):
            return CODE_SHAPE
        refused = self._timekeeper.refusal()
        if refused is not None:
            return refused
        account = await self._store.accounts.get(session.account)
        pending = await self._store.factors.pending(session.account)
        holder, kek = self._shares.get(session.account, (None, b""))
        now = self._clock.now()
        if account is None or pending is None or pending.session != session.id or holder != session.id:
            return NOT_PENDING
        enables = pending.was is TwoFactor.OFF
        if now.utc - pending.started_at >= accounts.PENDING_SPAN or session.level not in (
            _ENABLES if enables else _ROTATES
        ):
            return await self._lapse(pending)
        if enables and accounts.may_enable(account.two_factor, await self._store.units.count(account.id)):
            return await self._lapse(pending)
        step = totp.match(self._codes.open_secret(account.id, pending.sealed_secret), code, now)
        if step is None:
            missed = await self._store.factors.miss_pending(account.id)
            return await self._lapse(pending) if missed >= accounts.PENDING_TRIES else CODE_WRONG
        return await self._activate(account, session, pending, step, kek, window_h, caller)

    async def _activate(
        self,
        account: Account,
        session: Session,
        pending: PendingFactor,
        step: int,
        kek: bytes,
        window_h: int,
        caller: Caller,
    ) -> Grant | Denied:
        now = self._clock.now()
        after = sessions.verified(
            session,
            sessions.Event.ENROLLED,
            SessionId(uuid.uuid4().hex),
            now,
            window_h=window_h,
            epoch=account.auth_epoch + 1,
        )
        identity = await self._credentials.open(account.id, kek)
        if isinstance(identity, Denied):
            return identity
        printed, token = print_paper(account.id, identity, with_codes=True), self._sessions.new_token()
        action = "two_factor_enabled" if pending.was is TwoFactor.OFF else "authenticator_replaced"
        try:
            async with self._sessions.holding(account.id, after.id, token, identity):
                ended = await self._store.factors.activate(
                    pending,
                    before=account.two_factor,
                    step=step,
                    successor=after,
                    token_hash=token.hash,
                    paper=printed.stored,
                    audit=entry(now, account.id, caller.peer, action, factor="totp", session=after.id),
                )
        except EnrolmentOver:  # the same form twice: one of them did it
            return NOT_PENDING
        self._shares.pop(account.id, None)
        self._sessions.over(account.id, ended)
        enabled = await self._store.accounts.get(account.id) or account
        device = await self._devices.welcome(caller, enabled)
        return Grant(token.text, after, enabled, device=device, paper=printed.paper)

    async def _lapse(self, pending: PendingFactor) -> Denied:
        self._shares.pop(pending.account, None)
        await self._store.factors.clear_pending(pending)
        self._sessions.tell(pending.account)
        return NOT_PENDING

    async def sweep(self) -> None:
        """End what was begun and not confirmed within its time, nor will be: its session is over, or lost its keys."""
        now, live = self._clock.now().utc, await self._store.sessions.live()
        for pending in await self._store.factors.all_pending():
            holder = self._shares.get(pending.account, (None, b""))[0]
            over = pending.session not in live or holder != pending.session
            if over or now - pending.started_at >= accounts.PENDING_SPAN:
                await self._lapse(pending)

    async def disable(
        self, session: Session, password: str, code: object, *, held: int, caller: Caller
    ) -> Denied | None:
        """Switch two-factor off: password, unused code, and the held count that the owner saw; ends all sessions."""
        account = await self._store.accounts.get(session.account)
        if account is None:
            return NOT_FOUND
        refused = accounts.may_disable(account.two_factor, await self._store.units.count(account.id))
        if refused:
            return _refused(refused)
        waiting = await self._store.deliveries.waiting_scans(account.id)
        if held != waiting:
            return Denied("held_count", f"The number of held scans is {waiting} now; acknowledge that.", 409)
        kek = await self._credentials.check(account, password, caller)
        if isinstance(kek, Denied):
            return kek
        burnt = await self._codes.burn(account, code, caller=caller, action="two_factor_disabled")
        if burnt is not None:
            return burnt
        audit = entry(
            self._clock.now(), account.id, caller.peer, "two_factor_disabled", factor="totp", session=session.id
        )
        self._sessions.over(account.id, await self._store.factors.disable(account.id, audit))
        return None
