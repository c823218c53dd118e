"""The house as its owner left it: an account with two-factor on, a unit, destinations, and an open session.

It is made once, by the daemon itself; every chain begins with a copy, so that no life has to stretch a password.
"""

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp

from simulator.sinks import DavSink
from tests.walk.conftest import PASSWORD, House, Shifted, _service
from tests.walk.crash.life import settings
from tests.walk.crash.sinks import SINKS
from tests.walk.crash.unit import Feeder


@dataclass(frozen=True, slots=True)
class Template:
    """A prepared folder, the token of its owner's session, and the server that its chains deliver to."""

    folder: Path
    token: str
    dav: DavSink

    @property
    def sink_port(self) -> int:
        """Return the port of the server."""
        return int(self.dav.url.split(":")[2].partition("/")[0])

    def copy(self, folder: Path) -> None:
        """Make a house of a chain's own; its destinations lie in its own folder."""
        draft = folder.with_name(f"{folder.name}-draft")
        shutil.copytree(self.folder, draft)
        with closing(sqlite3.connect(draft / "state" / "gateway.sqlite3")) as rows:
            for kind, sink in SINKS.items():
                config = json.dumps(sink.config(folder, self.dav))
                rows.execute("update destinations set config = ? where kind = ?", (config, kind))
            rows.commit()
            shutil.copytree(draft, folder)  # before the end, which would put SQLite's log into the database
        shutil.rmtree(draft)


async def make(folder: Path, dav: DavSink) -> Template:
    """Set a house up in a folder, which must lie in that of the server."""
    folder.mkdir()
    for sink in SINKS.values():
        (folder / sink.below).mkdir()
    template = Template(folder, "", dav)
    feeder = Feeder(lambda what, sheet: None)
    clock = Shifted()
    house_settings = settings(folder, template.sink_port)
    visitor = aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(house_settings.web.socket),
        headers={"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"},
    )
    async with visitor as http, _service(house_settings, clock, finders=[feeder]) as (daemon, _):
        simulation = SimpleNamespace(units={"only": feeder})
        house = House("http://localhost", http, simulation, dav, folder, folder / "state", daemon, clock)
        await _move_in(house)
        # As if it had been killed: with SQLite's log not yet in the database, and no folder of pages.
        kept = folder.with_name("moved-in")
        shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("*.sock", "spool"))
    return Template(kept, house.token, dav)


async def _move_in(house: Any) -> None:
    await house.set_up()
    await house.register()
    house.secret = (await house.call("POST", "/two-factor", {"password": PASSWORD}))["secret"]
    await house.call("POST", "/two-factor/confirm", {"code": house.code(), "window_h": 24})
    for kind, sink in SINKS.items():
        body = {"kind": kind, "label": sink.label, "config": sink.config(house.archive, house.sink)}
        await house.call("POST", "/destinations", body | {"secrets": sink.secrets(house.sink)})
