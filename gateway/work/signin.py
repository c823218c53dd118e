"""Signing in and out: password, then code. Every rise in level is a new session with a new token."""

import asyncio
import hashlib
import secrets
import uuid
from dataclasses import dataclass

from gateway.clock import Clock
from gateway.core import account as accounts
from gateway.core import session as sessions
from gateway.core import totp
from gateway.core.model import (
    Account,
    AccountId,
    AccountState,
    Instant,
    Level,
    Session,
    SessionId,
    TwoFactor,
)
from gateway.store.accounts import Credential
from gateway.store.audit import AuditEntry
from gateway.store.sessions import SessionOver
from gateway.store.store import Store
from gateway.vault import keys
from gateway.vault.device import DeviceKey, TamperedError
from gateway.vault.keyring import Keyring
from gateway.work.hub import Hub
from gateway.work.outcomes import Denied, Grant
from gateway.work.passwords import SLOT_BROKEN, Stretcher
from gateway.work.record import entry
from gateway.work.setup import SetupToken

WRONG = Denied("sign_in_failed", "The e-mail address or the password is not right.", 401)
CODE_WRONG = Denied("code_wrong", "That authentication code is not right.", 401)
CODE_USED = Denied("code_used", "That authentication code was used already. Wait for the next one.", 401)
CODE_SHAPE = Denied("code_malformed", "An authentication code is six digits, sent as a string.", 422)
CODE_NOT_DUE = Denied("code_not_due", "No authentication code is due: sign in with e-mail address and password.", 409)
TOO_MANY_MISSES = Denied("too_many_misses", "Too many wrong codes. Sign in again with your password.", 401)


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


