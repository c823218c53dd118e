"""Random interleavings of everything that opens or shuts the gate, with scans and failing sinks in between.

No rule is offered only in some states: what is drawn must not hang on how fast the daemon is.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from gateway.core.model import DeliveryState
from tests.walk import gate_doors as doors
from tests.walk.gate_house import Browser
from tests.walk.gate_machine import GateMachine
from tests.walk.gate_sinks import KINDS, LOSES_REPLIES, REFUSES

Event = Callable[..., Coroutine[Any, Any, int]]
HOURS = st.sampled_from((1, 12, 24))
WHO = st.integers(0, 2)  # a browser
PERSON = st.sampled_from(("anna", "ben"))
SPANS_S = (5, 240, 1860, 3601, 12 * 3600 + 1, 24 * 3600 + 1)
SHUTS = (doors.stop_forwarding, doors.sign_out, doors.change_password, doors.leave, doors.disable_two_factor)
RIGHT = st.sampled_from((True, True, True, False))


class Scanning(GateMachine):
    """Scans, their destinations, and single deliveries."""

    @rule(name=PERSON, sheets=st.integers(1, 2), large=st.booleans())
    def scan(self, name: str, sheets: int, large: bool) -> None:
        """Somebody presses Scan."""
        made = tuple(self.street.sheet(name, large=large) for _ in range(sheets))
        self.do(self.watch.scanned(self.person(name), made))

    @rule(hasty=st.booleans())
    def scan_to_slow_sinks(self, hasty: bool) -> None:
        """Anna scans, and every upload stands still in its middle; `hasty`: it goes on at the moment the gate shuts."""
        self.verified(0)
        self.watch.tap.turn_off()
        self.watch.hasty = hasty
        self.do(self.watch.scanned(self.person("anna"), (self.street.sheet("anna", large=True),)))

    @rule(hasty=st.booleans(), what=st.sampled_from(SHUTS))
    def gate_shuts_over_slow_sinks(self, hasty: bool, what: Event) -> None:
        """Anna scans to slow sinks, and does at once what shuts the gate, unless another session holds it open."""
        browser = self.verified(0)
        self.watch.tap.turn_off()
        self.watch.hasty = hasty
        self.do(self.watch.scanned(browser.person, (self.street.sheet("anna", large=True),)))
        self.do(what(self.house, browser))

    @rule(kind=st.sampled_from(KINDS), ail=st.sampled_from((REFUSES, LOSES_REPLIES, "")))
    def sink_fails_or_all_are_mended(self, kind: str, ail: str) -> None:
        """A sink fails from now on; without an `ail` all are well again, and slow ones go on."""
        sinks = self.house.place.sinks
        if kind in sinks and ail in sinks[kind].ails:
            sinks[kind].ails[ail]()
        elif not ail:
            for sink in sinks.values():
                sink.heal()
            self.watch.tap.turn_on()
            self.do(asyncio.sleep(0))

    @rule(who=WHO, n=st.integers(0, 9), adds=st.booleans())
    def destination_comes_or_goes(self, who: int, n: int, adds: bool) -> None:
        """An owner removes a destination, or Anna adds one of a kind that she has not any more."""
        anna = self.person("anna")
        lacking = self.house.place.sinks.keys() - {anna.destinations[d] for d in anna.present}
        if adds and lacking:
            self.do(doors.add_destination(self.house, self.verified(0), sorted(lacking)[n % len(lacking)]))
        elif not adds and (there := self.house.browsers[who].person.present):
            self.do(doors.remove_destination(self.house, self.verified(who), there[n % len(there)]))

    @rule(who=WHO, n=st.integers(0, 99), word=st.sampled_from(("resend", "retry", "discard")))
    def owner_decides(self, who: int, n: int, word: str) -> None:
        """An owner has a scan sent once more, or a failed or uncertain delivery tried again, or gives one up."""
        browser = self.verified(who)
        self.do(self._resend(browser, n) if word == "resend" else self._decide(browser, n, word))

    async def _resend(self, browser: Browser, n: int) -> None:
        store, there = self.house.services.store, browser.person.present
        scans = await store.scans.of_account(browser.person.account, 100, None)
        if not scans or not there:
            return
        scan, to = scans[n % len(scans)], there[n % len(there)]
        status, _ = await self.house.call(browser, "POST", f"/scans/{scan.id}/deliveries", {"destination": to})
        if status == 201:
            await self._may_be_there_again(
                browser, next(d for d in await store.deliveries.of_scan(scan.id) if d.destination == to)
            )

    async def _decide(self, browser: Browser, n: int, word: str) -> None:
        rows = await self.watch.undecided(browser.person)
        if not rows:
            return
        row = rows[n % len(rows)]
        status, _ = await self.house.call(browser, "POST", f"/deliveries/{row.id}/{word}")
        if status == 204 and word == "retry" and row.state is DeliveryState.UNCERTAIN:
            await self._may_be_there_again(browser, row)

    async def _may_be_there_again(self, browser: Browser, delivery: Any) -> None:
        kind = browser.person.destinations[delivery.destination]
        self.watch.again.update((kind, sheet) for sheet in await self.watch.sheets_of(delivery))


class Sessions(GateMachine):
    """Sign-ins and what ends them."""

    @rule(who=WHO, right=RIGHT)
    def password(self, who: int, right: bool) -> None:
        """A browser gives the password."""
        self.do(doors.password(self.house, self.browser(who), right=right))

    @rule(who=WHO, hours=HOURS, right=RIGHT)
    def code(self, who: int, hours: int, right: bool) -> None:
        """A browser gives the authentication code."""
        self.do(doors.code(self.house, self.browser(who), hours, right=right))

    @rule(who=WHO, hours=HOURS)
    def sign_in(self, who: int, hours: int) -> None:
        """A browser gives password and code."""
        self.sign_in_with(self.browser(who), hours)

    @rule(who=WHO, everywhere=st.booleans())
    def sign_out(self, who: int, everywhere: bool) -> None:
        """A browser signs out."""
        self.do(doors.sign_out(self.house, self.browser(who), everywhere=everywhere))

    @rule(who=WHO)
    def another_is_ended(self, who: int) -> None:
        """A browser ends another session."""
        self.do(doors.end_another(self.house, self.browser(who)))

    @rule(who=WHO)
    def forwarding_is_stopped(self, who: int) -> None:
        """[Stop forwarding now]."""
        self.do(doors.stop_forwarding(self.house, self.verified(who)))

    @rule(who=WHO, looks=st.booleans())
    def page_is_opened_or_cookie_lost(self, who: int, looks: bool) -> None:
        """A browser looks who it is; or it loses its cookie, and the session goes on without it."""
        browser = self.browser(who)
        if looks:
            self.do(self.house.call(browser, "GET", "/session"))
        elif len(browser.person.right.windows) < 3:
            browser.token = browser.level = ""


class Times(GateMachine):
    """Clocks, restarts, reboots."""

    @rule(span_s=st.sampled_from(SPANS_S))
    def time_passes(self, span_s: int) -> None:
        """Time goes by."""
        self.house.clock.passes(span_s)
        self.do(asyncio.sleep(0))

    @rule(name=PERSON, short_s=st.sampled_from((1, 0)))
    def window_nears_its_end(self, name: str, short_s: int) -> None:
        """Time goes by until a window is about to end, or ends."""
        left_s = self.person(name).right.seconds_left(self.house.clock.moment())
        if left_s > short_s:
            self.house.clock.passes(left_s - short_s)
            self.do(asyncio.sleep(0))

    @rule(span_s=st.sampled_from((0, 0, 180, 7200, 26 * 3600)))
    def clock_is_set(self, span_s: int) -> None:
        """Somebody sets the wall clock back, or with 0 puts it right, and the administrator says so."""
        if span_s:
            self.house.clock.set_back(span_s)
            self.do(asyncio.sleep(0))
        elif self.house.clock.slow:
            self.house.clock.put_right()
            self.do(self.house.services.admin.trust_clock())

    @rule(reboots=st.sampled_from((False, False, True)), looks=st.booleans())
    def restart(self, reboots: bool, looks: bool) -> None:
        """The service is started again, perhaps with the machine; `looks`: the phone's page is open and asks."""
        self.do(self._restart(reboots))
        if looks:
            self.do(self.house.call(self.house.browsers[0], "GET", "/session"))

    async def _restart(self, reboots: bool) -> None:
        await self.house.stop()
        for person in self.house.people.values():
            person.right.restarted()
        for browser in self.house.browsers:
            browser.pending = ""
        if reboots:
            self.house.clock.reboot()
            for left in (self.house.folder / "run").iterdir():
                left.unlink()
        await self.house.start()


