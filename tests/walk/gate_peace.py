"""How a house comes to rest: everything that can be put right is, the owners sign in, and all that was held flows."""

from datetime import timedelta

from gateway.core.delivery import CANNOT_SAY
from gateway.core.model import Delivery, DeliveryState
from tests.walk import gate_doors as doors
from tests.walk.gate_house import Browser, House
from tests.walk.gate_watch import Watch, expect

_QUIET_S = 3601  # after that no guess at a password or code is held against anybody
_ROUNDS = 40  # tries of one delivery are an hour apart at the most, and the window is open for a day


async def make_peace(house: House, watch: Watch) -> None:
    """Mend everything, let everybody in, and expect every page where it belongs."""
    for sink in house.place.sinks.values():
        sink.heal()
    watch.tap.turn_on()
    if house.clock.slow:
        house.clock.put_right()
        await house.services.admin.trust_clock()
    for browser in (house.browsers[0], house.browsers[2]):
        if await watch.undecided(browser.person):
            await _let_in(house, browser)
            await watch.look()
            await _drain(house, watch, browser)
    await watch.account_for_every_page()


async def _let_in(house: House, browser: Browser) -> None:
    """Do whatever it takes until the person's gate is open for a day."""
    person = browser.person
    if person.right.disabled:
        await doors.enable(house, person)
    browser.token = ""
    house.clock.passes(_QUIET_S)
    expect(await doors.password(house, browser) == 200, f"{person.name} cannot give the password")
    if browser.level == "LP":
        expect(await doors.code(house, browser, 24) == 200, f"{person.name} cannot give the code")
    if person.right.leaving:
        expect(await doors.stay(house, browser) == 204, f"{person.name} cannot stay")
    if browser.level == "L1":
        await _enable_two_factor(house, browser)


async def _enable_two_factor(house: House, browser: Browser) -> None:
    stand = house.stands[browser.person.name]
    if not stand.plugged:
        await doors.plug_in(house, browser.person)
    if await house.services.store.units.by_sighting(stand.id) is None:
        expect(await doors.claim(house, browser) == 201, "the scanner cannot be added")
    expect(await doors.start_two_factor(house, browser) == 201, "two-factor cannot be enabled")
    expect(await doors.confirm_two_factor(house, browser, 24) == 200, "two-factor cannot be confirmed")


async def _drain(house: House, watch: Watch, browser: Browser) -> None:
    """Set the clock forward until nothing is left; the owner says of each uncertain delivery what they see."""
    for _ in range(_ROUNDS):
        for row in await watch.undecided(browser.person):
            await _decide(house, watch, browser, row)
        await watch.look()
        left = await watch.undecided(browser.person)
        if not left:
            return
        due = await house.services.store.deliveries.next_try(house.clock.utc)
        if due is not None:
            house.clock.passes((due - house.clock.utc + timedelta(seconds=1)).total_seconds())
            await watch.look()
    expect(False, f"although the gate is open, these did not leave: {[(d.name, d.state, d.reason) for d in left]}")


async def _decide(house: House, watch: Watch, browser: Browser, row: Delivery) -> None:
    kind = browser.person.destinations[row.destination]
    if row.state is DeliveryState.FAILED:
        await house.call(browser, "POST", f"/deliveries/{row.id}/retry")
    elif row.state is DeliveryState.UNCERTAIN and (house.place.sinks[kind].again or row.reason == CANNOT_SAY):
        there = watch.is_there(row, await watch.sheets_of(row))
        await house.call(browser, "POST", f"/deliveries/{row.id}/{'confirm' if there else 'retry'}")