def token_hash(token: str) -> str:
    """Return what the database holds of a session token; what a header holds beside ASCII hashes, too."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


class SignIn:
    """The door for people."""

    def __init__(
        self,
        *,
        clock: Clock,
        store: Store,
        device: DeviceKey,
        keyring: Keyring,
        stretcher: Stretcher,
        setup: SetupToken,
        hub: Hub,
    ) -> None:
        self._clock = clock
        self._store = store
        self._device = device
        self._keyring = keyring
        self._stretcher = stretcher
        self._setup = setup
        self._setting_up = asyncio.Lock()
        self._hub = hub
        self._shares: dict[SessionId, bytes] = {}
        self._decoy_salt = keys.new_salt()

    async def setup_required(self) -> bool:
        """Tell whether no account exists yet."""
        return await self._store.accounts.count() == 0

    async def create_first_account(self, token: str, email: str, password: str, *, peer: str) -> Grant | Denied:
        """Create the first account with the set-up token and sign it in; one attempt at a time."""
        async with self._setting_up:
            return await self._create_first(token, email, password, peer)

    async def _create_first(self, token: str, email: str, password: str, peer: str) -> Grant | Denied:
        if not await self.setup_required():
            return Denied("already_set_up", "This gateway has its first account already.", 409)
        if self._setup.spent():
            return Denied("too_many_tries", "Too many wrong set-up tokens. Wait a quarter of an hour.", 429)
        if not self._setup.fits(token):
            return Denied("setup_token_wrong", "The set-up token is wrong or too old; renew it on the console.", 403)
        fault = accounts.email_fault(email.strip()) or keys.password_fault(password, email)
        if fault:
            return Denied("unusable", fault, 422)
        made = await self._create(email.strip(), password, peer)
        if isinstance(made, Denied):
            return made
        self._setup.burn()
        return await self._open(made, None, peer)

    async def _create(self, email: str, password: str, peer: str) -> Account | Denied:
        salt = keys.new_salt()
        stretched = await self._stretcher.stretch(password, salt)
        if isinstance(stretched, Denied):
            return stretched
        now = self._clock.now()
        account_id = AccountId(uuid.uuid4().hex)
        identity = keys.new_identity()
        slot = keys.seal_password_slot(identity.secret, stretched.kek, keys.share(self._device, account_id), account_id)
        account = Account(
            id=account_id,
            email=email,
            state=AccountState.ACTIVE,
            two_factor=TwoFactor.OFF,
            auth_epoch=1,
            recipient=identity.recipient,
            created_at=now.utc,
        )
        credential = Credential(salt=salt, verifier=stretched.verifier, slot=slot)
        await self._store.accounts.create(account, credential, entry(now, account_id, peer, "account_created"))
        return account

    async def password(self, email: str, password: str, *, peer: str, replaces: Session | None) -> Grant | Denied:
        """Check e-mail address and password: the same work and the same answer whether or not the account exists."""
        account = await self._store.accounts.by_email(accounts.fold_email(email))
        credential = await self._store.accounts.credential(account.id) if account else None
        stretched = await self._stretcher.stretch(password, credential.salt if credential else self._decoy_salt)
        if isinstance(stretched, Denied):
            return stretched
        verifier = credential.verifier if credential else bytes(32)
        right = keys.verify(stretched, verifier)
        if not right or account is None or account.state is not AccountState.ACTIVE:
            who = account.id if account else None
            await self._store.audit.append(
                entry(self._clock.now(), who, peer, "sign_in", factor="password", outcome="refused")
            )
            return WRONG
        grant = await self._open(account, replaces, peer)
        if grant.session.level is Level.LP:
            self._park(grant.session.id, stretched.kek)
        return grant

    def _park(self, session: SessionId, kek: bytes) -> None:
        while len(self._shares) >= 32:  # as many LP sessions as an account may have: the oldest makes room
            self._shares.pop(next(iter(self._shares)))
        self._shares[session] = kek

    async def _open(self, account: Account, replaces: Session | None, peer: str) -> Grant:
        now = self._clock.now()
        session = sessions.begin(account, SessionId(uuid.uuid4().hex), now)
        return await self.admit(account, session, replaces, entry(now, account.id, peer, "sign_in", factor="password"))

    async def admit(
        self, account: Account, session: Session, replaces: Session | None, audit: AuditEntry, *, rises: bool = False
    ) -> Grant:
        """Write a session's row, ending the one it replaces, and make its token.

        `rises`: SessionOver unless the one it replaces is live.
        """
        token = self.new_token()
        same = replaces if replaces is not None and replaces.account == account.id else None
        ended = await self._store.sessions.create(
            session, token.hash, audit, ended=same.id if same else None, rises=rises
        )
        if replaces is not None and same is None:
            await self._store.sessions.end((replaces.id,), audit)
            ended += (replaces.id,)
        self.forget(ended)
        self._hub.tell(account.id, "account")
        return Grant(token.text, session, account)

    @staticmethod
    def new_token() -> Token:
        """Make a token of 256 random bits."""
        text = secrets.token_urlsafe(32)
        return Token(text, token_hash(text))

    def forget(self, ended: tuple[SessionId, ...]) -> None:
        """Take ended sessions' keys out of memory."""
        for session in ended:
            self._shares.pop(session, None)
            self._keyring.drop_session(session)

    async def code(self, session: Session, code: object, *, window_h: int, peer: str) -> Grant | Denied:
        """Check the authentication code of a session that passed the password; a right one opens the gate."""
        now = self._clock.now()
        if session.level is not Level.LP or session.id not in self._shares:
            return CODE_NOT_DUE
        if window_h not in sessions.WINDOWS_H:
            return Denied("unusable", f"A forwarding window is one of {sessions.WINDOWS_H} hours.", 422)
        account = await self._store.accounts.get(session.account)
        if account is None or account.state is not AccountState.ACTIVE:
            return WRONG
        burnt = await self.burn(account, code, peer=peer, action="sign_in")
        if isinstance(burnt, Denied):
            return await self._count_miss(session, burnt, now) if burnt is CODE_WRONG else burnt
        after = sessions.verified(
            session, sessions.Event.CODE, SessionId(uuid.uuid4().hex), now, window_h=window_h, epoch=account.auth_epoch
        )
        kek = self._shares.get(session.id)
        if kek is None:  # another code or a sign-out was faster
            return CODE_NOT_DUE
        opened = await self.open_identity(account, kek, after.id)
        if opened is not None:
            return opened
        audit = entry(now, account.id, peer, "sign_in", factor="totp")
        try:
            grant = await self.admit(account, after, session, audit, rises=True)
        except SessionOver:  # likewise
            self.forget((after.id,))
            return CODE_NOT_DUE
        except BaseException:
            self.forget((after.id,))
            raise
        self._hub.tell(account.id, "scans")
        return grant

    async def burn(self, account: Account, code: object, *, peer: str, action: str) -> Denied | None:
        """Check a code against the account's factor and use it up; None if it was right and unused."""
        if not isinstance(code, str):
            return CODE_SHAPE
        factor = await self._store.accounts.factor(account.id)
        now = self._clock.now()
        step = None
        if factor is not None:
            step = totp.match(self.open_secret(account.id, factor.sealed_secret), code, now)
        if step is None:
            answer = CODE_WRONG
        elif not await self._store.accounts.burn_step(account.id, step):
            answer = CODE_USED
        else:
            return None
        await self._store.audit.append(
            entry(now, account.id, peer, action, factor="totp", outcome="refused", reason=answer.reason)
        )
        return answer

    async def _count_miss(self, session: Session, denied: Denied, now: Instant) -> Denied:
        if await self._store.sessions.miss(session.id) < sessions.LP_MISSES:
            return denied
        audit = entry(now, session.account, "", "session_ended", reason="misses")
        await self._store.sessions.end((session.id,), audit)
        self.forget((session.id,))
        return TOO_MANY_MISSES

    def open_secret(self, account: AccountId, sealed: bytes) -> str:
        """Unseal a stored TOTP secret."""
        return self._device.unseal(sealed, table="accounts", column="totp_secret", account=account).decode()

    async def open_identity(self, account: Account, kek: bytes, session: SessionId) -> Denied | None:
        """Open the account's identity into the keyring for one verified session."""
        credential = await self._store.accounts.credential(account.id)
        if credential is None:
            return SLOT_BROKEN
        try:
            share = keys.share(self._device, account.id)
            secret = keys.open_password_slot(credential.slot, kek, share, account.id)
        except (keys.SlotError, TamperedError):
            return SLOT_BROKEN
        self._keyring.admit(account.id, session, secret)
        return None

    async def whois(self, token: str, *, acts: bool) -> Visitor | None:
        """Return whose token this is, if its session lives; `acts` counts as activity of the person."""
        session = await self._store.sessions.by_token(token_hash(token))
        account = await self._store.accounts.get(session.account) if session else None
        if session is None or account is None:
            return None
        now = self._clock.now()
        if not sessions.lives(session, account, now):
            return None
        locked = session.level is Level.L2 and sessions.locked(session, now)
        if acts and not locked:
            await self._store.sessions.touch(session.id, now.after(sessions.IDLE_SPAN))
        return Visitor(session, account, locked)

    async def sign_out(self, session: Session, *, everywhere: bool, peer: str) -> None:
        """End this session, or all of the account's: the gate shuts and the keys leave memory at once."""
        now = self._clock.now()
        audit = entry(now, session.account, peer, "sign_out", reason="everywhere" if everywhere else "this device")
        ended: tuple[SessionId, ...] = (session.id,)
        if everywhere:
            ended = await self._store.sessions.end_all_of(session.account, audit)
        else:
            await self._store.sessions.end(ended, audit)
        self.forget(ended)
        for topic in ("account", "scans"):
            self._hub.tell(session.account, topic)
