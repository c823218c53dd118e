"""Lost password, lost authenticator, lost both: the rescue key, new paper, and the administrator's reset."""

from dataclasses import replace

from gateway.clock import Clock
from gateway.core import account as accounts
from gateway.core import paper
from gateway.core.model import Account, AccountId, AccountState, Session, TwoFactor
from gateway.store.recovery import RescueSlot, TicketUsed
from gateway.store.store import Store
from gateway.vault import keys
from gateway.work.caller import Caller
from gateway.work.credentials import SLOT_BROKEN, Credentials
from gateway.work.founding import ticket_hash
from gateway.work.outcomes import Denied, Grant, Paper
from gateway.work.paper import print_paper
from gateway.work.record import entry
from gateway.work.sessions import Parked, Rescue, Sessions
from gateway.work.signin import SignIn
from gateway.work.throttle import Throttle

RESCUE_WRONG = Denied("rescue_failed", "The e-mail address or the rescue key is not right.", 401)
NOT_THE_KEY = Denied("rescue_key_wrong", "That is not the rescue key that was shown last.", 422)
NO_OLD_KEY = Denied("rescue_key_unknown", "No earlier scans of this account open with that rescue key.", 422)
ACCOUNT_DISABLED = Denied(
    "account_disabled", "The administrator has disabled this account. Once it is enabled, the ticket is good.", 403
)
TICKET_OVER = Denied("ticket_over", "This reset ticket is wrong, used, or over. Ask for a new one.", 403)
_NEEDS_CODE = frozenset({TwoFactor.ACTIVE, TwoFactor.SUSPENDED, TwoFactor.ROTATING})
_NOBODY = AccountId("0" * 32)  # for whom an unknown e-mail address costs the same work
RESET, RESET_NEW_KEYS = "account_was_reset", "account_was_reset_new_keys"


