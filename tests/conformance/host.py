"""Our driver as a program of its own: `host.py colour|gray|lineart` scans, `list` and `watch` look. JSON on stdout."""

import asyncio
import hashlib
import json
import os
import sys
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import aiohttp
import usb.backend.libusb1

from drivers.port import Colour, Gone, Profile, Sighting
from drivers.raw import HEADER_BYTES, MEDIA_TYPE
from drivers.usb.finder import UsbFinder


def _finder(backend: Any, poll_s: float = 0.1) -> UsbFinder:
    return UsbFinder(backend, lambda: datetime.now(UTC), poll_s=poll_s)


async def scan(backend: Any, colour: str) -> list[dict[str, Any]]:
    """Scan one unit's feeder empty and return a row per page; `body` is the digest without the header of raw rows."""
    finder = _finder(backend)
    async with aclosing(finder.sightings()) as sightings:
        found = await anext(sightings)
        assert isinstance(found, Sighting)
    scanner = await finder.open(found.id)
    rows = []
    try:
        async with aclosing(scanner.scan(Profile(resolution_dpi=150, colour=Colour(colour)))) as pages:
            async for page in pages:
                data = b"".join([chunk async for chunk in page.chunks])
                body = data[HEADER_BYTES:] if page.media_type == MEDIA_TYPE else data
                end = page.end()
                rows.append(
                    {
                        "number": page.number,
                        "side": page.side,
                        "kind": page.media_type,
                        "size": [end.width_px, end.height_px],
                        "body": hashlib.sha256(body).hexdigest(),
                    }
                )
    finally:
        await scanner.close()
    return rows


async def _list() -> list[str]:
    async with aclosing(_finder(None).sightings()) as sightings:
        return [(await anext(sightings)).id, (await anext(sightings)).id]


async def _watch() -> list[dict[str, str]]:
    """Pull the unit and plug it in again; the poll alone would take a minute to see it."""
    events = []
    async with aiohttp.ClientSession() as http, aclosing(_finder(None, poll_s=60).sightings()) as sightings:
        for plugged in (None, False, True):
            if plugged is not None:
                where = f"{os.environ['SCANSNAP_PANEL']}/units/{os.environ['UNIT']}/plug"
                async with http.post(where, json={"plugged": plugged}) as answer:
                    assert answer.status == 200
            event: Sighting | Gone = await anext(sightings)
            events.append({"what": type(event).__name__, "id": event.id})
    return events


async def _hold() -> str:
    """Hold the unit, and look at it with other eyes: the sentence that they get."""
    finder = _finder(None)
    async with aclosing(finder.sightings()) as sightings:
        scanner = await finder.open((await anext(sightings)).id)
    other = UsbFinder(usb.backend.libusb1.get_backend(), lambda: datetime.now(UTC))
    async with aclosing(other.sightings()) as sightings:
        found = await anext(sightings)
    await scanner.close()
    assert isinstance(found, Sighting)
    return found.driven


if __name__ == "__main__":
    what = sys.argv[1]
    done: Any = {"list": _list, "watch": _watch, "hold": _hold}.get(what, lambda: scan(None, what))
    print(json.dumps(asyncio.run(done())))
