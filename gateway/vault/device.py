"""The device key: what ties this gateway's database and backups to this machine. Purposes get keys of their own."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
_VERSION = 1
_NONCE_BYTES = 12
_NAME = "device-key"


class DeviceKeyError(Exception):
    """The device key cannot be used; `str()` names the file."""


class TamperedError(Exception):
    """A sealed value does not belong where it was found, or was changed."""


class DeviceKey:
    """32 random bytes and what is derived from them (RFC 5869, HKDF-SHA256)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def load(cls, state: Path, credentials: Path | None) -> "DeviceKey":
        """Return the systemd credential `device-key` if there is one, else a 0600 file, made at the first start.

        DeviceKeyError for a wrong size, or a file that others may read.
        """
        given = credentials / _NAME if credentials is not None else None
        if given is not None and given.is_file():
            return cls(_checked(given.read_bytes(), given))
        path = state / "device.key"
        if not path.exists():
            _make(path)
        if path.stat().st_mode & 0o077:
            raise DeviceKeyError(f"{path}: others may read it; chmod 600 it if you trust it still")
        return cls(_checked(path.read_bytes(), path))

    def derive(self, purpose: str, context: str = "") -> bytes:
        """Return the 32-byte key of one purpose."""
        info = f"scansnap-gateway/{purpose}/{context}".encode()
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self._key)

    def seal(self, plaintext: bytes, *, table: str, column: str, account: str) -> bytes:
        """Seal a value for one column of one account (AES-256-GCM; version and nonce in front)."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        box = self._box(table, column).encrypt(nonce, plaintext, _bound(table, column, account))
        return bytes([_VERSION]) + nonce + box

    def unseal(self, sealed: bytes, *, table: str, column: str, account: str) -> bytes:
        """Open what `seal` made for the same column and account; TamperedError otherwise."""
        if len(sealed) < 1 + _NONCE_BYTES or sealed[0] != _VERSION:
            raise TamperedError(f"{table}.{column}: not a sealed value of this version")
        nonce, box = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._box(table, column).decrypt(nonce, box, _bound(table, column, account))
        except InvalidTag:
            raise TamperedError(f"{table}.{column}: changed, moved, or sealed on another gateway") from None

    def mac(self, *parts: str) -> str:
        """Return an HMAC-SHA256 over the parts, each with its length, as hex."""
        text = b"".join(len(p.encode()).to_bytes(4, "big") + p.encode() for p in parts)
        return hmac.new(self.derive("manifest"), text, hashlib.sha256).hexdigest()

    def _box(self, table: str, column: str) -> AESGCM:
        return AESGCM(self.derive("column", f"{table}.{column}"))


def _bound(table: str, column: str, account: str) -> bytes:
    return f"{table}|{column}|{account}|{_VERSION}".encode()


def _checked(key: bytes, path: Path) -> bytes:
    if len(key) != KEY_BYTES:
        raise DeviceKeyError(f"{path}: {len(key)} bytes, not {KEY_BYTES}")
    return key


def _make(path: Path) -> None:
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
