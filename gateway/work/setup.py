"""The first account: a one-time token that only the administrator can read."""

import hmac
import os
import secrets
import time
from collections import deque
from pathlib import Path

TOKEN_BYTES = 20  # 160 bit
LIFE_S = 3600.0
TRIES = 5
TRIES_SPAN_S = 900.0


class SetupToken:
    """A 0600 file below the state folder; `scansnap-gateway setup-token` renews it while the daemon runs."""

    def __init__(self, state: Path) -> None:
        self.path = state / "setup-token"
        self._tries: deque[float] = deque(maxlen=TRIES)

    def renew(self) -> str:
        """Write a new token, valid for an hour, and return it."""
        token = secrets.token_hex(TOKEN_BYTES)
        draft = self.path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(token + "\n")
        draft.rename(self.path)
        return token

    def told(self) -> str:
        """Return the token for the console; "" if there is none."""
        try:
            return self.path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return ""

    def spent(self) -> bool:
        """Tell whether too many wrong tokens came within a quarter of an hour."""
        return len(self._tries) == TRIES and time.monotonic() - self._tries[0] < TRIES_SPAN_S

    def fits(self, token: str) -> bool:
        """Tell whether this is the token and still valid; a wrong one counts as a try."""
        try:
            age_s = time.time() - self.path.stat().st_mtime
            right = self.path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            right, age_s = "", LIFE_S
        ok = bool(right) and 0 <= age_s < LIFE_S and hmac.compare_digest(right.encode(), token.encode())
        if not ok:
            self._tries.append(time.monotonic())
        return ok

    def burn(self) -> None:
        """Make the token useless: the first account exists."""
        self.path.unlink(missing_ok=True)
