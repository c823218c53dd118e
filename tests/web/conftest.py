"""A whole gateway over a simulated iX500, a folder and a real WebDAV server, and browsers that come in by HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pyotp
import pytest
import pytest_asyncio
from yarl import URL

from gateway import app
from gateway.clock import SystemClock
from gateway.core.model import Instant, ScanState
from gateway.settings import Destinations, History, Network, Paths, Settings, SignIn, Web
from simulator import Fleet, running
from simulator.sinks import webdav_sink
from tests.web import description
from tests.web.browser import Browser

EMAIL = "you@example.org"
PASSWORD = "correct horse battery staple"
CLIENT = "ScanSnapCloud/1.7 (tests)"
AT_REST = (ScanState.STORED, ScanState.INCOMPLETE, ScanState.PAUSED)


class Shifted:
    """The system's clock, set forward by hand on both clocks."""

    def __init__(self) -> None:
        self._system = SystemClock()
        self.ahead = timedelta()

    def now(self) -> Instant:
        real = self._system.now()
        return Instant(real.utc + self.ahead, real.boot_s + self.ahead.total_seconds(), real.boot_id)


async def until(what: str, ask: Callable[[], Awaitable[Any]], patience_s: float = 30.0) -> Any:
    """Ask again and again until the answer is true."""
    try:
        async with asyncio.timeout(patience_s):
            while not (answer := await ask()):
                await asyncio.sleep(0.02)
            return answer
    except TimeoutError:
        raise AssertionError(f"waited {patience_s} s for {what}") from None


@dataclass
class Answer:
    """One answer of the API."""

    status: int
    headers: Any
    media_type: str
    content: bytes
    json: Any

    @property
    def reason(self) -> str:
        """Return the last part of a problem's type."""
        return str(self.json["type"]).rsplit("/", 1)[-1]


