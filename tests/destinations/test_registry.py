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
MAIL = {
    "host": "93.184.216.34",
    "port": "465",
    "security": "tls",
    "sender": "scanner@example.org",
    "recipient": "anna@example.org",
}
S3 = {"endpoint": "https://93.184.216.34", "bucket": "scans", "prefix": "anna/scans", "access_key": "AKIA"}
HOOK = {"url": "https://93.184.216.34/scans"}
SFTP = {"host": "93.184.216.34", "username": "anna", "path": "scans", "host_key": "SHA256:" + "A" * 43}


def test_a_folder_and_a_webdav_collection_are_built_from_their_values() -> None:
    folder = build("folder", {"path": "/srv/scans/anna"}, {}, AROUND)
    webdav = build("webdav", DAV, {"password": "p"}, AROUND)
    assert isinstance(folder, FolderDestination)
    assert isinstance(webdav, WebdavDestination)


async def test_good_values_pass_the_check() -> None:
    await check("folder", {"path": "/srv/scans"}, {}, AROUND)
    await check("webdav", DAV, {"password": "p"}, AROUND)
    await check("mail", MAIL | {"username": "anna"}, {"password": "p"}, AROUND)
    await check("sftp", SFTP, {"password": "p"}, AROUND)
    await check("s3", S3, {"secret_key": "s+/="}, AROUND)
    await check("webhook", HOOK, {"secret": "whsec_" + "A" * 32}, AROUND)
    await check("paperless-ngx", {"url": "https://93.184.216.34/"}, {"token": "t0ken"}, AROUND)


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
        ("paperless-ngx", {"url": "https://93.184.216.34/"}, {}, "token"),
        ("paperless-ngx", {"url": "https://93.184.216.34/"}, {"token": "to ken"}, "token"),
        ("paperless-ngx", {"url": "https://93.184.216.34/"}, {"token": "tök"}, "token"),
        ("paperless-ngx", {"url": "ftp://93.184.216.34/"}, {"token": "t"}, "url"),
        ("paperless-ngx", {"url": "https://192.168.1.5/"}, {"token": "t"}, "url"),
        ("mail", MAIL | {"recipient": "anna@example.org\r\nBcc: eve@evil.example"}, {}, "recipient"),
        ("mail", MAIL | {"recipient": "anna@example.org, eve@evil.example"}, {}, "recipient"),
        ("mail", MAIL | {"sender": "scanner"}, {}, "sender"),
        ("sftp", SFTP, {}, "password"),
        ("sftp", SFTP, {"password": "p", "private_key": "p"}, "private_key"),
        ("sftp", SFTP | {"port": "ssh"}, {"password": "p"}, "port"),
        ("sftp", SFTP | {"host_key": "A" * 43}, {"password": "p"}, "host_key"),
        ("sftp", SFTP | {"host": "192.168.1.5"}, {"password": "p"}, "host"),
        ("sftp", SFTP | {"host": "192.168.1.5", "host_key": ""}, {"password": "p"}, "host"),
        ("rclone", {"path": "drive:Scans"}, {}, "path"),
        ("s3", S3, {}, "secret_key"),
        ("s3", S3 | {"access_key": "AK/IA"}, {"secret_key": "s"}, "access_key"),
        ("s3", S3 | {"endpoint": ""}, {"secret_key": "s"}, "endpoint"),
        ("s3", S3 | {"endpoint": "s3.amazonaws.com"}, {"secret_key": "s"}, "endpoint"),
        ("s3", S3 | {"endpoint": "https://192.168.1.5:9000"}, {"secret_key": "s"}, "endpoint"),
        ("s3", S3 | {"endpoint": "http://93.184.216.34"}, {"secret_key": "s"}, "endpoint"),
        ("s3", S3 | {"region": "eu.central/1"}, {"secret_key": "s"}, "region"),
        ("s3", S3 | {"bucket": "arn:aws:s3:::x"}, {"secret_key": "s"}, "bucket"),
        ("s3", S3 | {"bucket": "scans--x-s3"}, {"secret_key": "s"}, "bucket"),
        ("s3", S3 | {"prefix": "/scans"}, {"secret_key": "s"}, "prefix"),
        ("s3", S3 | {"prefix": "a/../b"}, {"secret_key": "s"}, "prefix"),
        ("s3", S3 | {"prefix": "a//b"}, {"secret_key": "s"}, "prefix"),
        ("s3", S3 | {"prefix": "é" * 300}, {"secret_key": "s"}, "prefix"),
        ("mail", MAIL | {"host": "smtp.example.org:465"}, {}, "host"),
        ("mail", MAIL | {"host": "192.168.1.5"}, {}, "host"),
        ("mail", MAIL | {"port": "99999"}, {}, "port"),
        ("mail", MAIL | {"security": "ssl"}, {}, "security"),
        ("mail", MAIL | {"security": "none"}, {}, "host"),
        ("mail", MAIL | {"security": "none", "username": "anna"}, {"password": "p"}, "security"),
        ("mail", MAIL | {"username": "anna"}, {}, "password"),
        ("mail", MAIL, {"password": "p"}, "username"),
        ("mail", MAIL | {"size_limit_mb": "0"}, {}, "size_limit_mb"),
        ("webhook", HOOK, {}, "secret"),
        ("webhook", HOOK, {"secret": "password"}, "secret"),
        ("webhook", {"url": "http://93.184.216.34/"}, {"secret": "A" * 32}, "url"),
        ("webhook", {"url": "https://192.168.1.5/"}, {"secret": "A" * 32}, "url"),
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
