"""One line of the audit, made the same way by every room."""

import hashlib

from gateway.core.model import AccountId, Instant, SessionId
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
    session: SessionId | None = None,
) -> AuditEntry:
    """Return an audit row of this instant; no secrets go in, and of the session only a hash."""
    return AuditEntry(
        at=now.utc,
        account=account,
        session_hash=hashlib.sha256(session.encode()).hexdigest()[:16] if session else "",
        peer=peer,
        action=action,
        factor=factor,
        outcome=outcome,
        reason=reason,
    )
