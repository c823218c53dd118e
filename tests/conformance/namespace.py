"""Parts of tests that need a network of their own: `namespace.py PART`, as root, inside unshare. JSON on stdout.

There is a loopback with multicast, a message bus and avahi on it, and nothing else.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zeroconf.asyncio import AsyncZeroconf

from drivers.escl.finder import EsclFinder
from gateway.web import announce
from simulator import Fleet, running
from tests.conformance.peers import airscan, kept, run

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/>
<allow receive_sender="*"/></policy></busconfig>
"""
AVAHI = """[server]
host-name=neighbour
use-ipv4=yes
use-ipv6=no
allow-interfaces=lo
[wide-area]
enable-wide-area=no
[publish]
publish-hinfo=no
publish-workstation=no
"""


@asynccontextmanager
async def neighbours(folder: Path) -> AsyncIterator[None]:
    """Set up the loopback and run the message bus and avahi."""
    for words in ("mount -t tmpfs none /run", "ip link set lo up", "ip link set lo multicast on"):
        subprocess.run(words.split(), check=True)
    for name in ("dbus", "avahi-daemon"):
        Path("/run", name).mkdir()
    (folder / "bus.conf").write_text(BUS, "ascii")
    (folder / "avahi.conf").write_text(AVAHI, "ascii")
    bus = ("dbus-daemon", f"--config-file={folder}/bus.conf", "--nofork", "--nopidfile", "--print-address")
    avahi = ("avahi-daemon", "-f", f"{folder}/avahi.conf", "--no-drop-root", "--no-rlimits", "--no-chroot")
    async with kept(*bus, until=b"unix:path"), kept(*avahi, until=b"startup complete"):
        yield


async def listed(folder: Path) -> dict[str, Any]:
    """What SANE's programs list while the office machine is announced."""
    async with running(Fleet.load("office")) as simulation:
        environment = {"SANE_CONFIG_DIR": airscan(folder, discovery=True)}
        discovered = await run("airscan-discover", **environment)
        shown = await run("scanimage", "-L", **environment)
        unit = simulation.unit("office")
        unit.put_on_glass()
        name = f"airscan:e0:{simulation.escl['office'].offer.name}"
        page = await run(
            "scanimage", "-d", name, "--resolution", "75", f"--output-file={folder}/page.pnm", **environment
        )
        return {
            "url": simulation.escl_urls["office"],
            "discovered": discovered.out,
            "listed": shown.out,
            "scan": [page.code, page.err],
            "delivered": len(unit.delivered),
            "errors": unit.errors,
        }


async def announced(_folder: Path) -> dict[str, Any]:
    """What avahi sees of two simulated units."""
    [office] = Fleet.load("office").units
    named = (
        replace(office, id=side, serial=n, escl=replace(office.escl, make_and_model=side) if office.escl else None)
        for n, side in enumerate(("left", "right"))
    )
    async with running(Fleet(tuple(named))):
        browsed = await run("avahi-browse", "--resolve", "--parsable", "--terminate", "_uscan._tcp")
        return {"out": browsed.out}


async def page(_folder: Path) -> dict[str, Any]:
    """What avahi sees of the gateway's own page."""
    zeroconf = AsyncZeroconf(interfaces=["127.0.0.1"])
    try:
        told = {"name": "ScanSnap Gateway here", "host": "scansnap-gateway", "port": 8710, "tls": False}
        async with announce.announced(zeroconf, addresses=["127.0.0.1"], **told) as announced:
            browsed = await run("avahi-browse", "--resolve", "--parsable", "--terminate", "_http._tcp")
            named = await run("avahi-resolve", "-4", "-n", "scansnap-gateway.local")
            return {"out": browsed.out, "named": named.out, "url": announced.url if announced else ""}
    finally:
        await zeroconf.async_close()


async def published(_folder: Path) -> list[str]:
    """Which sightings come of a unit that avahi publishes for us."""
    [office] = Fleet.load("office").units
    quiet = replace(office, escl=replace(office.escl, announced=False) if office.escl else None)
    zeroconf = AsyncZeroconf(interfaces=["127.0.0.1"])
    try:
        async with running(Fleet((quiet,))) as simulation:
            port = str(simulation.escl["office"].address[1])
            words = ("avahi-publish", "-s", "By avahi", "_uscan._tcp", port, "txtvers=1", "rs=/eSCL/")
            finder = EsclFinder(now=lambda: datetime.now(UTC), zeroconf=zeroconf)
            async with (
                kept(*words, until=b"Established"),
                aclosing(finder.sightings()) as sightings,
                asyncio.timeout(20),
            ):
                sighting = await anext(sightings)
                return [sighting.id, getattr(sighting, "model", ""), getattr(sighting, "driven", "")]
    finally:
        await zeroconf.async_close()


PARTS = {"listed": listed, "announced": announced, "page": page, "published": published}


async def _main(part: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        async with neighbours(Path(folder)):
            return await PARTS[part](Path(folder))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_main(sys.argv[1]))))