@dataclass
class House:
    """One gateway and its surroundings. `token` is the bearer token of the last sign-in."""

    url: str
    http: aiohttp.ClientSession
    stack: AsyncExitStack
    simulation: Any
    sink: Any
    archive: Path
    state: Path
    daemon: Any
    clock: Shifted
    token: str = ""
    secret: str = ""
    unit_id: str = ""
    steps: set[int] = field(default_factory=set)
    rescue_key: str = ""
    codes: list[str] = field(default_factory=list)

    @property
    def unit(self) -> Any:
        return next(iter(self.simulation.units.values()))

    async def browser(self) -> Browser:
        """Open another browser, with cookies of its own."""
        jar = aiohttp.CookieJar(unsafe=True)  # "unsafe" is a cookie for an IP address
        return Browser(self.url, await self.stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar)))

    async def raw(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **options: Any
    ) -> Answer:
        """Send one request below /api/v1; `options` go to aiohttp as they are."""
        bearer = self.token if token is None else token
        headers = {"User-Agent": CLIENT} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
        options["headers"] = headers | options.get("headers", {})
        if body is not None:
            options["json"] = body
        async with self.http.request(method, URL(f"{self.url}/api/v1{path}", encoded=True), **options) as answer:
            content = await answer.read()
            json = await answer.json(content_type=None) if "json" in answer.content_type and content else None
            return Answer(answer.status, answer.headers, answer.content_type, content, json)

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request that must succeed; a new token is kept."""
        answer = await self.raw(method, path, body)
        assert answer.status < 300, (method, path, answer.status, answer.content)
        if answer.json and "token" in answer.json:
            self.token = answer.json["token"]
        return answer.json

    def code(self) -> str:
        """Return an unused code; the clock is set forward by a step when the present ones are used up."""
        while True:
            step = int(self.clock.now().utc.timestamp()) // 30
            if step not in self.steps:
                self.steps.add(step)
                return pyotp.TOTP(self.secret).generate_otp(step)
            self.clock.ahead += timedelta(seconds=30)

    def setup_token(self) -> str:
        return str(self.daemon.setup.path.read_text("ascii").strip())

    async def set_up(self) -> None:
        body = {"token": self.setup_token(), "email": EMAIL, "password": PASSWORD}
        self.rescue_key = (await self.call("POST", "/setup", body))["paper"]["rescue_key"]

    async def sighting(self) -> dict[str, Any]:
        """Return the unit in sight, as soon as it is."""

        async def found() -> Any:
            listed = await self.raw("GET", "/found")
            return next(iter(listed.json["items"]), None)

        return dict(await until("discovery", found))

    async def press_for_claim(self) -> None:
        """Press Scan on the claimed unit as soon as it is polled."""

        async def opened() -> bool:
            return bool((await self.sighting())["state"] == "ready")

        await until("the unit to be open", opened)
        await self.polled()
        self.unit.press()

    async def register(self) -> None:
        claim = await self.call("POST", "/claims", {"sighting": (await self.sighting())["id"]})
        await self.press_for_claim()

        async def registered() -> Any:
            return (await self.call("GET", f"/claims/{claim['id']}"))["unit"]

        self.unit_id = await until("registration", registered)

    async def enable(self) -> None:
        self.secret = (await self.call("POST", "/two-factor", {"password": PASSWORD}))["secret"]
        grant = await self.call("POST", "/two-factor/confirm", {"code": self.code(), "window_h": 12})
        self.rescue_key, self.codes = grant["paper"]["rescue_key"], grant["paper"]["codes"]

    async def add_folder(self) -> str:
        body = {"kind": "folder", "label": "Archive", "config": {"path": str(self.archive)}, "secrets": {}}
        return str((await self.call("POST", "/destinations", body))["id"])

    async def add_webdav(self) -> str:
        config = {"url": self.sink.url, "username": self.sink.username}
        body = {"kind": "webdav", "label": "Cloud", "config": config, "secrets": {"password": self.sink.password}}
        return str((await self.call("POST", "/destinations", body))["id"])

    async def password(self) -> str:
        """Sign in with the password only; return the token of that session."""
        self.token = ""
        return str((await self.call("POST", "/session", {"email": EMAIL, "password": PASSWORD}))["token"])

    async def sign_in(self) -> str:
        await self.password()
        return str((await self.call("POST", "/session/code", {"code": self.code(), "window_h": 12}))["token"])

    async def sign_in_by_paper(self) -> str:
        """Sign in with password and a sign-in code."""
        await self.password()
        return str((await self.call("POST", "/session/sign-in-code", {"code": self.codes.pop()}))["token"])

    async def disable(self, held: int) -> None:
        """Switch two-factor off; every session ends."""
        await self.call("POST", "/two-factor/disable", {"password": PASSWORD, "code": self.code(), "held": held})
        self.token = ""

    async def polled(self) -> None:
        """Wait until the unit was polled three times with its button up, so that a press is seen as one."""
        polls: list[int] = []

        async def seen() -> bool:
            if self.unit.button_down:
                polls.clear()
            polls.append(self.unit.polls)
            return polls[-1] - polls[0] >= 3

        await until("the unit to be polled", seen)

    async def scan(self, sheets: int = 1) -> None:
        """Load and press, then wait until the feeder ran empty and the pages are stored."""
        sent, had = len(self.unit.delivered), await self._pages()
        self.unit.load(sheets)  # a unit with paper is polled more often
        await self.polled()
        self.unit.press()

        async def stored() -> bool:
            new = len(self.unit.delivered) - sent
            return new >= 2 * sheets and await self._pages() >= had + new

        await until("the scan", stored)

    async def _pages(self) -> int:
        rows = await self.daemon.services.store.scans.in_state(*AT_REST)
        return sum(row.page_count for row in rows)

    def left(self) -> int:
        """Return the bytes that any destination has seen."""
        return int(self.sink.bytes_received) + sum(p.stat().st_size for p in self.archive.rglob("*") if p.is_file())


@asynccontextmanager
async def open_house(folder: Path) -> AsyncIterator[House]:
    """Run a daemon in an empty folder, without an account."""
    archive = folder / "archive"
    archive.mkdir()
    (folder / "cloud").mkdir()
    fleet = Fleet.load("ix500")
    fleet = replace(fleet, units=tuple(replace(u, sheets=0, feed_s=0.01) for u in fleet.units))
    async with AsyncExitStack() as stack:
        simulation = await stack.enter_async_context(running(fleet))
        sink = await stack.enter_async_context(webdav_sink(folder / "cloud"))
        settings = Settings(
            paths=Paths(state=folder / "state", runtime=folder / "run"),
            web=Web(port=0),
            signin=SignIn(calls_per_minute=10_000, calls_per_hour=100_000),
            network=Network(find=False),
            destinations=Destinations(roots=(archive,), allow=(f"127.0.0.1:{URL(sink.url).port}",)),
            history=History(keep_free_percent=0),
        )
        clock = Shifted()
        daemon = await stack.enter_async_context(app.build(settings, clock=clock, usb_backend=simulation.usb_backend()))
        http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), middlewares=(description.judge,))
        await stack.enter_async_context(http)
        url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.ensure_future(daemon.run(ready=url.set_result))
        either: tuple[asyncio.Future[Any], ...] = (serving, url)
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                await serving
            yield House(url.result(), http, stack, simulation, sink, archive, folder / "state", daemon, clock)
            assert not serving.done(), serving
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A daemon without an account."""
    async with open_house(tmp_path) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A daemon whose owner has a unit, two-factor, a folder and an L2 session; shared by the tests of one file."""
    async with open_house(tmp_path_factory.mktemp("house")) as one:
        await one.set_up()
        await one.register()
        await one.enable()
        await one.add_folder()
        yield one
