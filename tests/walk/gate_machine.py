"""Under every life: the real daemon, driven through the doors that people have, and a look after each event."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from tests.walk import gate_doors as doors
from tests.walk.crash.sheets import Sheet
from tests.walk.gate_house import Browser, House, Person, Template
from tests.walk.gate_peace import make_peace
from tests.walk.gate_watch import Watch

T = TypeVar("T")
FRESH_S = 600  # how long password and code are good for what needs them anew
LARGE_BYTES = 200_000  # more than the 64 KiB that some sinks are given only after the gate's last word


@dataclass(slots=True)
class Street:
    """What outlives every house: the loop, the template with its sinks, a folder, and how many sheets there were."""

    runner: asyncio.Runner
    template: Template
    folder: Path
    sheets: "count[int]"

    def house(self) -> House:
        """Make a house as its people left it, with sinks that are empty and well; it is not started."""
        made = self.template.copy(self.folder)
        for sink in made.place.sinks.values():
            sink.heal()
            sink.empty()
        return made

    def sheet(self, name: str, *, large: bool = False) -> Sheet:
        """Make a sheet that nobody saw before; its length is its own."""
        number = next(self.sheets)
        return Sheet(f"{name:-<4}-{number:05d}", number + LARGE_BYTES * large)


class GateMachine(RuleBasedStateMachine):
    """The real daemon, driven through the doors that people have; after every rule all sinks are looked at."""

    street: ClassVar[Street]
    asks_the_page: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.house: House = self.street.house()
        self.watch = Watch(self.house, self.street.sheet, asks_the_page=self.asks_the_page)
        self.broken = True
        self.street.runner.run(self.house.start())
        self.broken = False

    def do(self, event: Coroutine[Any, Any, T]) -> T:
        """Have something happen, then look at all sinks."""

        async def happening() -> T:
            answer = await event
            await self.watch.look()
            return answer

        self.broken = True
        answer = self.street.runner.run(happening())
        self.broken = False
        return answer

    def teardown(self) -> None:
        """Let everything that is held flow, unless something went wrong; end the house."""
        try:
            if not self.broken:
                self.street.runner.run(make_peace(self.house, self.watch))
        finally:
            self.watch.tap.turn_on()
            self.street.runner.run(self.house.stop())

    # No rule is offered only in some states: what is drawn must not hang on how fast the daemon is.

    def browser(self, who: int) -> Browser:
        """Return one of the browsers."""
        return self.house.browsers[who]

    def verified(self, who: int) -> Browser:
        """Return one of the browsers with a verified session of this very moment, if its owner can have one."""
        browser, now = self.browser(who), self.house.clock.moment()
        window = browser.person.right.windows.get(browser.token)
        if window is None or not window.lives(now) or not 0 <= now.wall_s - window.since.wall_s < FRESH_S:
            self.sign_in_with(browser, 12)
        return browser

    def sign_in_with(self, browser: Browser, hours: int) -> None:
        """Give the password, then the code if one is due."""
        self.do(doors.password(self.house, browser))
        if browser.level == "LP":
            self.do(doors.code(self.house, browser, hours))

    def person(self, name: str) -> Person:
        """Return a person."""
        return self.house.people[name]
