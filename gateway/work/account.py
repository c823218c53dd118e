"""What an owner does with the account as a whole: password, e-mail address, deletion, and looking back."""

from gateway.clock import Clock
from gateway.core import account as accounts
from gateway.core.model import Account, AccountId, AccountState, Session
from gateway.store.accounts import EmailTaken
from gateway.store.audit import AuditRow
from gateway.store.store import Store
from gateway.vault import keys
from gateway.work.caller import Caller
from gateway.work.credentials import Credentials
from gateway.work.outcomes import NOT_FOUND, Denied
from gateway.work.record import entry
from gateway.work.sessions import Sessions

EMAIL_UNUSABLE = Denied("email_unusable", "This e-mail address cannot be used.", 422)
NOT_YOURS = Denied("email_differs", "That is not the e-mail address of this account.", 422)
NOT_ACTIVE = Denied("account_not_active", "The account is being deleted.", 409)
NOT_DELETING = Denied("not_deleting", "The account is not being deleted.", 409)


class AccountDesk:
    """The owner's actions; each of them that changes how one signs in ends every session at once."""

    def __init__(self, *, clock: Clock, store: Store, credentials: Credentials, sessions: Sessions) -> None:
        self._clock = clock
        self._store = store
        self._credentials = credentials
        self._sessions = sessions

    async def change_password(self, session: Session, old: str, new: str, *, caller: Caller) -> Denied | None:
        """Change the password; the scans stay sealed to the same identity, only its slot is made anew."""
        account = await self._store.accounts.get(session.account)
        if account is None:
            return NOT_FOUND
        fault = keys.password_fault(new, account.email)
        if fault:
            return Denied("unusable", fault, 422)
        kek = await self._credentials.check(account, old, caller)
        if isinstance(kek, Denied):
            return kek
        identity = await self._credentials.open(account.id, kek)
        if isinstance(identity, Denied):
            return identity
        made = await self._credentials.make(account.id, account.email, new, identity)
        if isinstance(made, Denied):
            return made
        audit = entry(self._clock.now(), account.id, caller.peer, "password_changed", session=session.id)
        self._sessions.over(account.id, await self._store.accounts.change_password(account.id, made.credential, audit))
        return None

    async def change_email(self, session: Session, email: str, *, caller: Caller) -> Denied | None:
        """Change the e-mail address; whether another account has it is not told."""
        email = email.strip()
        if accounts.email_fault(email):
            return EMAIL_UNUSABLE
        audit = entry(self._clock.now(), session.account, caller.peer, "email_changed", session=session.id)
        try:
            ended = await self._store.accounts.change_email(session.account, email, audit)
        except EmailTaken:
            return EMAIL_UNUSABLE
        self._sessions.over(session.account, ended)
        return None

    async def delete(self, session: Session, email: str, *, caller: Caller) -> Denied | None:
        """Begin to delete the account: presses scan nothing, the gate is shut, and in 14 days everything is gone.

        `email`: the account's own, typed so that nobody deletes by mistake.
        """
        account = await self._store.accounts.get(session.account)
        if account is None or accounts.fold_email(account.email) != accounts.fold_email(email):
            return NOT_YOURS
        now = self._clock.now()
        audit = entry(now, session.account, caller.peer, "account_deletion_began", session=session.id)
        ended = await self._store.accounts.move(
            session.account,
            AccountState.ACTIVE,
            accounts.account_step(AccountState.ACTIVE, "delete"),
            audit,
            deletes_at=now.utc + accounts.DELETION_SPAN,
            ends_sessions=True,
        )
        if ended is None:
            return NOT_ACTIVE
        self._sessions.over(session.account, ended)
        return None

    async def keep(self, session: Session, *, caller: Caller) -> Denied | None:
        """Call the deletion off."""
        audit = entry(self._clock.now(), session.account, caller.peer, "account_kept", session=session.id)
        after = accounts.account_step(AccountState.DELETING, "cancel")
        moved = await self._store.accounts.move(
            session.account, AccountState.DELETING, after, audit, ends_sessions=False
        )
        if moved is None:
            return NOT_DELETING
        self._sessions.tell(session.account)
        return None

    async def read_banner(self, account: Account) -> None:
        """Note that the owner has read what there was to tell."""
        await self._store.accounts.tell(account.id, "")
        self._sessions.tell(account.id)

    async def audit(self, account: AccountId, *, limit: int, before: int | None = None) -> tuple[AuditRow, ...]:
        """Return what happened to the account, newest first; `before`: the number of the last row seen."""
        return await self._store.audit.of_account(account, limit, before)
