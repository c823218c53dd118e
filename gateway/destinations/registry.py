"""The kinds of destination as rows: their fields, how a saved one is checked, how it is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.destinations.folder import FolderDestination
from gateway.destinations.net import Guard
from gateway.destinations.port import DestinationError, Port, Rejected
from gateway.destinations.webdav import WebdavDestination

_VALUE_LIMIT = 2000  # characters; an address or a path is far shorter


@dataclass(frozen=True, slots=True)
class Field:
    """One value that the owner enters; a secret is stored sealed and never shown again."""

    name: str
    label: str
    secret: bool
    help: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the administrator's settings give to every destination."""

    roots: tuple[Path, ...]
    guard: Guard


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of destination. `url_field` names the field that the outbound guard judges, if there is one."""

    label: str
    fields: tuple[Field, ...]
    make: Callable[[Mapping[str, str], Surroundings], Port]
    url_field: str = ""


def _folder(values: Mapping[str, str], around: Surroundings) -> Port:
    return FolderDestination.below(around.roots, values["path"])


def _webdav(values: Mapping[str, str], around: Surroundings) -> Port:
    if ":" in values["username"]:  # RFC 7617: the colon is where the password begins
        raise Rejected("username: a colon cannot be part of it")
    try:
        return WebdavDestination(values["url"], values["username"], values["password"], around.guard)
    except Rejected as error:
        raise Rejected(f"url: {error}") from None


KINDS: dict[str, Kind] = {
    "folder": Kind(
        "Folder on the gateway",
        (Field("path", "Folder", False, "An existing folder below one that the administrator lists"),),
        _folder,
    ),
    "webdav": Kind(
        "WebDAV (Nextcloud, ownCloud, a NAS)",
        (
            Field("url", "Address of the folder", False, "https://cloud.example.org/remote.php/dav/files/me/Scans/"),
            Field("username", "User name", False, "As the server knows it"),
            Field("password", "Password", True, "Better an app password, made for this gateway only"),
        ),
        _webdav,
        url_field="url",
    ),
}


def build(
    kind: str, config: Mapping[str, str], secrets: Mapping[str, str], *, roots: tuple[Path, ...], guard: Guard
) -> Port:
    """Make a destination from its saved values; Rejected names the field that does not fit. No I/O."""
    row = _kind(kind)
    return row.make(_values(row, config, secrets), Surroundings(roots, guard))


async def check(
    kind: str, config: Mapping[str, str], secrets: Mapping[str, str], *, roots: tuple[Path, ...], guard: Guard
) -> None:
    """Check values before they are saved, the address included; Rejected, or Unavailable for an unknown name."""
    build(kind, config, secrets, roots=roots, guard=guard)
    url_field = _kind(kind).url_field
    if url_field:
        try:
            await guard.check(config[url_field])
        except DestinationError as error:
            raise type(error)(f"{url_field}: {error}") from None


def _kind(kind: str) -> Kind:
    if kind not in KINDS:
        raise Rejected(f"kind: {kind!r} is no kind of destination; there are: {', '.join(KINDS)}")
    return KINDS[kind]


def _values(row: Kind, config: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
    given = {False: config, True: secrets}
    for secret, values in given.items():
        known = [f.name for f in row.fields if f.secret is secret]
        for name in values:
            if name not in known:
                place = "secret" if secret else "field"
                raise Rejected(f"{name}: no {place} of {row.label}; there are: {', '.join(known) or 'none'}")
    return {f.name: _value(f, given[f.secret].get(f.name, "")) for f in row.fields}


def _value(field: Field, value: str) -> str:
    if not value.strip():
        raise Rejected(f"{field.name}: {field.label} is missing")
    if len(value) > _VALUE_LIMIT:
        raise Rejected(f"{field.name}: longer than {_VALUE_LIMIT} characters")
    if any(ord(c) < 32 for c in value):
        raise Rejected(f"{field.name}: control characters are not allowed")
    return value
