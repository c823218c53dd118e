"""What proxies write about a request: Forwarded (RFC 7239) and X-Forwarded-*, read strictly. Whom to trust is peers.py.

Everything left of what the trusted proxies wrote comes from the client and is never looked at. What cannot be read
is refused as a whole: an open quote sent by a client would swallow what the proxy appends.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from multidict import CIMultiDictProxy

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110, 5.6.2
_VALUE = r"[!#$%&'*+.^_`|~0-9A-Za-z:\[\]-]+"  # some proxies forget to quote host:port
_QUOTED = r'"(?:[\t !\x23-\x5b\x5d-\x7e]|\\[\t -~])*"'
_PIECE = re.compile(rf"[ \t]*(?:({_TOKEN})=({_VALUE}|{_QUOTED})[ \t]*)?(;|,|\Z)", re.ASCII)
_NODE = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[0-9.]+))(?::[0-9A-Za-z._-]+)?", re.ASCII)

Trusted = Callable[[str], bool]


class UnclearError(ValueError):
    """The headers cannot be read, or contradict each other."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the trusted proxies say: the client's address, "http" or "https" ("": not said), and the names it used."""

    address: str = ""
    scheme: str = ""
    hosts: tuple[str, ...] = ()


def told(headers: CIMultiDictProxy[str], trusted: Trusted) -> Told | None:
    """Return what the proxies say, None if nothing; UnclearError.

    A proxy that writes one kind of header may hand on the other as the client sent it. Nobody can tell which is
    which, so both must say the same.
    """
    one, other = _standard(_joined(headers, "Forwarded"), trusted), _customary(headers, trusted)
    if one is None or other is None:
        return one or other
    for name in ("address", "scheme"):
        if len({getattr(one, name), getattr(other, name)} - {""}) > 1:
            raise UnclearError(name)
    return Told(one.address or other.address, one.scheme or other.scheme, (*one.hosts, *other.hosts))


def address(text: str) -> str:
    """Return an IP address in its one way of writing, an IPv4 address in IPv6 clothes undressed; UnclearError."""
    try:
        ip = ip_address(text)
    except ValueError:
        raise UnclearError(text) from None
    return str(ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else str(ip)


def _joined(headers: CIMultiDictProxy[str], name: str) -> str:
    return ",".join(headers.getall(name, []))


def _standard(value: str, trusted: Trusted) -> Told | None:
    hops = _elements(value)
    if not hops:
        return None
    at = _client([hop.get("for", "") for hop in hops], trusted)
    hosts = tuple(hop["host"] for hop in hops[at:] if "host" in hop)
    return Told(_node(hops[at].get("for", "")), _scheme([hops[at].get("proto", "")]), hosts)


def _customary(headers: CIMultiDictProxy[str], trusted: Trusted) -> Told | None:
    """Read X-Forwarded-For, -Proto and -Host: no standard, and no word on which value is whose."""
    nodes, protos, hosts = (_listed(_joined(headers, f"X-Forwarded-{name}")) for name in ("For", "Proto", "Host"))
    if not (nodes or protos or hosts):
        return None
    client = _node(nodes[_client(nodes, trusted)]) if nodes else ""
    return Told(client, _scheme(protos), tuple(hosts))


def _listed(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _scheme(protos: Sequence[str]) -> str:
    """Return "https" only if every proxy says so."""
    said = {proto.lower() for proto in protos if proto}
    return "" if not said else "https" if said == {"https"} else "http"


def _client(nodes: Sequence[str], trusted: Trusted) -> int:
    """Return which node is the client: the right-most that is no trusted proxy; if all are, the left-most."""
    for at in range(len(nodes) - 1, -1, -1):
        known = _node(nodes[at])
        if not (known and trusted(known)):
            return at
    return 0


def _node(text: str) -> str:
    """Return the address of a node (RFC 7239, 6), "" for one that is hidden; UnclearError."""
    if not text or text.lower() == "unknown" or text.startswith("_"):
        return ""
    found = _NODE.fullmatch(text)
    return address((found["six"] or found["four"]) if found else text)


def _elements(value: str) -> list[Mapping[str, str]]:
    """Return the elements of Forwarded, oldest first (RFC 7239, 4); UnclearError."""
    elements: list[Mapping[str, str]] = []
    pairs: dict[str, str] = {}
    at, end = 0, ","
    while end:
        piece = _PIECE.match(value, at)
        if piece is None or (piece[1] or "").lower() in pairs:
            raise UnclearError(value)
        if piece[1]:
            pairs[piece[1].lower()] = _unquoted(piece[2])
        at, end = piece.end(), piece[3]
        if end != ";" and pairs:
            elements.append(pairs)
            pairs = {}
    return elements


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
