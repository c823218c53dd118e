"""The customer's whole procedure through the pages alone: a browser without scripts, links and forms only."""

import hashlib
import re
from datetime import timedelta

import pytest

from tests.web.browser import Browser, values
from tests.web.conftest import EMAIL, PASSWORD, House, until
from tests.web.journey import (
    DISABLE,
    ENABLE,
    add_scanner,
    another,
    delivered,
    give_password,
    keep_paper,
    qr_text,
    ready,
    ready_without_destination,
    set_up,
    sign_out,
    to_account_management,
)


@pytest.fixture
async def person(house: House) -> Browser:
    return await house.browser()


async def test_two_factor_is_shown_but_disabled_until_a_scanner_is_registered(house: House, person: Browser) -> None:
    await set_up(house, person)
    page = await to_account_management(person)
    entry = page.button(ENABLE)
    assert "disabled" in entry.attrs
    reason = page.tree.one("p", id=entry.attrs["aria-describedby"])
    assert reason.text.startswith("You need to register a ScanSnap unit with this account first.")
    assert (await person.get("/account/two-factor")).path == "/account", "its address leads back as well"
    await add_scanner(house, person)
    page = await to_account_management(person)
    assert page.link(ENABLE).attrs["href"] == "/account/two-factor"
    assert not [b for b in page.tree.all("button") if b.text == ENABLE]


async def test_the_qr_code_and_the_text_hold_the_same_key_and_its_code_switches_on(
    house: House, person: Browser
) -> None:
    await set_up(house, person)
    await add_scanner(house, person)
    await to_account_management(person)
    await person.follow(ENABLE)
    wrong = await person.submit("Continue", password="wrong wrong wrong wrong")
    assert (wrong.status, wrong.error) == (401, "The password is not right.")
    page = await person.submit("Continue", password=PASSWORD)
    secret = page.tree.one("span", id="secret").text.replace(" ", "")
    assert re.fullmatch("[A-Z2-7]{32}", secret)
    assert EMAIL in page.text
    uri = qr_text(page.tree.one("svg", class_="segno"))
    assert uri.startswith("otpauth://totp/ScanSnap%20Gateway:you%40example.org?")
    assert f"secret={secret}&" in uri
    house.secret = secret
    code = house.code()
    refused = await person.submit(ENABLE, code=another(code))
    assert (refused.status, refused.error) == (401, "That authentication code is not right.")
    assert secret not in refused.html
    page = await person.submit(ENABLE, code=f"{code[:3]} {code[3:]}")
    assert page.title == "Two-factor authentication is enabled"
    await keep_paper(house, person)
    page = person.now
    assert page.link(DISABLE)


async def test_nothing_leaves_before_the_code_and_everything_after_it(house: House, person: Browser) -> None:
    await ready(house, person)
    await house.scan(1)
    page = await delivered(person, 1)
    [pdf] = house.archive.rglob("*.pdf")
    assert pdf.name in page.text
    assert hashlib.sha256(pdf.read_bytes()).hexdigest() in page.text
    assert f"2 pages, {pdf.stat().st_size:,} bytes" in page.text
    await sign_out(person)
    before = house.left()
    await house.scan(1)
    assert house.left() == before
    await give_password(person)
    assert person.now.title == "Enter the authentication code"
    assert (await person.get("/")).title == "Enter the authentication code", "the password alone shows no scans"
    assert house.left() == before
    await person.submit("Sign in", code=house.code(), window_h="1")
    assert (person.now.path, person.now.title) == ("/", "Scans")
    await delivered(person, 2)
    assert house.left() > before
    assert "Forwarding is open" in person.now.text
    assert house.unit.errors == []


async def test_disabling_asks_for_the_held_count_and_stops_forwarding(house: House, person: Browser) -> None:
    await ready_without_destination(house, person)
    await house.scan(1)
    await to_account_management(person)
    page = await person.follow(DISABLE)
    assert "1 scan is held and stays held." in page.text
    unseen = values(page.form(DISABLE)) | {"password": PASSWORD, "code": house.code()}
    unchecked = await person.post("/account/two-factor/disable", unseen)
    assert unchecked.error == "Please confirm that you have seen how many scans are held."
    code = house.code()
    wrong = await person.submit(DISABLE, acknowledged="yes", password=PASSWORD, code=another(code))
    assert (wrong.status, wrong.error) == (401, "That authentication code is not right.")
    page = await person.submit(DISABLE, acknowledged="yes", password=PASSWORD, code=code)
    assert page.notice == "Two-factor authentication is disabled. Sign in with your password."
    await person.get("/")
    assert person.now.title == "Sign in", "every session ended"
    await give_password(person)
    assert "1 scan is held." in person.now.text
    assert person.now.link("Enable two-factor authentication")
    assert house.left() == 0


