"""Other people's pages while a hundred wrong passwords come at once. Peer: the same page with nobody at the door."""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import aiohttp

from gateway.settings import Web
from tests.bench.measure import Sample
from tests.bench.table import Row
from tests.web.doors import Door, door

_GUESSES = 100
_PAGES = 20


def bench() -> list[Row]:
    """Measure both in one run; the result is the median page, wall time only."""
    with tempfile.TemporaryDirectory(prefix="bench-storm-") as name:
        return asyncio.run(_bench(Path(name)))


async def _bench(folder: Path) -> list[Row]:
    async with door(folder, Web(port=0)) as here, aiohttp.ClientSession() as http:
        async with http.post(f"{here.url}/api/v1/setup", json=here.setup()) as answer:
            token = (await answer.json())["token"]
        calm = await _page_s(here, http, token)
        storm = asyncio.gather(*(_guess(here, http, number) for number in range(_GUESSES)))
        await asyncio.sleep(0)
        stormy = await _page_s(here, http, token)
        await storm
        what = f"a page during {_GUESSES} wrong passwords"
        return [Row(what, "ours", stormy, calm), Row(what, "nobody at the door", calm, calm)]


async def _page_s(here: Door, http: aiohttp.ClientSession, token: str) -> Sample:
    took = []
    for _ in range(_PAGES):
        began_s = time.perf_counter()
        async with http.get(f"{here.url}/api/v1/units", headers={"Authorization": f"Bearer {token}"}) as answer:
            await answer.read()
        took.append(time.perf_counter() - began_s)
    return Sample(statistics.median(took), 0.0, 0.0)


async def _guess(here: Door, http: aiohttp.ClientSession, number: int) -> None:
    body = {"email": f"x{number}@example.org", "password": "not this one, not this one"}
    async with http.post(f"{here.url}/api/v1/session", json=body) as answer:
        await answer.read()
