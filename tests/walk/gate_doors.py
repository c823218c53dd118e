"""What people do, at the doors that they have, and what the model is told of the answers."""

from typing import Any

from gateway.core.model import DeliveryState
from tests.walk.gate_house import Browser, House, Person

WRONG = "a password of nobody here"
_OTHERS = ("a staple of another colour", "one more battery for the horse", "correct horse battery staple")
_OPEN = (DeliveryState.WAITING, DeliveryState.FAILED, DeliveryState.UNCERTAIN)


def _enter(browser: Browser, reply: dict[str, Any]) -> None:
    """Take the new session, and the paper that came with it."""
    browser.token, browser.level = reply["token"], reply["level"]
    if reply["paper"]:
        browser.person.rescue_key = reply["paper"]["rescue_key"]
        browser.person.codes = reply["paper"]["codes"] or browser.person.codes


async def _verified(house: House, browser: Browser, reply: dict[str, Any], hours: int) -> None:
    _enter(browser, reply)
    browser.person.right.verified(browser.token, house.clock.moment(), hours)
    _, rows = await house.call(browser, "GET", "/sessions")
    house.tokens |= {row["id"]: browser.token for row in rows["items"] if row["yours"]}


async def password(house: House, browser: Browser, *, right: bool = True) -> int:
    """Give the password."""
    person = browser.person
    body = {"email": person.email, "password": person.password if right else WRONG}
    status, reply = await house.call(browser, "POST", "/session", body)
    if status == 200:
        person.right.ended(browser.token)  # what the browser's cookie named
        browser.rescued = ""
        _enter(browser, reply)
    return status


async def code(house: House, browser: Browser, hours: int, *, right: bool = True) -> int:
    """Give the authentication code, and so perhaps make a rescue come true."""
    person = browser.person
    digits, step = house.code(person.secret, person.last_step)
    told = digits if right else f"{(int(digits) + 1) % 1_000_000:06d}"
    status, reply = await house.call(browser, "POST", "/session/code", {"code": told, "window_h": hours})
    if status == 200:
        assert right, "a wrong code was taken"
        person.last_step = step
        if browser.rescued:
            person.password, browser.rescued = browser.rescued, ""
            person.right.new_epoch()
        await _verified(house, browser, reply, hours)
    return status


async def paper_code(house: House, browser: Browser) -> int:
    """Give a sign-in code from paper instead."""
    person = browser.person
    told = person.codes.pop() if person.codes else "0" * 24
    status, reply = await house.call(browser, "POST", "/session/sign-in-code", {"code": told})
    if status == 200:
        _enter(browser, reply)
    return status


async def rescue(house: House, browser: Browser) -> int:
    """Replace the password by the rescue key; with two-factor on it holds once the code was given."""
    person, new = browser.person, _other(browser.person)
    body = {"email": person.email, "rescue_key": person.rescue_key, "password": new}
    status, reply = await house.call(browser, "POST", "/rescue", body)
    if status == 200 and reply["level"] == "LP":
        person.right.ended(browser.token)
        browser.rescued = new
        _enter(browser, reply)
    elif status == 200:
        person.password = new
        person.right.new_epoch()
        _enter(browser, reply)
    return status


async def reset_and_drop(house: House, browser: Browser) -> int:
    """Have the administrator issue a ticket that drops two-factor, too, and use it with the rescue key."""
    return await reset(house, browser, drops=True)


async def reset(house: House, browser: Browser, *, drops: bool = False) -> int:
    """Have the administrator issue a ticket, and use it with the rescue key."""
    person, new = browser.person, _other(browser.person)
    issued = await house.services.admin.reset(person.email, drop_two_factor=drops)
    body = {"ticket": issued.ticket, "password": new, "rescue_key": person.rescue_key}
    status, reply = await house.call(browser, "POST", "/reset", body)
    if status == 200:
        person.password, browser.rescued = new, ""
        person.right.new_epoch()
        person.right.two_factor = person.right.two_factor and not drops
        _enter(browser, reply)
    return status


async def sign_out(house: House, browser: Browser, *, everywhere: bool = True) -> int:
    """Sign out, here or everywhere."""
    status, _ = await house.call(browser, "DELETE", f"/session?everywhere={int(everywhere)}")
    if status == 204:
        browser.person.right.ended(browser.token)
        if everywhere:
            browser.person.right.new_epoch()
        browser.token = browser.level = ""
    return status


async def end_another(house: House, browser: Browser) -> int:
    """End the newest session that is not this one."""
    status, rows = await house.call(browser, "GET", "/sessions")
    others = [row["id"] for row in rows["items"] if not row["yours"]] if status == 200 else []
    if others:
        status, _ = await house.call(browser, "DELETE", f"/sessions/{others[0]}")
        if status == 204:
            browser.person.right.ended(house.tokens.get(others[0], ""))
    return status


async def stop_forwarding(house: House, browser: Browser) -> int:
    """[Stop forwarding now]."""
    status, _ = await house.call(browser, "DELETE", "/forwarding")
    if status == 204:
        browser.person.right.stopped()
    return status


