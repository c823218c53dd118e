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

from tests.walk.conftest import PASSWORD, House, Shifted, _service
from tests.walk.crash.life import settings
from tests.walk.crash.sinks import Sinks
from tests.walk.crash.unit import Feeder


@dataclass(frozen=True, slots=True)
class Template:
    """A prepared folder, the token of its owner's session, and what its chains deliver to."""

    folder: Path
    token: str
    sinks: Sinks

    def copy(self, folder: Path) -> None:
        """Make a house of a chain's own; its destinations lie in its own folder."""
        draft = folder.with_name(f"{folder.name}-draft")
        shutil.copytree(self.folder, draft)
        with closing(sqlite3.connect(draft / "state" / "gateway.sqlite3")) as rows:
            for kind, sink in self.sinks.kinds.items():
                config = json.dumps(sink.config(folder))
                rows.execute("update destinations set config = ? where kind = ?", (config, kind))
            rows.commit()
            shutil.copytree(draft, folder)  # before the end, which would put SQLite's log into the database
        shutil.rmtree(draft)


async def make(folder: Path, sinks: Sinks) -> Template:
    """Set a house up in a folder, which must lie in that of the sinks."""
    folder.mkdir()
    for sink in sinks.kinds.values():
        for below in filter(None, (sink.below, sink.taken)):
            (folder / below).mkdir()
    feeder = Feeder(lambda what, sheet: None)
    clock = Shifted()
    house_settings = settings(folder, sinks.ports)
    visitor = aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(house_settings.web.socket),
        headers={"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"},
    )
    async with visitor as http, _service(house_settings, clock, finders=[feeder]) as (daemon, _):
        simulation = SimpleNamespace(units={"only": feeder})
        house = House("http://localhost", http, simulation, None, folder, folder / "state", daemon, clock)
        await _move_in(house, sinks)
        # As if it had been killed: with SQLite's log not yet in the database, and no folder of pages.
        kept = folder.with_name("moved-in")
        shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("*.sock", "spool"))
    return Template(kept, house.token, sinks)


async def _move_in(house: Any, sinks: Sinks) -> None:
    await house.set_up()
    await house.register()
    house.secret = (await house.call("POST", "/two-factor", {"password": PASSWORD}))["secret"]
    await house.call("POST", "/two-factor/confirm", {"code": house.code(), "window_h": 24})
    for kind, sink in sinks.kinds.items():
        body = {"kind": kind, "label": sink.label, "config": sink.config(house.archive)}
        await house.call("POST", "/destinations", body | {"secrets": dict(sink.secrets)})