class Accounts(GateMachine):
    """Two-factor, passwords, scanners, and the administrator."""

    @rule(who=WHO, hours=HOURS, confirms=st.booleans())
    def authenticator_is_set_up(self, who: int, hours: int, confirms: bool) -> None:
        """A browser signs in and begins to set up an authenticator; or each that has begun gives the first code."""
        if not confirms:
            self.do(doors.start_two_factor(self.house, self.verified(who)))
        for browser in self.house.browsers if confirms else ():
            if browser.pending:
                self.do(doors.confirm_two_factor(self.house, browser, hours))

    @rule(who=WHO)
    def two_factor_is_disabled(self, who: int) -> None:
        """An owner disables two-factor."""
        self.do(doors.disable_two_factor(self.house, self.verified(who)))

    @rule(who=WHO, what=st.sampled_from((doors.change_password, doors.change_email)))
    def owner_changes_how_to_sign_in(self, who: int, what: Event) -> None:
        """An owner changes the password or the e-mail address."""
        self.do(what(self.house, self.verified(who)))

    @rule(who=WHO, stays=st.booleans())
    def owner_leaves(self, who: int, stays: bool) -> None:
        """An owner begins to delete the account; one who has begun signs in, and perhaps calls it off."""
        browser = self.verified(who)
        if not browser.person.right.leaving:
            self.do(doors.leave(self.house, browser))
        elif stays:
            self.do(doors.stay(self.house, browser))

    @rule(who=WHO, hours=HOURS, what=st.sampled_from((doors.rescue, doors.reset, doors.reset_and_drop)))
    def password_is_lost(self, who: int, hours: int, what: Event) -> None:
        """Somebody has the rescue key, or with it a ticket from the administrator; then the code, if one is due."""
        browser = self.browser(who)
        self.do(what(self.house, browser))
        if hours > 1 and browser.level == "LP":
            self.do(doors.code(self.house, browser, hours))

    @rule(who=WHO, hours=HOURS)
    def authenticator_is_lost(self, who: int, hours: int) -> None:
        """Somebody signs in with a code from paper, and perhaps sets up another authenticator."""
        browser = self.browser(who)
        self.do(doors.password(self.house, browser))
        self.do(doors.paper_code(self.house, browser))
        if hours > 1 and browser.level == "LR":
            self.do(doors.start_two_factor(self.house, browser))
            self.do(doors.confirm_two_factor(self.house, browser, hours))

    @rule(name=PERSON)
    def account_is_disabled_or_enabled(self, name: str) -> None:
        """The administrator disables an account, or enables it again."""
        person = self.person(name)
        self.do((doors.enable if person.right.disabled else doors.disable)(self.house, person))

    @rule(who=WHO, by_hand=st.booleans())
    def scanner_goes_or_comes(self, who: int, by_hand: bool) -> None:
        """The administrator takes a scanner away; or it is plugged in and its owner's by the list, or by its button."""
        browser = self.browser(who)
        plugged = self.house.stands[browser.person.name].plugged
        if plugged and by_hand:
            self.do(doors.claim(self.house, browser))
        else:
            self.do((doors.force_out if plugged else doors.plug_in)(self.house, browser.person))


class Life(Scanning, Sessions, Times, Accounts):
    """All of it."""
