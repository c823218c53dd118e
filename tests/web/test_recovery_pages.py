"""Lost things and the account's further screens, as a person meets them: links and forms only."""

import pytest

from tests.web.browser import Browser, values
from tests.web.conftest import EMAIL, PASSWORD, House
from tests.web.journey import (
    ENABLE,
    add_scanner,
    enable,
    give_password,
    keep_paper,
    ready_without_destination,
    set_up,
    sign_out,
    to_account_management,
)

OTHER = "another long sentence instead"


@pytest.fixture
async def person(house: House) -> Browser:
    return await house.browser()


async def test_a_lost_phone_is_replaced_with_a_sign_in_code_from_paper(house: House, person: Browser) -> None:
    await ready_without_destination(house, person)
    assert len(house.codes) == 10
    await sign_out(person)
    await give_password(person)
    await person.follow("Lost your authenticator?")
    page = await person.submit("Continue", code="0" * 24)
    assert (page.status, page.error) == (401, "That sign-in code is not right, or was used already.")
    page = await person.submit("Continue", code=house.codes[0])
    assert page.title == "Replace the authenticator"
    assert (await person.get("/")).title == "Replace the authenticator", "nothing else is open"
    await person.submit("Continue", password=PASSWORD)
    house.secret = person.now.tree.one("span", id="secret").text.replace(" ", "")
    await person.submit(ENABLE, code=house.code())
    assert person.now.title == "Two-factor authentication is enabled"
    await keep_paper(house, person)
    assert person.now.title == "Account management"
    assert (await person.get("/")).title == "Scans"


async def test_a_forgotten_password_is_replaced_with_the_rescue_key_and_a_code(house: House, person: Browser) -> None:
    await ready_without_destination(house, person)
    await sign_out(person)
    await person.get("/sign-in")
    await person.follow("Forgot your password?")
    typed = {"email": EMAIL, "password": OTHER, "again": OTHER}
    page = await person.submit("Reset password", rescue_key="1" * 24, **typed)
    assert (page.status, page.error) == (401, "The e-mail address or the rescue key is not right.")
    page = await person.submit("Reset password", rescue_key=house.rescue_key, **typed)
    assert page.title == "Enter the authentication code"
    await person.submit("Sign in", code=house.code())
    assert person.now.title == "Print or save this now"
    old = house.rescue_key
    await keep_paper(house, person)
    assert house.rescue_key != old
    assert person.now.title == "Scans"


async def test_the_administrators_ticket_resets_an_account_that_lost_both(house: House, person: Browser) -> None:
    await ready_without_destination(house, person)
    issued = await house.daemon.services.admin.reset(EMAIL, drop_two_factor=True)
    await person.get("/reset")
    await person.submit("Reset account", ticket=issued.ticket, password=OTHER, again=OTHER)
    await keep_paper(house, person)
    assert "The administrator reset this account" in person.now.text
    await person.submit("Understood")
    assert "The administrator reset this account" not in person.now.text


async def test_an_invitation_leads_to_an_account(house: House, person: Browser) -> None:
    await set_up(house, person)
    issued = await house.daemon.services.admin.invite("guest@example.org")
    guest = await house.browser()
    await guest.get("/sign-in")
    await guest.follow("Invited? Create your account")
    await guest.submit("Create account", ticket=issued.ticket, email="guest@example.org", password=OTHER, again=OTHER)
    assert guest.now.title == "Print or save this now"
    assert (await guest.get("/")).title == "Scans"


async def test_sessions_are_shown_and_ended_and_forwarding_is_stopped(house: House, person: Browser) -> None:
    await ready_without_destination(house, person)
    other = await house.browser()
    await give_password(other)
    await other.submit("Sign in", code=house.code())
    await to_account_management(person)
    await person.get("/account/sessions")
    assert person.now.text.count("this one") == 1
    theirs = next(f for f in person.now.tree.all("form") if f.attrs["action"].endswith("/end"))
    await person.post(theirs.attrs["action"], values(theirs))
    assert person.now.notice == "The session was ended."
    assert (await other.get("/")).title == "Sign in", "the newest was the other browser's"
    await person.get("/")
    await person.submit("Stop forwarding now")
    assert person.now.notice == "Forwarding is stopped. Sign in with a code to open it again."
    assert "Forwarding is stopped" in person.now.text


async def test_the_security_log_tells_what_happened(house: House, person: Browser) -> None:
    await ready_without_destination(house, person)
    await person.get("/account/audit")
    for line in ("Two-factor authentication enabled", "Scanner added", "Account created", "Sign-in"):
        assert line in person.now.text, line


async def test_a_new_password_and_a_new_address_end_the_session_and_work(house: House, person: Browser) -> None:
    await set_up(house, person)
    await person.get("/account/password")
    page = await person.submit("Change password", old="wrong wrong wrong wrong", new=OTHER, again=OTHER)
    assert (page.status, page.error) == (401, "The password is not right.")
    page = await person.submit("Change password", old=PASSWORD, new=OTHER, again=OTHER)
    assert (page.title, page.notice) == ("Sign in", "The password was changed. Sign in with the new one.")
    await person.submit("Sign in", email=EMAIL, password=OTHER)
    await person.get("/account/email")
    page = await person.submit("Change e-mail address", email="new@example.org")
    assert page.notice == "The e-mail address was changed. Sign in with the new one."
    await person.submit("Sign in", email="new@example.org", password=OTHER)
    assert person.now.title == "Scans"


async def test_an_account_is_deleted_and_kept_after_all(house: House, person: Browser) -> None:
    await set_up(house, person)
    await person.get("/account/delete")
    page = await person.submit("Delete account", email="somebody@example.org")
    assert (page.status, page.error) == (422, "That is not the e-mail address of this account.")
    page = await person.submit("Delete account", email=EMAIL)
    assert page.notice == "The account will be deleted in 14 days. Sign in before then to keep it."
    await give_password(person)
    assert "This account is being deleted" in person.now.text
    await person.submit("Keep my account")
    assert person.now.notice == "The account stays."
    assert "being deleted" not in person.now.text.replace(person.now.notice, "")


async def test_new_paper_voids_the_old_and_a_missing_confirmation_is_asked_for(house: House, person: Browser) -> None:
    await set_up(house, person)
    await person.get("/account/recovery")
    await person.submit("Print new paper", password=PASSWORD)
    old = house.rescue_key
    await person.get("/")
    assert "Your rescue key is not confirmed" in person.now.text
    await person.follow("Type it")
    page = await person.submit("Check", rescue_key=old)
    assert (page.status, page.error) == (422, "That is not the rescue key that was shown last.")


async def test_the_authenticator_is_replaced_from_the_account_page(house: House, person: Browser) -> None:
    await set_up(house, person)
    await add_scanner(house, person)
    await enable(house, person)
    await to_account_management(person)
    await person.get("/account/authenticator")
    await person.submit("Continue", password=PASSWORD)
    house.secret = person.now.tree.one("span", id="secret").text.replace(" ", "")
    await person.submit(ENABLE, code=house.code())
    assert person.now.title == "Two-factor authentication is enabled"
