"""A real WebDAV server (wsgidav) in front of a folder."""

import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from wsgidav.wsgidav_app import WsgiDAVApp

from simulator.sinks.faults import Sink
from simulator.sinks.serving import serving

_MOUNT = "/dav"


@dataclass(slots=True)
class DavSink(Sink):
    """A running server over a folder, and who may in."""

    folder: Path = field(default_factory=Path)
    username: str = ""
    password: str = ""

    def files(self) -> list[str]:
        """Return the names in the folder, hidden ones included, sorted."""
        return sorted(p.name for p in self.folder.iterdir())


@asynccontextmanager
async def webdav_sink(folder: Path, *, username: str = "anna", password: str | None = None) -> AsyncIterator[DavSink]:
    """Serve `folder` (which exists) over WebDAV with Basic authentication until the block ends."""
    sink = DavSink(folder=folder, username=username, password=password or secrets.token_urlsafe(12))
    async with serving(sink, _dav_app(sink)):
        sink.url += f"{_MOUNT}/"
        yield sink


def _dav_app(sink: DavSink) -> WsgiDAVApp:
    users = {"*": {sink.username: {"password": sink.password}}}
    app = WsgiDAVApp(
        {
            "provider_mapping": {_MOUNT: str(sink.folder)},
            "simple_dc": {"user_mapping": users},
            "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
            "dir_browser": {"enable": False},
            "verbose": 0,
            "logging": {"enable": False},
        }
    )
    logging.getLogger("wsgidav").setLevel(logging.CRITICAL)
    return app
