"""Why the API says no: every reason with its status and its meaning. A problem's `type` is "/problems/" and the reason.

The description of the API and the page behind a `type` are made from this table; a reason, once here, stays as it is.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """What one kind of refusal means."""

    status: int
    meaning: str


REASONS: dict[str, Reason] = {
    # Of the request itself.
    "bad_request": Reason(400, "The request is no HTTP that this gateway reads."),
    "not_json": Reason(400, "The body is not JSON."),
    "not_text": Reason(400, "A form is not text in UTF-8."),
    "idempotency_key_malformed": Reason(400, "An Idempotency-Key has 1 to 255 visible ASCII characters."),
    "closed": Reason(403, "Nobody may use this address."),
    "proxy_unclear": Reason(400, "A trusted proxy does not say, or says in two ways, how the client reached it."),
    "plain_http": Reason(403, "The request came over plain HTTP from elsewhere; https is needed."),
    "cross_site": Reason(403, "The request comes from another site than the gateway's own pages."),
    "form_token": Reason(403, "The form is of another session. Load the page again."),
    "unknown_path": Reason(404, "There is nothing at this address."),
    "not_found": Reason(404, "The account has nothing with this identifier."),
    "method_not_allowed": Reason(405, "This address does not take that method; Allow names those that it takes."),
    "precondition_failed": Reason(412, "If-Match does not name what the resource is now. Get it again."),
    "too_large": Reason(413, "The request is longer than 64 KiB."),
    "media_type": Reason(415, "The body is of another type than the address takes, or encoded."),
    "expectation_failed": Reason(417, "The only Expect that is met is 100-continue."),
    "host": Reason(421, "The gateway does not answer to the name in Host."),
    "invalid": Reason(422, "A field or parameter is missing, unknown, or of another type; `errors` says where."),
    "unusable": Reason(422, "A value has the right type but cannot be used; `detail` says why."),
    "idempotency_key_reused": Reason(422, "The Idempotency-Key was used for another request before."),
    "idempotency_in_progress": Reason(409, "The first request with this Idempotency-Key is still at work."),
    "idempotency_unknown": Reason(
        409, "The first request with this Idempotency-Key was cut off: look what became of it, then use another key."
    ),
    "internal": Reason(500, "Something went wrong inside the gateway. The log says more."),
    # Of who asks.
    "setup_required": Reason(409, "The gateway has no account yet."),
    "already_set_up": Reason(409, "The gateway has its first account already."),
    "setup_token_wrong": Reason(403, "The set-up token is wrong or too old."),
    "sign_in": Reason(401, "The request has no session, or an ended one."),
    "sign_in_failed": Reason(401, "E-mail address or password is not right; which of them is not told."),
    "code_due": Reason(401, "The password was right; the authentication code is still due."),
    "code_not_due": Reason(409, "No authentication code is due in this session."),
    "code_malformed": Reason(422, "An authentication code is six digits, sent as a string."),
    "code_wrong": Reason(401, "The authentication code is not right."),
    "code_used": Reason(401, "The authentication code was used before: each is good for one time."),
    "too_many_misses": Reason(401, "Too many wrong codes in this session: it has ended."),
    "two_factor_suspended": Reason(403, "Too many wrong codes in a row: the authenticator counts no more."),
    "sign_in_code_wrong": Reason(401, "The sign-in code from paper is not right, or was used before."),
    "paper_alone": Reason(403, "Rescue key and sign-in code together never sign in."),
    "client_too_old": Reason(426, "Two-factor authentication is on and the client names no version that knows it."),
    "locked": Reason(401, "The session's pages are locked after 30 minutes without activity."),
    "step_up": Reason(401, "Password (and code) were given more than 10 minutes ago: sign in again."),
    "two_factor_needed": Reason(403, "Only a session that passed the authentication code may do this."),
    "replace_authenticator": Reason(403, "A session by sign-in code may only set up an authenticator."),
    "password_wrong": Reason(401, "The password that had to be given once more is not right."),
    "too_many_tries": Reason(429, "Too many wrong attempts; Retry-After says how long to wait."),
    "too_many_calls": Reason(429, "Too many sign-ins from this network; Retry-After says how long to wait."),
    "busy": Reason(503, "Too many sign-ins at once; Retry-After says how long to wait."),
    "clock_untrusted": Reason(503, "The gateway's clock cannot be trusted, so no code can be checked."),
    "keys_unavailable": Reason(500, "The account's keys cannot be opened with this gateway's device key."),
    # Of accounts.
    "rescue_failed": Reason(401, "E-mail address or rescue key is not right; which of them is not told."),
    "rescue_key_wrong": Reason(422, "This is not the account's rescue key."),
    "rescue_key_unknown": Reason(422, "No earlier scans of the account open with this rescue key."),
    "account_disabled": Reason(403, "The administrator has disabled this account."),
    "ticket_over": Reason(403, "The reset ticket is wrong, used, or over."),
    "invitation_over": Reason(403, "The invitation is wrong, used, or over."),
    "email_unusable": Reason(422, "The e-mail address cannot be used; whether another account has it is not told."),
    "email_differs": Reason(422, "This is not the e-mail address of the account."),
    "account_not_active": Reason(409, "The account is being deleted."),
    "not_deleting": Reason(409, "The account is not being deleted."),
    "no_unit": Reason(409, "Two-factor authentication needs a registered ScanSnap unit."),
    "already_on": Reason(409, "Two-factor authentication is on already."),
    "not_on": Reason(409, "Two-factor authentication is not on."),
    "enrolment_over": Reason(409, "There is no enrolment of this session to finish, or it took too long."),
    "held_count": Reason(409, "Another number of scans is held by now than the request acknowledges."),
    # Of units, scans and destinations.
    "unit_not_found": Reason(404, "No such unit is in sight."),
    "unit_owned": Reason(409, "The unit is registered already."),
    "unit_not_driven": Reason(409, "The gateway sees the unit but cannot scan with it."),
    "unit_not_ready": Reason(409, "The unit cannot scan now; `detail` says why."),
    "unit_busy": Reason(409, "The unit is scanning."),
    "too_many_claims": Reason(429, "Five claims an hour are the limit."),
    "last_unit": Reason(409, "The last unit stays registered while two-factor authentication is on."),
    "last_way": Reason(409, "The only way to a unit goes with the unit."),
    "fingerprint_changed": Reason(409, "The unit shows something else by now than the request trusts."),
    "scan_busy": Reason(409, "The scan is being received or sent."),
    "sealed": Reason(409, "The session holds no keys of the account's scans."),
    "page_damaged": Reason(409, "A page of the scan is missing, changed or unreadable; `detail` says how."),
    "too_many_copies": Reason(429, "Three downloads of an account at once are the limit."),
    "not_paused": Reason(409, "Only a paused scan can be finished."),
    "not_failed": Reason(409, "Only a failed or uncertain delivery can be tried again."),
    "not_uncertain": Reason(409, "Only of an uncertain delivery its owner can say that it arrived."),
    "delivery_busy": Reason(409, "The delivery is under way or over: it cannot be given up."),
    "delivery_open": Reason(409, "A delivery of the scan to this destination is not over yet."),
    "scan_erased": Reason(410, "The scan was delivered and its pages were erased after their time."),
    "channel_unusable": Reason(422, "The channel's kind does not accept these fields; `detail` says which."),
    "channel_failed": Reason(424, "The test notice did not get through; `detail` says why."),
    "too_many_channels": Reason(409, "An account has 10 channels at the most."),
    "too_many_destinations": Reason(409, "An account has 20 destinations at the most."),
    "too_many_rules": Reason(409, "An account has 50 rules at the most."),
    "destination_unusable": Reason(422, "The destination's kind does not accept these fields; `detail` says which."),
    "destination_failed": Reason(424, "The destination did not pass its test; `detail` says why."),
}

# What several rows of the table of routes share.
STRETCHES = ("too_many_tries", "busy")
PASSWORD_AGAIN = (*STRETCHES, "password_wrong", "keys_unavailable")
CODE = (
    *("code_malformed", "code_wrong", "code_used", "too_many_tries"),
    *("two_factor_suspended", "clock_untrusted"),
)
CODE_DUE = ("code_not_due", "sign_in_failed", "client_too_old")
