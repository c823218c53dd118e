"""Open identities over a restart of the service: one small file per verified session, in the runtime directory.

That is memory (tmpfs) and goes with a reboot; it is in no database and no backup. A file opens only with the session's
own token, which the gateway itself does not keep, and this gateway's device key.
"""

import hashlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.core.model import SessionId
from gateway.vault.device import KEY_BYTES, DeviceKey

_NONCE_BYTES = 12
_SUFFIX = ".slot"


class RuntimeSlots:
    """The files, 0600. All calls block. What cannot be written is only missing after a restart."""

    def __init__(self, folder: Path, device: DeviceKey) -> None:
        self._folder = folder
        self._device = device

    def write(self, session: SessionId, token: str, secret: str) -> None:
        """Put a session's identities down; OSError."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        box = nonce + self._box(token).encrypt(nonce, secret.encode(), session.encode())
        draft = self._path(session).with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(box)
        draft.rename(self._path(session))

    def read(self, session: SessionId, token: str) -> str | None:
        """Return a session's identities; None if there are none, or this is not its token."""
        try:
            box = self._path(session).read_bytes()
            return self._box(token).decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], session.encode()).decode()
        except (OSError, InvalidTag, ValueError):
            return None

    def delete(self, session: SessionId) -> None:
        """Delete what a session left."""
        self._path(session).unlink(missing_ok=True)

    def keep_only(self, live: Iterable[SessionId]) -> None:
        """Delete the files of every other session."""
        wanted = {self._path(session) for session in live}
        for path in self._folder.glob(f"*{_SUFFIX}"):
            if path not in wanted:
                path.unlink(missing_ok=True)

    def _path(self, session: SessionId) -> Path:
        return self._folder / (hashlib.sha256(session.encode()).hexdigest()[:32] + _SUFFIX)

    def _box(self, token: str) -> AESGCM:
        material = token.encode(errors="surrogateescape") + self._device.derive("runtime slot")
        return AESGCM(HKDF(SHA256(), KEY_BYTES, salt=None, info=b"slot/runtime/v1").derive(material))
