"""What a page's form sent, and where a sign-in leads afterwards."""

import re

from gateway.web import texts
from gateway.work.outcomes import Denied

DIFFER = Denied("unusable", texts.text("password.differ"), 422)
"""A new password was not typed twice the same."""
_PATH = re.compile(r"/[A-Za-z0-9_/-]{0,200}", re.ASCII)


def number(text: str) -> int:
    """Return a number of up to six digits; -1 for anything else, which no check accepts."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else -1


def after(text: str) -> str:
    """Return a path on this gateway to go on to; the main screen if it is anything else."""
    return text if _PATH.fullmatch(text) and not text.startswith("//") else "/"
