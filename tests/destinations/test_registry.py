"""Kinds of destination as rows: what is checked before a destination is saved."""

from pathlib import Path

import pytest

from gateway.destinations.folder import FolderDestination
from gateway.destinations.kinds import Surroundings
from gateway.destinations.net import Guard
from gateway.destinations.port import Rejected
from gateway.destinations.registry import KINDS, build, check
from gateway.destinations.webdav import WebdavDestination

AROUND = Surroundings(Guard((), ()), roots=(Path("/srv/scans"),))
DAV = {"url": "https://93.184.216.34/dav/", "username": "anna"}


def test_a_folder_and_a_webdav_collection_are_built_from_their_values() -> None:
    folder = build("folder", {"path": "/srv/scans/anna"}, {}, AROUND)
    webdav = build("webdav", DAV, {"password": "p"}, AROUND)
    assert isinstance(folder, FolderDestination)
    assert isinstance(webdav, WebdavDestination)


async def test_good_values_pass_the_check() -> None:
    await check("folder", {"path": "/srv/scans"}, {}, AROUND)
    await check("webdav", DAV, {"password": "p"}, AROUND)


@pytest.mark.parametrize(
    ("kind", "config", "secrets", "named"),
    [
        ("fax", {}, {}, "kind"),
        ("folder", {}, {}, "path"),
        ("folder", {"path": "  "}, {}, "path"),
        ("folder", {"path": "/etc"}, {}, "path"),
        ("folder", {"path": "/srv/scans", "mode": "777"}, {}, "mode"),
        ("folder", {"path": "/srv/scans"}, {"password": "p"}, "password"),
        ("webdav", DAV, {}, "password"),
        ("webdav", DAV | {"password": "p"}, {}, "password"),
        ("webdav", {"url": "https://93.184.216.34/"}, {"password": "p"}, "username"),
        ("webdav", DAV | {"username": "an\r\nna"}, {"password": "p"}, "username"),
        ("webdav", DAV | {"username": "an:na"}, {"password": "p"}, "username"),
        ("webdav", DAV | {"url": "https://93.184.216.34/" + "a" * 3000}, {"password": "p"}, "url"),
        ("webdav", DAV | {"url": "ftp://93.184.216.34/"}, {"password": "p"}, "url"),
        ("webdav", DAV | {"url": "https://192.168.1.5/"}, {"password": "p"}, "url"),
    ],
)
async def test_a_refusal_names_the_field(
    kind: str, config: dict[str, str], secrets: dict[str, str], named: str
) -> None:
    with pytest.raises(Rejected, match=f"^{named}: "):
        await check(kind, config, secrets, AROUND)


async def test_a_secret_never_appears_in_a_refusal() -> None:
    with pytest.raises(Rejected) as caught:
        await check("webdav", DAV, {"password": "hunter2\n"}, AROUND)
    assert "hunter2" not in str(caught.value)


def test_every_kind_explains_its_fields() -> None:
    for kind in KINDS.values():
        assert kind.label
        assert all(f.name and f.label and f.help for f in kind.fields)
