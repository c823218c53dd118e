"""What is printed on paper: the rescue key and the sign-in codes, 24 Crockford base32 characters of 120 bit each."""

import re

CODES = 10
BYTES = 15
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_GROUP = 4
_FOLD = str.maketrans("OIL", "011")  # Crockford: what looks like a digit is one
_WRITTEN = re.compile(f"[{_ALPHABET}]{{24}}", re.ASCII)


def written(secret: bytes) -> str:
    """Return 15 random bytes as 24 characters."""
    if len(secret) != BYTES:
        raise ValueError(f"{len(secret)} bytes, not {BYTES}")
    number = int.from_bytes(secret, "big")
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(115, -1, -5))


def grouped(key: str) -> str:
    """Return a key as it is printed: six groups of four characters."""
    return "-".join(key[i : i + _GROUP] for i in range(0, len(key), _GROUP))


def read(text: str) -> str | None:
    """Return what a person typed in its one form; None if it is no such key. Hyphens, spaces and case do not count."""
    if len(text) > 64:
        return None
    folded = "".join(c for c in text if c not in "- \t").upper().translate(_FOLD)
    return folded if _WRITTEN.fullmatch(folded) else None
