"""Our driver as a program of its own, for the benches: `host.py raw|jpeg DPI` scans until the feeder is empty.

It keeps nothing of the pages and prints its Sample; `raw`: as from a unit that offers no JPEG.
"""

import asyncio
import sys
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime

from drivers import models
from drivers.port import Profile
from drivers.usb import finder as finders
from tests.bench import measure


async def _scan(dpi: int) -> None:
    finder = finders.UsbFinder(None, lambda: datetime.now(UTC))
    async with aclosing(finder.sightings()) as sightings:
        found = await anext(sightings)
    scanner = await finder.open(found.id)
    try:
        async with aclosing(scanner.scan(Profile(resolution_dpi=dpi))) as pages:
            async for page in pages:
                async for _ in page.chunks:
                    pass
    finally:
        await scanner.close()


if __name__ == "__main__":
    if sys.argv[1] == "raw":
        finders.lookup = lambda vendor, product: (row := models.lookup(vendor, product)) and replace(row, jpeg=False)
    measure.report(lambda: asyncio.run(_scan(int(sys.argv[2]))))
