"""Authentication codes and sign-in codes: checked, used up, counted."""

from gateway.clock import Clock
from gateway.core import paper, totp
from gateway.core.account import fold_email
from gateway.core.model import Account, AccountId, TwoFactor
from gateway.store.store import Store
from gateway.vault import keys
from gateway.vault.device import DeviceKey
from gateway.work.caller import Caller
from gateway.work.outcomes import Denied
from gateway.work.record import entry
from gateway.work.throttle import Attempt, Throttle
from gateway.work.timekeeper import Timekeeper

CODE_WRONG = Denied("code_wrong", "That authentication code is not right.", 401)
CODE_USED = Denied("code_used", "That authentication code was used already. Wait for the next one.", 401)
CODE_SHAPE = Denied("code_malformed", "An authentication code is six digits, sent as a string.", 422)
SUSPENDED = Denied(
    "two_factor_suspended",
    "Too many wrong codes in a row: the authenticator is suspended. Use a sign-in code, or ask the administrator.",
    403,
)
PAPER_WRONG = Denied("sign_in_code_wrong", "That sign-in code is not right, or was used already.", 401)


class Codes:
    """The desk where codes are shown."""

    def __init__(
        self, *, clock: Clock, store: Store, device: DeviceKey, throttle: Throttle, timekeeper: Timekeeper
    ) -> None:
        self._clock = clock
        self._store = store
        self._device = device
        self._throttle = throttle
        self._timekeeper = timekeeper

    async def burn(self, account: Account, code: object, *, caller: Caller, action: str) -> Denied | None:
        """Check a code against the account's authenticator and use it up; None if it was right and unused."""
        if not isinstance(code, str):
            return CODE_SHAPE
        refused = self._timekeeper.refusal() or await self._suspended(account)
        if refused is not None:
            return refused
        attempt = await self._throttle.code(account.id)
        if isinstance(attempt, Denied):
            return attempt
        answer = await self._check(account.id, code)
        if answer is None:
            await self._throttle.right(attempt)
            return None
        await self._note(account, attempt, answer, caller, action)
        return answer

    async def _suspended(self, account: Account) -> Denied | None:
        if account.two_factor is TwoFactor.ROTATING:
            pending = await self._store.factors.pending(account.id)
            return SUSPENDED if pending and pending.was is TwoFactor.SUSPENDED else None
        return SUSPENDED if account.two_factor is TwoFactor.SUSPENDED else None

    async def _check(self, account: AccountId, code: str) -> Denied | None:
        factor = await self._store.factors.get(account)
        step = None
        if factor is not None:
            step = totp.match(self.open_secret(account, factor.sealed_secret), code, self._clock.now())
        if step is None:
            return CODE_WRONG
        return None if await self._store.factors.burn_step(account, step) else CODE_USED

    async def _note(self, account: Account, attempt: Attempt, answer: Denied, caller: Caller, action: str) -> None:
        now = self._clock.now()
        line = entry(now, account.id, caller.peer, action, factor="totp", outcome="refused", reason=answer.reason)
        await self._store.audit.append(line)
        if answer is CODE_USED:
            await self._throttle.undo(attempt)
        elif await self._throttle.suspends(account.id):
            await self._store.factors.suspend(account.id, entry(now, account.id, caller.peer, "two_factor_suspended"))

    async def burn_paper(self, account: Account, text: str, *, caller: Caller) -> Denied | None:
        """Check a sign-in code and use it up; a right one lifts a suspension of the authenticator."""
        attempt = await self._throttle.paper(fold_email(account.email), caller)
        if isinstance(attempt, Denied):
            return attempt
        code, now = paper.read(text), self._clock.now()
        if code is None or not await self._store.factors.burn_code(account.id, keys.paper_hash(code)):
            line = entry(now, account.id, caller.peer, "sign_in", factor="sign_in_code", outcome="refused")
            await self._store.audit.append(line)
            return PAPER_WRONG
        await self._throttle.right(attempt)
        if await self._store.factors.lift(account.id, entry(now, account.id, caller.peer, "two_factor_lifted")):
            await self._throttle.forgive_codes(account.id)
        return None

    def open_secret(self, account: AccountId, sealed: bytes) -> str:
        """Unseal a stored TOTP secret."""
        return self._device.unseal(sealed, table="accounts", column="totp_secret", account=account).decode()

    def seal_secret(self, account: AccountId, secret: str) -> bytes:
        """Seal a TOTP secret for its column."""
        return self._device.seal(secret.encode(), table="accounts", column="totp_secret", account=account)