class Recovery:
    """The desk of lost things."""

    def __init__(
        self,
        *,
        clock: Clock,
        store: Store,
        throttle: Throttle,
        credentials: Credentials,
        sessions: Sessions,
        signin: SignIn,
    ) -> None:
        self._clock = clock
        self._store = store
        self._throttle = throttle
        self._credentials = credentials
        self._sessions = sessions
        self._signin = signin

    async def rescue(
        self, email: str, rescue_key: str, password: str, *, caller: Caller, replaces: Session | None
    ) -> Grant | Denied:
        """Replace a forgotten password by the rescue key; the same work and answer for an unknown e-mail address.

        With two-factor on nothing changes before the authenticator's code: the session is half-way until then.
        """
        folded, typed = accounts.fold_email(email), paper.read(rescue_key)
        attempt = await self._throttle.paper(folded, caller)
        if isinstance(attempt, Denied):
            return attempt
        account = await self._store.accounts.by_email(folded)
        slot = await self._fitting(account, typed)
        identity = self._open(account, slot, typed)
        made = await self._credentials.make(account.id if account else _NOBODY, email, password, identity or "")
        if isinstance(made, Denied):
            await self._throttle.undo(attempt)
            return made
        if account is None or slot is None or identity is None or account.state is AccountState.DISABLED:
            who = account.id if account else None
            refused = entry(self._clock.now(), who, caller.peer, "sign_in", factor="rescue_key", outcome="refused")
            await self._store.audit.append(refused)
            return RESCUE_WRONG
        await self._throttle.right(attempt)
        rescue = Rescue(slot.rescue_hash, made.credential)
        if account.two_factor in _NEEDS_CODE:
            parked = Parked(made.kek, rescue=rescue)
            return await self._signin.open(account, caller, replaces, parked, factor="rescue_key")
        return await self._replace(account, rescue, identity, caller)

    async def _fitting(self, account: Account | None, typed: str | None) -> RescueSlot | None:
        """Return the present identity's slot if this is its rescue key."""
        if account is None or typed is None:
            return None
        slots = await self._store.recovery.rescue_slots(account.id)
        digest = keys.paper_hash(typed)
        return next((s for s in slots if s.key_epoch == account.key_epoch and s.rescue_hash == digest), None)

    @staticmethod
    def _open(account: Account | None, slot: RescueSlot | None, typed: str | None) -> str | None:
        if account is None or slot is None or typed is None:
            return None
        try:
            return keys.open_rescue_slot(slot.slot, typed, account.id)
        except keys.SlotError:
            return None

    async def _replace(self, account: Account, rescue: Rescue, identity: str, caller: Caller) -> Grant | Denied:
        """Make the new password durable at once: no code is due."""
        printed = print_paper(account.id, identity)
        audit = entry(self._clock.now(), account.id, caller.peer, "password_changed", factor="rescue_key")
        try:
            ended = await self._store.recovery.rescue(account.id, rescue.used, rescue.credential, printed.stored, audit)
        except TicketUsed:
            return RESCUE_WRONG
        self._sessions.over(account.id, ended)
        await self._throttle.open_up(accounts.fold_email(account.email), account.id)
        return await self._enter(account, Parked(), printed.paper, caller, "rescue_key")

    async def _enter(self, account: Account, parked: Parked, shown: Paper, caller: Caller, factor: str) -> Grant:
        """Open a session after everything was changed, and show the new paper with it."""
        present = await self._store.accounts.get(account.id)
        return replace(await self._signin.open(present or account, caller, None, parked, factor=factor), paper=shown)

    async def print(self, session: Session, password: str, *, caller: Caller) -> Paper | Denied:
        """Print new paper: a new rescue key, and with two-factor on ten new sign-in codes; the old ones are void."""
        account = await self._store.accounts.get(session.account)
        if account is None:
            return RESCUE_WRONG
        kek = await self._credentials.check(account, password, caller)
        if isinstance(kek, Denied):
            return kek
        identity = await self._credentials.open(account.id, kek)
        if isinstance(identity, Denied):
            return identity
        printed = print_paper(account.id, identity, with_codes=account.two_factor in _NEEDS_CODE)
        audit = entry(self._clock.now(), account.id, caller.peer, "paper_printed", session=session.id)
        await self._store.recovery.print(account.id, printed.stored, audit)
        self._sessions.tell(account.id)
        return printed.paper

    async def keep(self, session: Session, typed: str, *, caller: Caller) -> Denied | None:
        """Note that the owner has the rescue key on paper: it was typed once more."""
        key = paper.read(typed)
        audit = entry(self._clock.now(), session.account, caller.peer, "rescue_key_kept", session=session.id)
        if key is None or not await self._store.recovery.kept(session.account, keys.paper_hash(key), audit):
            return NOT_THE_KEY
        self._sessions.tell(session.account)
        return None

    async def codes_left(self, account: AccountId) -> int:
        """Return how many sign-in codes the account's paper still has."""
        return await self._store.factors.codes_left(account)

    async def reset(self, ticket: str, password: str, *, caller: Caller, rescue_key: str = "") -> Grant | Denied:
        """Carry out the administrator's reset: a new password, and with the rescue key the old scans stay open.

        Without it a new key epoch begins: what was sealed before opens again once the rescue key is typed.
        """
        found = await self._store.recovery.ticket("reset", ticket_hash(ticket), self._clock.now().utc)
        account = await self._store.accounts.get(found.account) if found and found.account else None
        if found is None or account is None:
            return TICKET_OVER
        if account.state is AccountState.DISABLED:
            return ACCOUNT_DISABLED
        typed = paper.read(rescue_key)
        slot = await self._fitting(account, typed)
        kept = self._open(account, slot, typed)
        if rescue_key.strip() and kept is None:
            return Denied("rescue_key_wrong", "The rescue key is not right. Leave it empty if it is lost.", 422)
        made = keys.new_identity()
        identity = made.secret if kept is None else kept
        new = await self._credentials.make(account.id, account.email, password, identity)
        if isinstance(new, Denied):
            return new
        printed = print_paper(account.id, identity)
        audit = entry(self._clock.now(), account.id, caller.peer, "account_reset", factor="ticket")
        try:
            ended = await self._store.recovery.reset(
                found,
                account.id,
                new.credential,
                printed.stored,
                audit,
                recipient=made.recipient if kept is None else None,
                banner=RESET_NEW_KEYS if kept is None else RESET,
            )
        except TicketUsed:
            return TICKET_OVER
        self._sessions.over(account.id, ended)
        await self._throttle.open_up(accounts.fold_email(account.email), account.id)
        return await self._enter(account, Parked(new.kek), printed.paper, caller, "ticket")

    async def regain(self, session: Session, rescue_key: str, password: str, *, caller: Caller) -> Paper | Denied:
        """Open the scans of an earlier key epoch again with its rescue key; new paper holds all identities."""
        account = await self._store.accounts.get(session.account)
        typed = paper.read(rescue_key)
        if account is None or typed is None:
            return NO_OLD_KEY
        slots = await self._store.recovery.rescue_slots(account.id)
        digest = keys.paper_hash(typed)
        old = next((s for s in slots if s.key_epoch != account.key_epoch and s.rescue_hash == digest), None)
        regained = self._open(account, old, typed)
        if old is None or regained is None:
            return NO_OLD_KEY
        kek = await self._credentials.check(account, password, caller)
        if isinstance(kek, Denied):
            return kek
        present = await self._credentials.open(account.id, kek)
        credential = await self._store.accounts.credential(account.id)
        if isinstance(present, Denied) or credential is None:
            return SLOT_BROKEN
        identity = "\n".join((present, regained))
        printed = print_paper(account.id, identity)
        audit = entry(self._clock.now(), account.id, caller.peer, "scans_regained", session=session.id)
        sealed = self._credentials.reseal(account.id, credential, kek, identity)
        if not await self._store.recovery.regain(account.id, old, sealed, printed.stored, audit):
            return NO_OLD_KEY
        self._sessions.widen(account.id, identity)
        return printed.paper