async def start_two_factor(house: House, browser: Browser) -> int:
    """Begin to set up an authenticator: the first one, or another one."""
    path = "/two-factor" if browser.level == "L1" else "/two-factor/replacement"
    status, reply = await house.call(browser, "POST", path, {"password": browser.person.password})
    if status == 201:
        browser.pending = reply["secret"]
    return status


async def confirm_two_factor(house: House, browser: Browser, hours: int) -> int:
    """Give the first code of the authenticator that is being set up."""
    person = browser.person
    digits, step = house.code(browser.pending, 0)
    status, reply = await house.call(browser, "POST", "/two-factor/confirm", {"code": digits, "window_h": hours})
    if status == 200:
        person.secret, person.last_step, browser.pending = browser.pending, step, ""
        person.right.new_epoch()
        person.right.two_factor = True
        await _verified(house, browser, reply, hours)
    return status


async def disable_two_factor(house: House, browser: Browser) -> int:
    """Switch two-factor off."""
    person = browser.person
    _, account = await house.call(browser, "GET", "/account")
    digits, step = house.code(person.secret, person.last_step)
    body = {"password": person.password, "code": digits, "held": account.get("held", 0)}
    status, _ = await house.call(browser, "POST", "/two-factor/disable", body)
    if status == 204:
        person.last_step = step
        person.right.new_epoch()
        person.right.two_factor = False
    return status


async def change_password(house: House, browser: Browser) -> int:
    """Change the password."""
    person, new = browser.person, _other(browser.person)
    status, _ = await house.call(browser, "POST", "/password", {"old": person.password, "new": new})
    if status == 204:
        person.password = new
        person.right.new_epoch()
    return status


async def change_email(house: House, browser: Browser) -> int:
    """Change the e-mail address."""
    person = browser.person
    new = f"{len(person.email)}{person.email}"
    status, _ = await house.call(browser, "POST", "/email", {"email": new})
    if status == 204:
        person.email = new
        person.right.new_epoch()
    return status


async def leave(house: House, browser: Browser) -> int:
    """Begin to delete the account."""
    status, _ = await house.call(browser, "PUT", "/account/deletion", {"email": browser.person.email})
    if status == 204:
        browser.person.right.new_epoch()
        browser.person.right.leaving = True
    return status


async def stay(house: House, browser: Browser) -> int:
    """Call the deletion off."""
    status, _ = await house.call(browser, "DELETE", "/account/deletion")
    if status == 204:
        browser.person.right.leaving = False
    return status


async def disable(house: House, person: Person) -> bool:
    """Have the administrator disable an account."""
    if await house.services.admin.disable(person.email) is not None:
        return False
    person.right.new_epoch()
    person.right.disabled = True
    return True


async def enable(house: House, person: Person) -> bool:
    """Have the administrator enable it again."""
    if await house.services.admin.enable(person.email) is not None:
        return False
    person.right.new_epoch()
    person.right.disabled = False
    return True


async def add_destination(house: House, browser: Browser, kind: str) -> int:
    """Add a destination for every scan."""
    sink = house.place.sinks[kind]
    body = {"kind": kind, "label": kind, "config": sink.config, "secrets": sink.secrets}
    status, reply = await house.call(browser, "POST", "/destinations", body)
    if status == 201:
        browser.person.destinations[reply["id"]] = kind
    return status


async def remove_destination(house: House, browser: Browser, destination: str) -> int:
    """Remove one."""
    status, _ = await house.call(browser, "DELETE", f"/destinations/{destination}")
    if status == 204:
        browser.person.removed.add(destination)
    return status


async def claim(house: House, browser: Browser) -> int:
    """Add the scanner by hand: claim it, press its button."""
    stand = house.stands[browser.person.name]
    status, claimed = await house.call(browser, "POST", "/claims", {"sighting": stand.id})
    if status == 201:

        async def awaited() -> bool:
            return stand.listening

        async def registered() -> bool:
            return bool(house.services.claims.get(browser.person.account, claimed["id"]).state == "registered")

        await house.until("the scanner to be awaited", awaited)
        stand.press(())
        await house.until("the scanner to be registered", registered)
    return status


async def force_out(house: House, person: Person) -> None:
    """Have the administrator take the person's scanner away; somebody pulls the plug."""
    stand = house.stands[person.name]

    async def gone() -> bool:
        return not stand.listening and house.services.sights.way(stand.id) is None

    if stand.plugged:  # first, or the list would give it back within seconds
        house.bus.unplug(stand)
        await house.until("the scanner to be gone", gone)
    unit = await house.services.store.units.by_sighting(stand.id)
    if unit is not None:
        await house.services.admin.release(unit.id)


async def plug_in(house: House, person: Person) -> None:
    """Plug the scanner in; by the administrator's list it is the person's."""
    house.bus.plug(house.stands[person.name])
    await house.attended(house.stands[person.name])


def _other(person: Person) -> str:
    return _OTHERS[(_OTHERS.index(person.password) + 1) % len(_OTHERS)]
