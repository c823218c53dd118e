"""What a client calls itself, in a person's words."""

import re

_PROGRAM = re.compile(r"ScanSnapCloud/(\d{1,4}\.\d{1,4})", re.ASCII)
# The first that is found counts: the later ones say the earlier ones' names, too.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "Chromebook"),
    ("Linux", "Linux"),
)


def client_name(text: str) -> str:
    """Return "Chrome on Android" of a User-Agent, or the start of what a program says; "" for nothing."""
    program = _PROGRAM.search(text)
    if program:
        return f"ScanSnap Cloud {program[1]}"
    browser = next((name for sign, name in _BROWSERS if sign in text), "")
    system = next((name for sign, name in _SYSTEMS if sign in text), "")
    return f"{browser} on {system}" if browser and system else browser or text[:60]
