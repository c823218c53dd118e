"""Time-based one-time passwords: RFC 6238 over RFC 4226, SHA-1, 6 digits, 30 s, one step of drift either way."""

import hmac
import re
from urllib.parse import quote

import pyotp

from gateway.core.model import Instant

STEP_S = 30
DRIFT_STEPS = 1
SECRET_CHARACTERS = 32  # base32: 20 bytes, the length of a SHA-1 block's output (RFC 4226, section 4, R6)
_CODE = re.compile(r"[0-9]{6}", re.ASCII)


def step_of(now: Instant) -> int:
    """Return the time step that `now` lies in (RFC 6238, section 4.2, T0 = 0)."""
    return int(now.utc.timestamp()) // STEP_S


def seconds_left(now: Instant) -> float:
    """Return the seconds until the next code."""
    return STEP_S - now.utc.timestamp() % STEP_S


def match(secret: str, code: object, now: Instant) -> int | None:
    """Return the step whose code this is, or None.

    Only a string of six ASCII digits is a code: pyotp itself would fold full-width digits and integers. Whether the
    step was used before is the caller's question, asked with one conditional UPDATE. Every step of the window is
    compared, so that the time taken says nothing.
    """
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return None
    maker = pyotp.TOTP(secret, digits=6, interval=STEP_S)
    found = None
    present = step_of(now)
    for step in range(max(0, present - DRIFT_STEPS), present + DRIFT_STEPS + 1):
        if hmac.compare_digest(maker.generate_otp(step), code):
            found = step
    return found


def uri(secret: str, *, email: str, issuer: str) -> str:
    """Return the otpauth URI that authenticators read from the QR code (label `Issuer:email`)."""
    label = f"{quote(issuer)}:{quote(email)}"
    return f"otpauth://totp/{label}?secret={secret}&issuer={quote(issuer)}&algorithm=SHA1&digits=6&period={STEP_S}"
