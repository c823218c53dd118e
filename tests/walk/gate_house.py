"""A gateway of two people, as its owners left it: made once, begun anew from a copy, with a clock that stands still."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pyotp

from gateway.core.model import Instant
from gateway.settings import Destinations, Network, Paths, Registration, Settings, SignIn, Web
from tests.walk.conftest import CLIENT, PASSWORD, _service
from tests.walk.gate_model import Moment, Right
from tests.walk.gate_sinks import Place
from tests.walk.gate_units import Bus, Stand

STEP_S = 30  # of the authenticator
PATIENCE_S = 20.0  # of those who wait for the daemon, on a busy machine
_LOOK_S = 0.02
_BEGIN = datetime(2024, 5, 6, 7, 8, 10, tzinfo=UTC)
_SERIALS = {"anna": "1200753", "ben": "1200754"}


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.utc = _BEGIN
        self.boot_s = 1000.0
        self.boot = 1
        self.slow = timedelta()

    def now(self) -> Instant:
        """Return this instant."""
        return Instant(self.utc, self.boot_s, f"boot {self.boot}")

    def moment(self) -> Moment:
        """Return it for the model."""
        return Moment(self.utc.timestamp(), self.boot_s, str(self.boot))

    def passes(self, span_s: float) -> None:
        """Let time go by."""
        self.utc += timedelta(seconds=span_s)
        self.boot_s += span_s

    def set_back(self, span_s: float) -> None:
        """Set the wall clock back; nobody can do that to the other one."""
        self.slow += timedelta(seconds=span_s)
        self.utc -= timedelta(seconds=span_s)

    def put_right(self) -> None:
        """Set the wall clock right again."""
        self.utc, self.slow = self.utc + self.slow, timedelta()

    def reboot(self) -> None:
        """Start the machine again; that takes a minute."""
        self.boot, self.boot_s = self.boot + 1, 20.0
        self.utc += timedelta(minutes=1)


class Rtc:
    """A machine whose clock goes on while it is off."""

    def keeps_time(self) -> bool:
        """Say yes."""
        return True

    def synchronised(self) -> bool:
        """Say yes."""
        return True


@dataclass(slots=True)
class Person:
    """An owner: what they know, what lies in their drawer, and whether their scans may leave (`right`).

    `destinations`: the kind of each that they ever had; `removed`: those that are no more.
    """

    name: str
    email: str
    password: str = PASSWORD
    secret: str = ""
    last_step: int = 0
    rescue_key: str = ""
    codes: list[str] = field(default_factory=list)
    account: str = ""
    right: Right = field(default_factory=Right)
    destinations: dict[str, str] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)

    @property
    def present(self) -> list[str]:
        """Return the destinations that are there."""
        return [d for d in self.destinations if d not in self.removed]

    @property
    def policy_email(self) -> str:
        """Return whose the person's scanner is by the administrator's list."""
        return f"{self.name}@example.org"


@dataclass(slots=True)
class Browser:
    """What one of a person's browsers holds: its session, an authenticator being set up, a password to be rescued."""

    name: str
    person: Person
    token: str = ""
    level: str = ""
    pending: str = ""
    rescued: str = ""


