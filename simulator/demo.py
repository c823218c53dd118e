"""The mission, played: the real daemon, an iX500 on USB and one on Wi-Fi, a real folder and a real WebDAV server.

The one bridge from the simulator to the gateway. Everything goes through the doors that people have: HTTP and paper.
"""

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pyotp
from yarl import URL

from gateway import app
from gateway.settings import Destinations, History, Network, Paths, Settings, Web
from simulator import Fleet, running
from simulator.fleet import UnitSpec
from simulator.sinks import DavSink, webdav_sink
from simulator.vens.server import EVERYBODY

EMAIL = "you@example.org"
PASSWORD = "correct horse battery staple"  # noqa: S105 - printed for the person who goes on
CLIENT = "ScanSnapCloud/1.7"  # the first version that may sign in with two-factor authentication on
SHEETS = {"desk": 10, "shelf": 3}  # in the feeder of the unit on USB, and of the one on Wi-Fi
FEED_S = 0.12  # the demonstration shall not wait for paper; a real iX500 takes 2.4 s a sheet
PATIENCE_S = 30.0
PRESS_AGAIN_S = 2.5
VIAS = {"usb": "USB", "wifi": "Wi-Fi"}


class StepFailed(Exception):
    """A step of the mission did not happen."""


@dataclass(slots=True)
class Person:
    """Somebody with a browser: calls the API and remembers the newest token."""

    http: aiohttp.ClientSession
    url: str
    token: str = ""

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call the API; StepFailed on any answer that is not 2xx."""
        headers = {"User-Agent": CLIENT} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        async with self.http.request(method, f"{self.url}/api/v1{path}", json=body, headers=headers) as answer:
            reply: dict[str, Any] = await answer.json(content_type=None) if answer.status != 204 else {}
            if answer.status >= 300:
                raise StepFailed(f"{method} {path}: {answer.status} {reply.get('detail', reply)}")
        self.token = reply.get("token", self.token)
        return reply


class Narrator:
    """A line per step, with the seconds since the start."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()

    def say(self, line: str) -> None:
        """Print one step."""
        print(f"{time.monotonic() - self._began_s:6.2f} s  {line}", flush=True)


async def until(what: str, ask: Callable[[], Awaitable[Any]]) -> Any:
    """Ask until the answer is truthy; StepFailed after 30 s."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not (answer := await ask()):
        if time.monotonic() > deadline_s:
            raise StepFailed(f"{what}: did not happen within {PATIENCE_S:.0f} s")
        await asyncio.sleep(0.05)
    return answer


def main(*, once: bool) -> int:
    """Play the mission; with `once` end there, else stay up for a person. 0, or 1 for a failed step."""
    folder = Path(".demo") / datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    try:
        asyncio.run(_play(folder.absolute(), once=once))
    except StepFailed as failed:
        print(f"failed: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


async def _play(folder: Path, *, once: bool) -> None:
    archive, cloud = folder / "archive", folder / "cloud"
    for path in (archive, cloud):
        path.mkdir(parents=True)
    fleet = Fleet.load("demo")
    fleet = Fleet(tuple(_own_address(replace(u, sheets=SHEETS[u.id], feed_s=FEED_S)) for u in fleet.units))
    tell = Narrator()
    async with AsyncExitStack() as stack:
        simulation = await stack.enter_async_context(running(fleet))
        sink = await stack.enter_async_context(webdav_sink(cloud))
        settings = Settings(
            paths=Paths(state=folder / "state", runtime=folder / "run"),
            web=Web(port=0 if once else 8710),
            network=Network(broadcast=(EVERYBODY,), mdns=("127.0.0.1",)),
            destinations=Destinations(roots=(archive,), allow=(f"127.0.0.1:{URL(sink.url).port}",)),
            history=History(keep_free_percent=0),  # a nearly full laptop has room for ten sheets
        )
        daemon = await stack.enter_async_context(app.build(settings, usb_backend=simulation.usb_backend()))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.ensure_future(daemon.run(ready=url.set_result))
        try:
            person = Person(http, await _first(url, serving))
            units = tuple(simulation.units.values())
            mission = Mission(person, units, daemon.services.sights.listing, sink, archive, daemon.setup.path, tell)
            delivered = await mission.play()
            if once:
                print(f"delivered: {delivered}")
                return
            await _stay(mission, simulation.panel_url, serving)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


def _own_address(unit: UnitSpec) -> UnitSpec:
    """Give a unit an address that no other demonstration on this machine has."""
    if unit.wifi is None:
        return unit
    address = f"127.77.{random.randrange(256)}.{random.randrange(1, 255)}"  # noqa: S311 - no secret
    return replace(unit, wifi=replace(unit.wifi, address=address))


async def _first(url: "asyncio.Future[str]", serving: "asyncio.Future[None]") -> str:
    """Return the daemon's address; whatever it failed with, if it did not come up."""
    serving.add_done_callback(lambda _: url.done() or url.cancel())
    try:
        return await url
    except asyncio.CancelledError:
        await serving
        raise


