"""Which Host headers we answer to: an allow-list closes DNS rebinding."""

import re

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_ALWAYS = frozenset({"127.0.0.1", "localhost", "::1"})


def host_allowed(header: str | None, further: tuple[str, ...]) -> bool:
    """Tell whether a Host header names us: loopback, any .local name, or a name of the settings; any port."""
    found = _HOST.fullmatch((header or "").lower())
    if found is None or int(found["port"] or 0) > 65535:
        return False
    name = found["name"].strip("[]")
    return name in _ALWAYS or name.endswith(".local") or name in {n.lower().strip("[]") for n in further}
