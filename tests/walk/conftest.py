"""A whole gateway over a simulated iX500, a folder and a real WebDAV server; people come in by HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pyotp
import pytest
from yarl import URL

from gateway import app
from gateway.clock import SystemClock
from gateway.core.model import Instant
from gateway.settings import Destinations, History, Network, Paths, Registration, Settings, SignIn, Web
from simulator import Fleet, running
from simulator.sinks import webdav_sink
from simulator.vens.wire import Ports

EMAIL = "you@example.org"
PASSWORD = "correct horse battery staple"
CLIENT = "ScanSnapCloud/1.7"


class Shifted:
    """The system's clock, set forward by hand on both clocks."""

    def __init__(self) -> None:
        self._system = SystemClock()
        self.ahead = timedelta()
        self.boot = ""

    def now(self) -> Instant:
        real = self._system.now()
        return Instant(real.utc + self.ahead, real.boot_s + self.ahead.total_seconds(), self.boot or real.boot_id)


async def until(what: str, ask: Callable[[], Awaitable[Any]], patience_s: float = 30.0) -> Any:
    async with asyncio.timeout(patience_s):
        while not (answer := await ask()):
            await asyncio.sleep(0.05)
        return answer
    raise AssertionError(what)


@dataclass
class House:
    """One gateway and its surroundings."""

    url: str
    http: aiohttp.ClientSession
    simulation: Any
    sink: Any
    archive: Path
    state: Path
    daemon: Any
    clock: Shifted
    token: str = ""
    secret: str = ""
    steps: set[int] = field(default_factory=set)
    running: AsyncExitStack = field(default_factory=AsyncExitStack)
    service: Callable[[], Any] = list
    rescue_key: str = ""
    codes: list[str] = field(default_factory=list)

    @property
    def unit(self) -> Any:
        return next(iter(self.simulation.units.values()))

    async def until(self, what: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        return await until(what, ask)

    async def raw(
        self, method: str, path: str, body: Any = None, *, token: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        bearer = self.token if token is None else token
        headers = {"User-Agent": CLIENT} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
        async with self.http.request(method, f"{self.url}/api/v1{path}", json=body, headers=headers) as answer:
            return answer.status, (await answer.json(content_type=None) if answer.status != 204 else {})

    async def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        status, reply = await self.raw(method, path, body)
        assert status < 300, (method, path, status, reply)
        self.token = reply.get("token", self.token)
        return reply

    def code(self) -> str:
        """Return an unused code; the clock is set forward by a step when the present ones are used up."""
        while True:
            step = int(self.clock.now().utc.timestamp()) // 30
            if step not in self.steps:
                self.steps.add(step)
                return pyotp.TOTP(self.secret).generate_otp(step)
            self.clock.ahead += timedelta(seconds=30)

    async def set_up(self) -> None:
        token = self.daemon.setup.path.read_text("ascii").strip()
        grant = await self.call("POST", "/setup", {"token": token, "email": EMAIL, "password": PASSWORD})
        self.rescue_key = grant["paper"]["rescue_key"]

    async def sighting(self) -> dict[str, Any]:
        async def found() -> Any:
            return next(iter((await self.call("GET", "/found"))["items"]), None)

        return await until("discovery", found)

    async def register(self) -> None:
        sighting = await self.sighting()
        claim = await self.call("POST", "/claims", {"sighting": sighting["id"]})

        async def opened() -> bool:
            return (await self.sighting())["state"] == "ready"

        await until("the unit to be open", opened)
        self.unit.press()

        async def registered() -> bool:
            return (await self.call("GET", f"/claims/{claim['id']}"))["state"] == "registered"

        await until("registration", registered)

    async def enable(self) -> None:
        self.secret = (await self.call("POST", "/two-factor", {"password": PASSWORD}))["secret"]
        grant = await self.call("POST", "/two-factor/confirm", {"code": self.code(), "window_h": 12})
        self.rescue_key, self.codes = grant["paper"]["rescue_key"], grant["paper"]["codes"]

    async def add_folder(self) -> str:
        body = {"kind": "folder", "label": "Archive", "config": {"path": str(self.archive)}, "secrets": {}}
        return (await self.call("POST", "/destinations", body))["id"]

    async def add_webdav(self) -> str:
        config = {"url": self.sink.url, "username": self.sink.username}
        body = {"kind": "webdav", "label": "Cloud", "config": config, "secrets": {"password": self.sink.password}}
        return (await self.call("POST", "/destinations", body))["id"]

    async def password(self) -> dict[str, Any]:
        self.token = ""
        return await self.call("POST", "/session", {"email": EMAIL, "password": PASSWORD})

    async def sign_in(self) -> dict[str, Any]:
        await self.password()
        return await self.call("POST", "/session/code", {"code": self.code(), "window_h": 12})

    async def sign_out(self) -> None:
        await self.call("DELETE", "/session")
        self.token = ""

    async def ready(self) -> None:
        """Wait until the unit was polled with its button up, so that a press is seen as one.

        Three polls: one may have seen an earlier press, and the batch that it began asks once for itself.
        """
        polls: list[int] = []

        async def polled() -> bool:
            if self.unit.button_down:
                polls.clear()
            polls.append(self.unit.polls)
            return polls[-1] - polls[0] >= 3

        await until("the unit to be polled", polled)

    async def scan(self, sheets: int) -> None:
        """Load and press, then wait until the feeder ran empty and the pages are stored."""
        await self.ready()
        before = len(self.unit.delivered)
        self.unit.load(sheets)
        self.unit.press()

        async def stored() -> bool:
            rows = await self.daemon.services.store.scans.in_state(*_DONE)
            return len(self.unit.delivered) >= before + 2 * sheets and sum(r.page_count for r in rows) >= len(
                self.unit.delivered
            )

        await until("the scan", stored)

    async def restart(self) -> None:
        """Stop the service and start it again on the same state."""
        await self.running.aclose()
        self.daemon, self.url = await self.running.enter_async_context(self.service())

    async def scans(self) -> list[dict[str, Any]]:
        return (await self.call("GET", "/scans"))["items"]

    async def delivered(self, count: int = 1) -> list[dict[str, Any]]:
        async def all_there() -> Any:
            scans = await self.scans()
            rows = [d for s in scans for d in s["deliveries"]]
            return scans if len(rows) >= count and all(d["state"] == "delivered" for d in rows) else None

        return await until("delivery", all_there)

    def left(self) -> int:
        """Return the bytes that any destination has seen."""
        return self.sink.bytes_received + sum(p.stat().st_size for p in self.archive.rglob("*") if p.is_file())


def _done() -> tuple[Any, ...]:
    from gateway.core.model import ScanState

    return (ScanState.STORED, ScanState.INCOMPLETE, ScanState.PAUSED)


_DONE = _done()
_HISTORY = History(keep_free_percent=0)
Opener = Callable[..., Any]


@pytest.fixture
def open_house(tmp_path: Path) -> Opener:
    @asynccontextmanager
    async def opener(
        *,
        sheets: int = 0,
        usb_owner: str = "",
        model: str = "iX500",
        fleet: Fleet | None = None,
        registration: Registration | None = None,
        history: History = _HISTORY,
        allow: tuple[str, ...] = (),
    ) -> AsyncIterator[House]:
        archive = tmp_path / "archive"
        archive.mkdir(exist_ok=True)
        (tmp_path / "cloud").mkdir(exist_ok=True)
        fleet = fleet or Fleet.of(model, sheets=sheets, feed_s=0.01, busy_polls=0)
        on_the_air = any(unit.wifi or unit.escl for unit in fleet.units)
        network = Network(broadcast=("127.255.255.255",), mdns=("127.0.0.1",)) if on_the_air else Network(find=False)
        async with AsyncExitStack() as stack:
            ports = Ports.free()
            simulation = await stack.enter_async_context(running(fleet, vens_ports=ports))
            sink = await stack.enter_async_context(webdav_sink(tmp_path / "cloud"))
            settings = Settings(
                paths=Paths(state=tmp_path / "state", runtime=tmp_path / "run"),
                web=Web(port=0),
                signin=SignIn(calls_per_minute=10_000, calls_per_hour=100_000),
                registration=registration or (Registration("usb", usb_owner) if usb_owner else Registration()),
                network=network,
                destinations=Destinations(
                    roots=(archive,), allow=tuple(f"127.0.0.1:{URL(url).port}" for url in (sink.url, *allow))
                ),
                history=history,
            )
            clock = Shifted()
            http = await stack.enter_async_context(aiohttp.ClientSession())

            def service() -> Any:
                air = (ports.discovery, ports.advertisement)
                return _service(settings, clock, usb_backend=simulation.usb_backend(), vens_ports=air)

            async with AsyncExitStack() as running_now:
                daemon, url = await running_now.enter_async_context(service())
                one = House(url, http, simulation, sink, archive, tmp_path / "state", daemon, clock)
                one.running, one.service = running_now, service
                yield one

    return opener


@asynccontextmanager
async def _service(settings: Settings, clock: Shifted, **doors: Any) -> AsyncIterator[tuple[Any, str]]:
    """Run one daemon; gives it and its URL."""
    async with app.build(settings, clock=clock, **doors) as daemon:
        url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.ensure_future(daemon.run(ready=url.set_result))
        try:
            await asyncio.wait({serving, url}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                await serving
            yield daemon, url.result()
            assert not serving.done(), serving
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


@pytest.fixture
async def house(open_house: Opener) -> AsyncIterator[House]:
    async with open_house() as one:
        await one.set_up()
        yield one


@pytest.fixture
async def verified(house: House) -> House:
    """A house whose owner has a unit, two-factor on, a folder, and an open session."""
    await house.register()
    await house.enable()
    await house.add_folder()
    return house
