"""What rclone's end means to an owner: exit codes (rclone.org/docs, "Exit code") and words become sentences."""

import re

from gateway.destinations.port import DestinationError, Rejected, Unavailable

_NO_FOLDER, _NO_FILE, _LESS_SERIOUS, _FATAL = 3, 4, 6, 7
NOTHING_THERE = frozenset({_NO_FOLDER, _NO_FILE})
_SHOWN_CHARACTERS = 160  # of a line that rclone wrote
# Words in lower case -> (for good?, sentence); the first row that fits counts.
_WORDS: tuple[tuple[tuple[str, ...], bool, str], ...] = (
    (("didn't find section",), True, "the administrator's rclone.conf has no remote of this name"),
    (("decrypt configuration", "not allowed to ask for password"), True, "rclone.conf is encrypted; it must not be"),
    (("is a file not a directory",), True, "the path names a file, not a folder"),
    (("failed to load config",), True, "the administrator's rclone.conf cannot be read"),
    (
        ("invalid_grant", "token expired", "cannot fetch token", "couldn't fetch token", "empty token"),
        True,
        "the remote's permission has run out; the administrator can renew it with `rclone config reconnect`",
    ),
    (
        ("unauthorized", "authentication", "unable to authenticate", "access denied", "invalid credentials"),
        True,
        "the remote refuses the administrator's credentials",
    ),
    (("storagequota", "quota", "insufficient storage", "no space left"), False, "the remote has no room left"),
    (("permission denied", "forbidden", "read-only", "read only"), True, "the remote gives no right to write"),
    (("ratelimit", "rate limit", "too many requests"), False, "the remote asks to slow down"),
    (
        ("no such host", "connection refused", "timeout", "deadline exceeded", "unreachable", "connection reset"),
        False,
        "the remote cannot be reached",
    ),
)
_STAMP = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (?:[A-Z]+ *: |Failed to [^:]*: )?(?:last error was: )?")
# What might be a secret: the query of an address, what stands before its "@", and long words of a token's alphabet.
_SECRETS = re.compile(r"\?\S+|//[^/\s]*@|[A-Za-z0-9+/_=~%.-]{24,}")


def refusal(code: int, err: str, *names: str) -> DestinationError:
    """Return the sentence for an exit code other than 0 and what rclone wrote; `names` of files tell nothing."""
    for name in names:
        err = err.replace(name, "…")
    said = err.lower()
    for words, final, sentence in _WORDS:
        if any(word in said for word in words):
            return Rejected(sentence) if final else Unavailable(sentence)
    if code == _NO_FOLDER:
        return Rejected("the folder does not exist on the remote")
    if code in (_LESS_SERIOUS, _FATAL):
        return Rejected(f"the remote refuses{_last_line(err)}")
    return Unavailable(f"rclone failed (exit code {code}){_last_line(err)}")


def _last_line(err: str) -> str:
    """Return the last thing said, bounded, printable, and without anything that might be a secret."""
    lines = [line for line in err.splitlines() if line.strip()]
    if not lines:
        return ""
    told = _SECRETS.sub("…", _STAMP.sub("", lines[-1]))
    return ": " + "".join(c if c.isprintable() else " " for c in told)[:_SHOWN_CHARACTERS].strip()
