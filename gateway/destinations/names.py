"""Names at a destination: the document's own, and the one it has until its commit."""

import hashlib

from gateway.destinations.port import Rejected

NAME_BYTES = 255  # what common file systems allow for one name
PART = ".part"
PARTIAL = ".partial"  # for servers: ownCloud and Nextcloud refuse names that end in .part or .filepart
_DIGEST_DIGITS = 12  # of the delivery's key: two deliveries of the same name never share a temporary name


def plain(name: str) -> str:
    """Return the name if it is one visible file name and nothing else; Rejected otherwise."""
    if not name or name.startswith(".") or "/" in name or "\\" in name or any(ord(c) < 32 for c in name):
        raise Rejected(f"{name!r} cannot be the name of a file")
    if len(temporary(name, "", PARTIAL).encode()) > NAME_BYTES:
        raise Rejected(f"{name!r} is too long for the name of a file")
    return name


def temporary(name: str, key: str, ending: str) -> str:
    """Return the hidden name under which a parcel is written before its commit; the same for every attempt."""
    return f".{name}.{hashlib.sha256(key.encode()).hexdigest()[:_DIGEST_DIGITS]}{ending}"
