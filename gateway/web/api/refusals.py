"""How each operation may say no: what its row lists, and what follows from the row itself, per status."""

from collections import defaultdict
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from gateway.core.model import Level
from gateway.web.origins import SAFE
from gateway.web.problems import MEDIA_TYPE
from gateway.web.reasons import REASONS
from gateway.web.route import Route

# Before any row is looked at, or when something breaks.
_ALWAYS = ("bad_request", "proxy_unclear", "plain_http", "too_large", "expectation_failed", "host", "internal")
_TOO_LOW = {Level.LP: "code_due", Level.LR: "replace_authenticator", Level.L1: "two_factor_needed"}
_RETRY = {
    "Retry-After": {"description": "Seconds until it is worth another try", "schema": {"type": "integer"}},
}
_HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"description": "Bearer (RFC 6750)", "schema": {"type": "string"}}},
    426: {"Upgrade": {"description": "The version that is needed", "schema": {"type": "string"}}},
    429: _RETRY,
    503: _RETRY,
}


@dataclass(frozen=True, slots=True)
class Refusals:
    """What one operation may refuse with one status."""

    status: int
    reasons: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the name of the response that says so, the same for every operation with these reasons."""
        return f"{self.status}.{'.'.join(self.reasons)}"

    def response(self) -> dict[str, Any]:
        """Return the OpenAPI response: problem JSON whose `type` is one of the reasons."""
        types = [f"/problems/{reason}" for reason in self.reasons]
        schema = {
            "$ref": "#/components/schemas/Problem",
            "properties": {"type": {"enum": types}, "status": {"const": self.status}},
        }
        words = "\n".join(f"- `{reason}`: {REASONS[reason].meaning}" for reason in self.reasons)
        answer: dict[str, Any] = {
            "description": f"{HTTPStatus(self.status).phrase}\n\n{words}",
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        headers = _HEADERS.get(self.status)
        return answer | ({"headers": headers} if headers else {})


def refusals(row: Route) -> tuple[Refusals, ...]:
    """Return how a row's operation may say no, by status."""
    found: dict[int, set[str]] = defaultdict(set)
    for reason in (*_ALWAYS, *_of_the_request(row), *_of_the_visitor(row), *row.denies):
        found[REASONS[reason].status].add(reason)
    return tuple(Refusals(status, tuple(sorted(reasons))) for status, reasons in sorted(found.items()))


def _of_the_request(row: Route) -> list[str]:
    may = {
        "cross_site": row.method not in SAFE,
        "media_type": row.method not in SAFE,
        "not_json": row.body is not None,
        "invalid": row.body is not None or bool(row.query),
        "unknown_path": "{" in row.path,  # an identifier with a slash in it is another address
        "precondition_failed": row.guarded,
        "idempotency_key_malformed": row.once,
        "idempotency_key_reused": row.once,
        "idempotency_in_progress": row.once,
        "idempotency_unknown": row.once,
    }
    return [reason for reason, is_so in may.items() if is_so]


def _of_the_visitor(row: Route) -> list[str]:
    may = {
        "setup_required": not row.before_setup,
        "too_many_calls": row.knocks,
        "closed": not row.levels,
    }
    if row.levels and Level.L0 not in row.levels:
        may |= {"sign_in": True, "locked": not row.while_locked, "step_up": row.fresh}
        may |= {reason: level not in row.levels for level, reason in _TOO_LOW.items()}
    return [reason for reason, is_so in may.items() if is_so]
