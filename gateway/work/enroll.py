"""Two-factor authentication: start, confirm with one code, disable. A registered unit is what makes it available."""

import uuid
from dataclasses import dataclass

import pyotp

from gateway.clock import Clock
from gateway.core import account as accounts
from gateway.core import session as sessions
from gateway.core import totp
from gateway.core.model import Account, AccountId, Level, Session, SessionId, TwoFactor
from gateway.store.accounts import EnrolmentOver, PendingFactor
from gateway.store.store import Store
from gateway.vault import keys
from gateway.vault.device import DeviceKey
from gateway.work.hub import Hub
from gateway.work.outcomes import Denied, Grant
from gateway.work.passwords import Stretcher
from gateway.work.record import entry
from gateway.work.signin import CODE_SHAPE, CODE_WRONG, WRONG, SignIn

ISSUER = "ScanSnap Gateway"
_WHY = {
    accounts.Refused.NO_UNIT: "You need to register a ScanSnap unit with this account first.",
    accounts.Refused.ALREADY_ON: "Two-factor authentication is on already.",
    accounts.Refused.NOT_ON: "Two-factor authentication is not on.",
}
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
        self, *, clock: Clock, store: Store, device: DeviceKey, stretcher: Stretcher, signin: SignIn, hub: Hub
    ) -> None:
        self._clock = clock
        self._store = store
        self._device = device
        self._stretcher = stretcher
        self._signin = signin
        self._hub = hub
        self._shares: dict[AccountId, tuple[SessionId, bytes]] = {}

    async def availability(self, account: Account) -> Availability:
        """Return whether two-factor can be enabled, or once on disabled, now."""
        units = await self._store.units.count(account.id)
        on = account.two_factor not in (TwoFactor.OFF, TwoFactor.PENDING)
        decide = accounts.may_disable if on else accounts.may_enable
        refused = decide(account.two_factor, units)
        return Availability(refused is None, "disable" if on else "enable", _WHY[refused] if refused else "")

    async def start(self, session: Session, password: str, *, peer: str) -> Enrolment | Denied:
        """Make a new secret, valid for 10 minutes and for this session; an older one is void."""
        account = await self._store.accounts.get(session.account)
        if account is None:
            return WRONG
        refused = accounts.may_enable(account.two_factor, await self._store.units.count(account.id))
        if refused:
            return _refused(refused)
        kek = await self._fresh_password(account, password, peer)
        if isinstance(kek, Denied):
            return kek
        secret = pyotp.random_base32(length=totp.SECRET_CHARACTERS)
        sealed = self._device.seal(secret.encode(), table="accounts", column="totp_secret", account=account.id)
        await self._store.accounts.start_pending(
            PendingFactor(account.id, session.id, sealed, self._clock.now().utc, tries=0)
        )
        self._shares[account.id] = (session.id, kek)
        self._hub.tell(account.id, "account")
        return Enrolment(secret, totp.uri(secret, email=account.email, issuer=ISSUER))

    async def _fresh_password(self, account: Account, password: str, peer: str) -> bytes | Denied:
        credential = await self._store.accounts.credential(account.id)
        if credential is None:
            return WRONG
        stretched = await self._stretcher.stretch(password, credential.salt)
        if isinstance(stretched, Denied):
            return stretched
        if keys.verify(stretched, credential.verifier):
            return stretched.kek
        await self._store.audit.append(
            entry(self._clock.now(), account.id, peer, "step_up", factor="password", outcome="refused")
        )
        return Denied("password_wrong", "The password is not right.", 401)

    async def confirm(self, session: Session, code: object, *, window_h: int, peer: str) -> Grant | Denied:
        """Switch two-factor on with one right code; this session rises to L2, every other one ends."""
        if window_h not in sessions.WINDOWS_H:
            return Denied("unusable", f"A forwarding window is one of {sessions.WINDOWS_H} hours.", 422)
        if not isinstance(code, str):
            return CODE_SHAPE
        account = await self._store.accounts.get(session.account)
        pending = await self._store.accounts.pending(session.account)
        holder, kek = self._shares.get(session.account, (None, b""))
        now = self._clock.now()
        if account is None or pending is None or pending.session != session.id or holder != session.id:
            return NOT_PENDING
        if now.utc - pending.started_at >= accounts.PENDING_SPAN or session.level is not Level.L1:
            return await self._lapse(account.id)
        if accounts.may_enable(account.two_factor, await self._store.units.count(account.id)):
            return await self._lapse(account.id)
        step = totp.match(self._signin.open_secret(account.id, pending.sealed_secret), code, now)
        if step is None:
            missed = await self._store.accounts.miss_pending(account.id)
            return await self._lapse(account.id) if missed >= accounts.PENDING_TRIES else CODE_WRONG
        return await self._activate(account, session, pending, step, kek, window_h, peer)

    async def _activate(
        self,
        account: Account,
        session: Session,
        pending: PendingFactor,
        step: int,
        kek: bytes,
        window_h: int,
        peer: str,
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
        opened = await self._signin.open_identity(account, kek, after.id)
        if opened is not None:
            return opened
        token = self._signin.new_token()
        try:
            ended = await self._store.accounts.activate(
                account.id,
                sealed_secret=pending.sealed_secret,
                step=step,
                acting=session.id,
                successor=after,
                token_hash=token.hash,
                at=now.utc,
                audit=entry(now, account.id, peer, "two_factor_enabled", factor="totp"),
            )
        except EnrolmentOver:  # the same form twice: one of them did it
            self._signin.forget((after.id,))
            return NOT_PENDING
        except BaseException:
            self._signin.forget((after.id,))
            raise
        self._shares.pop(account.id, None)
        self._signin.forget(ended)
        enabled = await self._store.accounts.get(account.id)
        for topic in ("account", "scans"):
            self._hub.tell(account.id, topic)
        return Grant(token.text, after, enabled or account)

    async def _lapse(self, account: AccountId) -> Denied:
        self._shares.pop(account, None)
        await self._store.accounts.clear_pending(account)
        self._hub.tell(account, "account")
        return NOT_PENDING

    async def disable(self, session: Session, password: str, code: object, *, held: int, peer: str) -> Denied | None:
        """Switch two-factor off: password, unused code, and the held count that the owner saw; ends all sessions."""
        account = await self._store.accounts.get(session.account)
        if account is None:
            return WRONG
        refused = accounts.may_disable(account.two_factor, await self._store.units.count(account.id))
        if refused:
            return _refused(refused)
        waiting = await self._store.deliveries.waiting_scans(account.id)
        if held != waiting:
            return Denied("held_count", f"The number of held scans is {waiting} now; acknowledge that.", 409)
        kek = await self._fresh_password(account, password, peer)
        if isinstance(kek, Denied):
            return kek
        burnt = await self._signin.burn(account, code, peer=peer, action="two_factor_disabled")
        if burnt is not None:
            return burnt
        now = self._clock.now()
        ended = await self._store.accounts.disable_factor(
            account.id, at=now.utc, audit=entry(now, account.id, peer, "two_factor_disabled", factor="totp")
        )
        self._signin.forget(ended)
        for topic in ("account", "scans"):
            self._hub.tell(account.id, topic)
        return None