@dataclass(slots=True)
class Mission:
    """The steps, in the order in which a person meets them."""

    person: Person
    units: tuple[Any, ...]
    listing: Callable[[], Awaitable[tuple[Any, ...]]]
    sink: DavSink
    archive: Path
    setup_token: Path
    tell: Narrator
    secret: str = ""

    async def play(self) -> str:
        """Play every step and return the path of the delivered PDF."""
        await self._discover_and_register()
        await self._enable()
        await self._destinations()
        await self._hold()
        return await self._release()

    async def _discover_and_register(self) -> None:
        call = self.person.call
        for found in await until("discovery", self._all_found):
            self.tell.say(f"unit discovered: {found.model} at {found.address} ({VIAS[found.via]})")
        await call(
            "POST",
            "/setup",
            {"token": self.setup_token.read_text("ascii").strip(), "email": EMAIL, "password": PASSWORD},
        )
        self.tell.say(f"account created: {EMAIL}")
        if (await call("GET", "/account"))["two_factor_available"]:
            raise StepFailed("two-factor was available before a unit was registered")
        for unit in self.units:
            await self._register(unit)
        if not (await call("GET", "/account"))["two_factor_available"]:
            raise StepFailed("two-factor is not available after registration")
        self.tell.say("two-factor authentication available")

    async def _all_found(self) -> tuple[Any, ...]:
        found = await self.listing()
        return found if len(found) == len(self.units) else ()

    async def _register(self, unit: Any) -> None:
        call, via = self.person.call, "usb" if unit.spec.usb else "wifi"
        [sighting] = [row["id"] for row in (await call("GET", "/found"))["items"] if row["via"] == via]
        claim = await call("POST", "/claims", {"sighting": sighting})

        async def opened() -> bool:
            rows = (await call("GET", "/found"))["items"]
            return any(row["id"] == sighting and row["state"] == "ready" for row in rows)

        await until("opening the unit", opened)
        unit.press()

        async def registered() -> bool:
            return bool((await call("GET", f"/claims/{claim['id']}"))["state"] == "registered")

        await until("registration", registered)
        self.tell.say(f"Scan pressed: the unit on {VIAS[via]} is registered")

    async def _enable(self) -> None:
        enrolment = await self.person.call("POST", "/two-factor", {"password": PASSWORD})
        self.secret = enrolment["secret"]
        # The previous step's code, so that the present one is still unused for the sign-in below: nobody waits.
        code = pyotp.TOTP(self.secret).at(int(time.time()) - 30)
        answer = await self.person.call("POST", "/two-factor/confirm", {"code": code, "window_h": 12})
        if answer["level"] != "L2":
            raise StepFailed("the confirming code did not open a verified session")
        self.tell.say("two-factor authentication enabled with a code")

    async def _destinations(self) -> None:
        rows: tuple[tuple[str, str, dict[str, str], dict[str, str]], ...] = (
            ("folder", "Archive", {"path": str(self.archive)}, {}),
            (
                "webdav",
                "Cloud",
                {"url": self.sink.url, "username": self.sink.username},
                {"password": self.sink.password},
            ),
        )
        for kind, label, config, secrets in rows:
            body = {"kind": kind, "label": label, "config": config, "secrets": secrets}
            made = await self.person.call("POST", "/destinations", body)
            await self.person.call("POST", f"/destinations/{made['id']}/test")
            self.tell.say(f"destination added and tested: {label} ({kind})")

    async def _hold(self) -> None:
        await self.person.call("DELETE", "/session")
        self.person.token = ""
        self.tell.say("signed out")
        self.sink.requests.clear()
        await asyncio.gather(*(self._press(unit) for unit in self.units))
        await until("the feeders to run empty", self._fed)
        fed = " and ".join(f"{len(unit.delivered) // 2} sheets of {unit.id}" for unit in self.units)
        self.tell.say(f"Scan pressed: {fed} fed while nobody is signed in")
        await self.person.call("POST", "/session", {"email": EMAIL, "password": PASSWORD})
        self._nothing_left()
        self.tell.say("password only: still held, the folder and the WebDAV server have 0 bytes")

    async def _press(self, unit: Any) -> None:
        """Press Scan, and again if nothing moves: over Wi-Fi a unit still tells of the press that claimed it."""
        pressed_s = float("-inf")

        async def moving() -> bool:
            nonlocal pressed_s
            if time.monotonic() - pressed_s > PRESS_AGAIN_S:
                unit.press()
                pressed_s = time.monotonic()
            return bool(unit.sheets < SHEETS[unit.id])

        await until("the feeder to move", moving)

    async def _fed(self) -> bool:
        return all(len(unit.delivered) >= 2 * SHEETS[unit.id] for unit in self.units)

    def _nothing_left(self) -> None:
        left = sum(path.stat().st_size for path in self.archive.rglob("*") if path.is_file())
        if left or self.sink.bytes_received:
            raise StepFailed(f"{left + self.sink.bytes_received} bytes left the gateway while it was shut")

    async def _release(self) -> str:
        code = pyotp.TOTP(self.secret).now()
        await self.person.call("POST", "/session/code", {"code": code, "window_h": 12})
        self.tell.say("code: forwarding is open")
        scans = await until("delivery", self._delivered)
        pages = sorted(scan["pages"] for scan in scans)
        if pages != sorted(2 * sheets for sheets in SHEETS.values()):
            raise StepFailed(f"{pages} pages arrived")
        for delivery in (delivery for scan in scans for delivery in scan["deliveries"]):
            receipt = delivery["receipt"]
            self.tell.say(
                f"receipt: {receipt['location']}  {receipt['pages']} pages  "
                f"sha-256 {receipt['sha256'][:16]}…  {receipt['seconds']:.2f} s"
            )
        return str(next(self.archive.rglob("*.pdf")))

    async def _delivered(self) -> Any:
        scans = [s for s in (await self.person.call("GET", "/scans"))["items"] if s["state"] == "stored"]
        if len(scans) < len(self.units) or any(len(scan["deliveries"]) < 2 for scan in scans):
            return None
        deliveries = [delivery for scan in scans for delivery in scan["deliveries"]]
        failed = [d for d in deliveries if d["state"] in ("failed", "quarantined")]
        if failed:
            raise StepFailed(f"{failed[0]['destination']}: {failed[0]['reason']}")
        return scans if all(d["state"] == "delivered" for d in deliveries) else None


async def _stay(mission: Mission, panel_url: str, serving: "asyncio.Future[None]") -> None:
    left_s = 30 - datetime.now(UTC).timestamp() % 30
    following = pyotp.TOTP(mission.secret).at(int(time.time()) + 30)
    print(
        f"\nThe gateway stays up; end it with Ctrl-C.\n"
        f"  pages       {mission.person.url}\n"
        f"  e-mail      {EMAIL}\n"
        f"  password    {PASSWORD}\n"
        f"  secret key  {mission.secret}\n"
        f"  code        {following}  (in {left_s:.0f} s; the present one is used)\n"
        f"  scanner     {panel_url}  (load sheets, press Scan)\n",
        flush=True,
    )
    await serving
