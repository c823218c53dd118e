"""One line of the audit, made the same way by every room."""

from gateway.core.model import AccountId, Instant
from gateway.store.audit import AuditEntry


def entry(
    now: Instant,
    account: AccountId | None,
    peer: str,
    action: str,
    *,
    factor: str = "",
    outcome: str = "ok",
    reason: str = "",
) -> AuditEntry:
    """Return an audit row of this instant; no secrets go in."""
    return AuditEntry(
        at=now.utc,
        account=account,
        session_hash="",
        peer=peer,
        action=action,
        factor=factor,
        outcome=outcome,
        reason=reason,
    )
