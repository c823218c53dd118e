"""An account's keys: what the password is stretched into, and the slot that holds the age identity."""

import hashlib
import hmac
import re
import secrets
import unicodedata
from dataclasses import dataclass

import pyrage
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.core import paper
from gateway.vault import common
from gateway.vault.device import DeviceKey

# Argon2id as SECURITY.md has it: RFC 9106's second choice for machines with little memory.
STRETCHING = "argon2id,t=3,m=65536,p=4"
_SALT_BYTES, _OUT_BYTES = 16, 32
_COSTS = re.compile(r"argon2id,t=(\d{1,2}),m=(\d{1,7}),p=(\d{1,2})", re.ASCII)
_SLOT_VERSION = 1
_NONCE_BYTES = 12
SHORTEST, LONGEST = 15, 128
_PRODUCT_WORDS = ("scansnap", "scansnapgateway", "gateway")


class SlotError(Exception):
    """A key slot does not open with these keys."""


@dataclass(frozen=True, slots=True)
class Stretched:
    """One Argon2id run, split: `verifier` is stored, `kek` never."""

    verifier: bytes
    kek: bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """An age X25519 identity: `secret` opens, `recipient` seals. A slot holds secrets of several epochs, one a line."""

    secret: str
    recipient: str


def new_salt() -> bytes:
    """Return 16 random bytes."""
    return secrets.token_bytes(_SALT_BYTES)


def stretch(password: str, salt: bytes, costs: str = STRETCHING) -> Stretched:
    """Stretch a password once and split the result (RFC 9106, RFC 5869); takes 64 MiB for the while.

    `costs`: passes, memory in KiB and lanes, as an account's row names them; ValueError if it names none.
    """
    found = _COSTS.fullmatch(costs)
    if found is None:
        raise ValueError(f"{costs!r} names no stretching")
    secret = unicodedata.normalize("NFC", password).encode(errors="surrogatepass")
    passes, memory_kib, lanes = (int(n) for n in found.groups())
    stretched = hash_secret_raw(secret, salt, passes, memory_kib, lanes, _OUT_BYTES, Type.ID)
    return Stretched(hashlib.sha256(_hkdf(stretched, "auth/v1")).digest(), _hkdf(stretched, "kek/v1"))


def verify(stretched: Stretched, verifier: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(stretched.verifier, verifier)


def password_fault(password: str, email: str) -> str | None:
    """Return why a password is refused, or None: length, the e-mail address, the product's own words, common ones."""
    text = unicodedata.normalize("NFC", password)
    if not SHORTEST <= len(text) <= LONGEST:
        return f"A password has {SHORTEST} to {LONGEST} characters."
    if any(unicodedata.category(c) == "Cc" for c in text):
        return "A password holds no control characters."
    folded = "".join(c for c in text.casefold() if c.isalnum())
    forbidden = {"".join(c for c in word.casefold() if c.isalnum()) for word in (email, email.partition("@")[0])}
    for word in (*forbidden, *_PRODUCT_WORDS):
        if word and folded.replace(word, "").strip("0123456789") == "":
            return "A password must not be made of the e-mail address or the product's name."
    if len(set(text)) == 1:
        return "A password must not repeat one character."
    return "This password is on a list of common ones." if common.is_common(text) else None


def new_identity() -> Identity:
    """Make an age X25519 identity."""
    made = pyrage.x25519.Identity.generate()
    return Identity(str(made), str(made.to_public()))


def share(device: DeviceKey, account: str) -> bytes:
    """Return W, the gateway's half of an account's slot key; to be asked for only after the code was right."""
    return device.derive("account-share", account)


def seal_password_slot(secret: str, kek: bytes, half: bytes, account: str) -> bytes:
    """Wrap an identity so that it takes the password and this gateway to open it."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(_slot_key(kek, half)).encrypt(nonce, secret.encode(), _slot_bound(account))


def open_password_slot(slot: bytes, kek: bytes, half: bytes, account: str) -> str:
    """Unwrap an identity; SlotError."""
    nonce, box = slot[:_NONCE_BYTES], slot[_NONCE_BYTES:]
    try:
        return AESGCM(_slot_key(kek, half)).decrypt(nonce, box, _slot_bound(account)).decode()
    except (InvalidTag, ValueError):
        raise SlotError("the password slot does not open with these keys") from None


def new_paper_key() -> str:
    """Make a rescue key or sign-in code of 120 random bits."""
    return paper.written(secrets.token_bytes(paper.BYTES))


def paper_hash(key: str) -> str:
    """Return what the database holds of a rescue key or sign-in code; 120 random bits need no stretching."""
    return hashlib.sha256(key.encode()).hexdigest()


def seal_rescue_slot(secret: str, key: str, account: str) -> bytes:
    """Wrap identities so that the rescue key alone opens them, without this gateway."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(_rescue_key(key)).encrypt(nonce, secret.encode(), _rescue_bound(account))


def open_rescue_slot(slot: bytes, key: str, account: str) -> str:
    """Unwrap identities; SlotError."""
    nonce, box = slot[:_NONCE_BYTES], slot[_NONCE_BYTES:]
    try:
        return AESGCM(_rescue_key(key)).decrypt(nonce, box, _rescue_bound(account)).decode()
    except (InvalidTag, ValueError):
        raise SlotError("the rescue slot does not open with this key") from None


def _rescue_key(key: str) -> bytes:
    return _hkdf(key.encode(), "slot/rescue/v1")


def _rescue_bound(account: str) -> bytes:
    return f"{account}|rescue|{_SLOT_VERSION}".encode()


def _slot_key(kek: bytes, half: bytes) -> bytes:
    return _hkdf(kek + half, "slot/password/v1")


def _slot_bound(account: str) -> bytes:
    return f"{account}|password|{_SLOT_VERSION}".encode()


def _hkdf(secret: bytes, info: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=_OUT_BYTES, salt=None, info=info.encode()).derive(secret)