async def test_disabling_says_so_when_more_is_held_than_was_acknowledged(house: House, person: Browser) -> None:
    await ready_without_destination(house, person)
    await to_account_management(person)
    await person.follow(DISABLE)
    await house.scan(1)
    page = await person.submit(DISABLE, password=PASSWORD, code=house.code())
    assert (page.status, page.error) == (409, "The number of held scans is 1 now; acknowledge that.")
    assert "1 scan is held and stays held." in page.text, "the form shows the new number"


async def test_a_bad_folder_is_explained_and_what_was_typed_stays(house: House, person: Browser) -> None:
    await ready_without_destination(house, person)
    await person.get("/destinations")
    await person.follow("Folder on the gateway")
    page = await person.submit("Save", label="Papers", path="/etc")
    assert page.status == 422
    assert page.error == "Path: the folder is not below any of the roots that the administrator lists."
    typed = {"form_token": "", "label": "Papers", "path": "/etc", "everything": "on"}
    assert values(page.form("Save")) | {"form_token": ""} == typed
    page = await person.submit("Save", path=str(house.archive))
    assert page.notice == "The destination was saved. Test it to be sure."
    page = await person.submit("Test: Papers")
    assert page.notice == "The test passed: the destination can be reached and written to."
    house.archive.rmdir()
    page = await person.submit("Test: Papers")
    assert page.status == 424
    assert page.error
    assert page.title == "Destinations"


async def test_a_webdav_form_keeps_all_but_the_password(house: House, person: Browser) -> None:
    await ready_without_destination(house, person)
    await person.get("/destinations")
    await person.follow("WebDAV (Nextcloud, ownCloud, a NAS)")
    typed = {"label": "Cloud", "url": "https://169.254.169.254/", "username": "me", "password": "the app password"}
    page = await person.submit("Save", **typed)
    assert page.status == 422
    assert page.error.startswith("Url: ")
    kept = values(page.form("Save"))
    assert {name: kept[name] for name in ("label", "url", "username")} == {k: typed[k] for k in list(typed)[:3]}
    assert "the app password" not in page.html
    good = {"url": house.sink.url, "username": house.sink.username, "password": house.sink.password}
    await person.submit("Save", **good)
    page = await person.submit("Test: Cloud")
    assert page.notice == "The test passed: the destination can be reached and written to."
    page = await person.follow("Remove: Cloud")
    assert page.title == "Remove “Cloud”?"
    page = await person.submit("Remove")
    assert page.notice == "The destination was removed."
    assert "No destination yet" in page.text


async def test_each_wrong_answer_at_the_door_gets_its_sentence(house: House, person: Browser) -> None:
    await ready(house, person)
    await sign_out(person)
    await person.get("/")
    page = await person.submit("Sign in", email=EMAIL, password="wrong wrong wrong wrong")
    assert (page.status, page.error) == (401, "The e-mail address or the password is not right.")
    assert values(page.form("Sign in"))["email"] == EMAIL
    await give_password(person)
    code = house.code()
    page = await person.submit("Sign in", code=another(code), window_h="24")
    assert (page.status, page.error) == (401, "That authentication code is not right.")
    assert values(page.form("Sign in"))["window_h"] == "24", "the chosen time stays chosen"
    page = await person.submit("Sign in", code=code)
    assert page.title == "Scans"
    await sign_out(person)
    await give_password(person)
    page = await person.submit("Sign in", code=code)
    assert (page.status, page.error) == (401, "That authentication code was used already. Wait for the next one.")
    for _ in range(5):
        page = await person.submit("Sign in", code=another(code))
    assert (page.title, page.error) == ("Sign in", "Too many wrong codes. Sign in again with your password.")