class House:
    """The daemon, its two scanners and the people's browsers.

    `tokens`: session ids and their tokens; `flashes`: for whom the gate opened and may have been shut since the last
    look.
    """

    def __init__(self, place: Place, folder: Path, http: aiohttp.ClientSession) -> None:
        self.place = place
        self.folder = folder
        self.http = http
        self.clock = Hands()
        self.people = {name: Person(name, f"{name}@example.org") for name in _SERIALS}
        self.stands = {name: Stand(serial) for name, serial in _SERIALS.items()}
        self.bus = Bus(*self.stands.values())
        self.tokens: dict[str, str] = {}
        self.flashes: set[str] = set()
        anna, ben = self.people.values()
        self.browsers = [Browser("phone", anna), Browser("desk", anna), Browser("ben's", ben)]
        self.when_started: Callable[[], None] = lambda: None
        self.daemon: Any = None
        self._url = ""
        self._running = AsyncExitStack()

    def settings(self) -> Settings:
        """Return what the administrator has set."""
        remotes = self.place.rclone
        serials = tuple(f"{serial}={name}@example.org" for name, serial in _SERIALS.items())
        return Settings(
            paths=Paths(self.folder / "state", self.folder / "run"),
            web=Web(port=0),
            signin=SignIn(calls_per_minute=10_000, calls_per_hour=100_000),
            registration=Registration("serials", serials=serials),
            network=Network(find=False),
            destinations=Destinations(
                roots=(self.place.archive,),
                allow=("127.0.0.0/8",),
                remotes=remotes.allowed if remotes else (),
                rclone_config=remotes.config if remotes else Path(),
            ),
        )

    @property
    def services(self) -> Any:
        """Return the rooms of the daemon."""
        return self.daemon.services

    async def start(self) -> None:
        """Start the service and wait until it attends the scanners that it knows."""
        service = _service(self.settings(), self.clock, finders=[self.bus], hardware=Rtc())
        self.daemon, self._url = await self._running.enter_async_context(service)
        self.when_started()
        for stand in self.stands.values():
            if stand.plugged:
                await self.attended(stand)

    async def stop(self) -> None:
        """Stop it."""
        await self._running.aclose()
        self._running = AsyncExitStack()

    async def attended(self, stand: Stand) -> None:
        """Wait until a scanner that was just plugged in is seen, and awaited if it is somebody's."""
        person = next(p for p in self.people.values() if _SERIALS[p.name] == stand.serial)

        async def seen() -> bool:
            if self.services.sights.way(stand.id) is None:
                return False
            owned = await self.services.store.units.by_sighting(stand.id) is not None
            return stand.listening if owned else bool(person.email != person.policy_email or not person.account)

        await self.until("the scanner to be attended", seen)

    async def until(self, what: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Wait for it."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not (answer := await ask()):
                    await asyncio.sleep(_LOOK_S)
                return answer
        except TimeoutError:
            raise AssertionError(f"waited in vain for {what}") from None

    async def call(self, browser: Browser, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        """Ask as a browser, with the session that it has."""
        headers = {"User-Agent": CLIENT} | ({"Authorization": f"Bearer {browser.token}"} if browser.token else {})
        async with self.http.request(method, f"{self._url}/api/v1{path}", json=body, headers=headers) as answer:
            reply = await answer.json(content_type=None) if answer.status != 204 else {}
            self._came(browser)
            return answer.status, reply

    def _came(self, browser: Browser) -> None:
        """Tell the model that a session was shown; that alone may open the gate, before the request is dealt with."""
        right, now = browser.person.right, self.clock.moment()
        before = right.forwards(now)
        right.came(browser.token, now)
        if right.forwards(now) and not before:
            self.flashes.add(browser.person.name)

    def code(self, secret: str, last_step: int) -> tuple[str, int]:
        """Return a code that was not used, and its step; a moment passes if the present ones are used up."""
        present = int(self.clock.utc.timestamp()) // STEP_S
        step = max(last_step + 1, present)
        if present + 1 < step <= present + 4:
            self.clock.passes(STEP_S * (step - present - 1))
        elif step > present + 4:  # the clock was set back: none is good
            step = present
        return pyotp.TOTP(secret).generate_otp(step), step


@dataclass(frozen=True, slots=True)
class Template:
    """A house as it was left: its folder, its people, their browsers' sessions, and its clock."""

    folder: Path
    house: House

    def copy(self, folder: Path) -> House:
        """Make a house like it; it is not started."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)
        made = House(self.house.place, folder, self.house.http)
        made.clock = deepcopy(self.house.clock)
        made.tokens = dict(self.house.tokens)
        made.people, made.browsers = deepcopy((self.house.people, self.house.browsers))
        for person in made.people.values():
            person.right.restarted()
        for stand in made.stands.values():
            stand.plugged = True
        return made
