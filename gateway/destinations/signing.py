"""Standard Webhooks 1.0.0 (standardwebhooks.com): the three headers by which a receiver knows who sent a payload."""

import hmac
from base64 import b64decode, b64encode
from datetime import datetime

from gateway.destinations.port import Rejected

_PREFIX = "whsec_"
_SECRET_BYTES = range(24, 65)  # the specification: 192 to 512 bits


def key_of(secret: str) -> bytes:
    """Return the key in a secret ("whsec_" and base64, or base64 alone); Rejected."""
    text = secret.strip().removeprefix(_PREFIX).rstrip("=")
    try:
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        key = b""
    if len(key) not in _SECRET_BYTES:
        raise Rejected("24 to 64 random bytes in base64 are needed, such as `openssl rand -base64 32` prints")
    return key


def signed(key: bytes, name: str, at: datetime, payload: bytes) -> dict[str, str]:
    """Return the headers for a payload: `name` is the same for every attempt, `at` is when this attempt begins.

    Signed is "name.seconds.payload" with HMAC-SHA256 (section "Signature scheme"); a name has no full stop.
    """
    seconds = str(int(at.timestamp()))
    mac = hmac.digest(key, b".".join((name.encode("ascii"), seconds.encode("ascii"), payload)), "sha256")
    return {
        "Webhook-Id": name,
        "Webhook-Timestamp": seconds,
        "Webhook-Signature": f"v1,{b64encode(mac).decode('ascii')}",
    }