async def test_set_up_refuses_a_wrong_token_and_differing_passwords(house: House, person: Browser) -> None:
    await person.get("/setup")
    typed = {"email": EMAIL, "password": PASSWORD, "again": PASSWORD}
    page = await person.submit("Create account", token="0" * 40, **typed)
    assert (page.status, page.error) == (403, "The set-up token is wrong or too old; renew it on the console.")
    token = house.setup_token()
    page = await person.submit("Create account", **(typed | {"token": token, "again": "something else"}))
    assert (page.status, page.error) == (422, "The two passwords are not the same.")
    assert values(page.form("Create account"))["email"] == EMAIL
    assert PASSWORD not in page.html
    page = await person.submit("Create account", **(typed | {"token": token, "password": "short", "again": "short"}))
    assert page.status == 422
    assert page.error
    page = await person.submit("Create account", token=token, password=PASSWORD, again=PASSWORD)
    assert page.title == "Print or save this now"
    assert (await person.get("/setup")).path == "/", "set-up is over"


async def test_signing_out_here_leaves_the_other_browser_signed_in(house: House, person: Browser) -> None:
    await ready(house, person)
    other = await house.browser()
    await give_password(other)
    await other.submit("Sign in", code=house.code())
    await person.get("/sign-out")
    await person.submit("Sign out", where="here")
    assert (await person.get("/")).title == "Sign in"
    assert "Forwarding is open" in (await other.get("/")).text
    await sign_out(other)
    assert (await other.get("/")).title == "Sign in"


async def test_a_locked_page_asks_for_the_password_and_leads_back(house: House, person: Browser) -> None:
    await ready(house, person)
    house.clock.ahead += timedelta(minutes=31)
    page = await person.get("/settings")
    assert page.title == "Sign in"
    assert "Locked after 30 minutes without activity" in page.text
    page = await person.submit("Sign in", password=PASSWORD)
    assert page.title == "Enter the authentication code"
    page = await person.submit("Sign in", code=house.code())
    assert (page.path, page.title) == ("/settings", "Settings")


async def test_account_management_asks_again_after_ten_minutes(house: House, person: Browser) -> None:
    await set_up(house, person)
    house.clock.ahead += timedelta(minutes=11)
    page = await person.get("/account")
    assert page.title == "Sign in"
    assert "To go on, enter your e-mail address and password again" in page.text
    page = await person.submit("Sign in", password=PASSWORD)
    assert page.path == "/account"


async def test_a_scanner_is_renamed_scans_by_button_and_is_removed(house: House, person: Browser) -> None:
    await set_up(house, person)
    await add_scanner(house, person)
    await person.follow("ScanSnap iX500")
    page = await person.submit("Rename", label="  Upstairs ")
    assert (page.title, page.notice) == ("Upstairs", "The scanner has its new name.")
    page = await person.submit("Rename", label="x" * 61)
    assert (page.status, page.error) == (422, "A unit's name has 1 to 60 characters.")
    house.unit.load(1)
    await person.get("/")
    page = await person.submit("Scan: Upstairs")
    assert page.notice == "The scanner was asked to scan."

    async def held() -> bool:
        return "1 scan is held." in (await person.get("/")).text

    await until("the scan to be stored", held)
    assert "Enable two-factor authentication, then scans are forwarded." in person.now.text
    await person.follow("Upstairs")
    page = await person.submit("Remove this scanner")
    assert page.notice == "The scanner was removed."
    assert "No scanner yet" in page.text


async def test_a_new_owner_is_shown_to_every_account_for_a_day(house: House, person: Browser) -> None:
    await set_up(house, person)
    await add_scanner(house, person)
    issued = await house.daemon.services.admin.invite("guest@example.org")
    body = {"ticket": issued.ticket, "email": "guest@example.org", "password": f"{PASSWORD}, too"}
    guest = (await house.raw("POST", "/invitation", body, token="")).json["token"]

    async def told() -> list[tuple[str, str]]:
        listed = (await house.raw("GET", "/units", token=guest)).json
        assert listed["items"] == []
        return [(row["model"], row["owner"]) for row in listed["newcomers"]]

    assert await told() == [("iX500", EMAIL)]
    assert f"iX500 was registered to {EMAIL}:" in (await person.get("/")).text
    house.clock.ahead += timedelta(hours=11)
    assert len(await told()) == 1
    house.clock.ahead += timedelta(hours=14)
    assert await house.daemon.services.units.newcomers() == ()


async def test_who_guesses_on_the_page_is_told_when_to_try_again(house: House, person: Browser) -> None:
    await set_up(house, person)
    stranger = await house.browser()
    await stranger.get("/sign-in")
    for _ in range(6):
        page = await stranger.submit("Sign in", email=EMAIL, password="not this one, not this one")
    assert (page.status, page.headers["Retry-After"].isdigit()) == (429, True)
    assert "Retry-After" not in (await stranger.get("/sign-in")).headers
