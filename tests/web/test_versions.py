"""Clients before 1.7 and clients without a version: with two-factor on they do not come in, and learn nothing by it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.web import versions
from tests.web.conftest import EMAIL, PASSWORD, Answer, House, open_house

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORDS = "Update the ScanSnap Cloud application to the latest version, then sign in."
OLD: list[dict[str, str]] = [
    {"User-Agent": "curl/8.5.0"},
    {"User-Agent": ""},
    {"User-Agent": "ScanSnapCloud/1.6"},
    {"User-Agent": "ScanSnapCloud/1.6.7 (iPhone)"},
    {"User-Agent": "ScanSnapCloud/0.17"},
    {"User-Agent": "ScanSnapCloud/17"},
    {"User-Agent": "NotScanSnapCloud/9.9"},
    {"User-Agent": "ScanSnapCloud/1.70000000000000000"},
    {"User-Agent": "ScanSnapCloud/\u0661.\u0667"},
    {"ScanSnap-Cloud-Version": "1.6"},
    {"ScanSnap-Cloud-Version": ""},
    {"ScanSnap-Cloud-Version": "new"},
    {"ScanSnap-Cloud-Version": "-1.7"},
    {"ScanSnap-Cloud-Version": "1.6", "User-Agent": "ScanSnapCloud/1.7"},
    {"ScanSnap-Cloud-Version": "nonsense", "User-Agent": "ScanSnapCloud/1.7"},
]
CURRENT: list[dict[str, str]] = [
    {"User-Agent": "ScanSnapCloud/1.7"},
    {"User-Agent": "Mozilla/5.0 (Linux; Android 15) ScanSnapCloud/2.0.1 Mobile"},
    {"User-Agent": "ScanSnapCloud/1.10"},
    {"ScanSnap-Cloud-Version": "1.7", "User-Agent": "ScanSnapCloud/1.6"},
    {"ScanSnap-Cloud-Version": "1.7.3-beta", "User-Agent": "curl/8.5.0"},
]


async def sign_in(house: House, headers: dict[str, str], password: str = PASSWORD) -> Answer:
    return await house.raw("POST", "/session", {"email": EMAIL, "password": password}, token="", headers=headers)


@pytest_asyncio.fixture(loop_scope="module")
async def registered(tmp_path: Path) -> AsyncIterator[House]:
    """A house of its own, whose owner has a unit but no two-factor."""
    async with open_house(tmp_path) as one:
        await one.set_up()
        await one.register()
        yield one


def too_old(answer: Answer) -> bool:
    """Tell whether this is the whole refusal: status, words, and the version that is needed (RFC 9110 15.5.22)."""
    assert (answer.status == 426) == (answer.json.get("type") == "/problems/client_too_old")
    if answer.status != 426:
        return False
    assert answer.json["detail"] == WORDS
    assert answer.headers["Upgrade"] == "ScanSnapCloud/1.7"
    assert answer.headers["Connection"].lower() == "upgrade"
    return True


async def half_open(house: House) -> list[Any]:
    """Return the half-open sessions that live."""
    [account] = await house.daemon.services.store.accounts.all()
    return [s for s in await house.daemon.services.store.sessions.of_account(account.id) if s.level == "LP"]


async def test_the_rule_is_the_table() -> None:
    assert versions.FIRST == {"two_factor": (1, 7)}


@pytest.mark.parametrize("headers", OLD, ids=str)
async def test_an_old_client_is_refused_once_its_password_was_right(shared: House, headers: dict[str, str]) -> None:
    before = await half_open(shared)
    answer = await sign_in(shared, headers)
    assert too_old(answer)
    assert "token" not in answer.content.decode()
    assert await half_open(shared) == before, "the half-open session ended at once"


@pytest.mark.parametrize("headers", CURRENT, ids=str)
async def test_a_client_from_1_7_on_is_asked_for_the_code(shared: House, headers: dict[str, str]) -> None:
    answer = await sign_in(shared, headers)
    assert (answer.status, answer.json["level"]) == (200, "LP")


async def test_an_old_client_does_not_learn_from_it_whether_an_account_exists(shared: House) -> None:
    wrong = await sign_in(shared, OLD[0], "not this one, not this one")
    other = {"email": "nobody@example.org", "password": PASSWORD}
    nobody = await shared.raw("POST", "/session", other, token="", headers=OLD[0])
    assert wrong.reason == nobody.reason == "sign_in_failed"
    assert wrong.content == nobody.content
    assert set(wrong.headers) == set(nobody.headers)
    assert "Upgrade" not in wrong.headers


@pytest.mark.parametrize("path", ["/session/code", "/session/sign-in-code"])
async def test_a_code_from_an_old_client_is_not_even_looked_at(shared: House, path: str) -> None:
    token = (await sign_in(shared, CURRENT[0])).json["token"]
    code = shared.code() if path == "/session/code" else shared.codes[-1]
    assert too_old(await shared.raw("POST", path, {"code": code}, token=token, headers=OLD[2]))
    again = await shared.raw("POST", path, {"code": code}, token=token)
    assert (again.status, again.reason) == (401, "sign_in"), "the half-open session has ended"
    token = (await sign_in(shared, CURRENT[0])).json["token"]
    used = await shared.raw("POST", path, {"code": code}, token=token)
    assert used.status == 200, "the code was not used up by the refusal"
    if path == "/session/sign-in-code":
        shared.codes.pop()


async def test_a_rescue_by_an_old_client_changes_nothing(shared: House) -> None:
    body = {"email": EMAIL, "rescue_key": shared.rescue_key, "password": "a new password of five words"}
    assert too_old(await shared.raw("POST", "/rescue", body, token="", headers=OLD[0]))
    assert (await sign_in(shared, CURRENT[0])).status == 200, "the old password holds"


async def test_a_session_that_a_current_client_made_is_not_asked_again(shared: House) -> None:
    assert (await shared.raw("GET", "/units", headers=OLD[0])).status == 200
    assert (await shared.raw("PATCH", f"/units/{shared.unit_id}", {"label": "A"}, headers=OLD[0])).status == 200


async def test_the_pages_own_form_is_current(shared: House) -> None:
    person = await shared.browser()
    await person.get("/sign-in")
    await person.submit("Sign in", email=EMAIL, password=PASSWORD)
    assert person.now.path.startswith("/sign-in/code")


async def test_without_two_factor_every_client_signs_in_and_enabling_ends_the_old_ones(registered: House) -> None:
    house = registered
    old = await sign_in(house, OLD[2])
    assert (old.status, old.json["level"]) == (200, "L1")
    assert (await house.raw("GET", "/units", token=old.json["token"], headers=OLD[2])).status == 200
    await house.enable()
    ended = await house.raw("GET", "/units", token=old.json["token"], headers=OLD[2])
    assert (ended.status, ended.reason) == (401, "sign_in")
    assert too_old(await sign_in(house, OLD[2]))


async def test_an_old_client_does_not_lock_itself_out_by_confirming(registered: House) -> None:
    house = registered
    house.secret = (await house.call("POST", "/two-factor", {"password": PASSWORD}))["secret"]
    code = house.code()
    assert too_old(await house.raw("POST", "/two-factor/confirm", {"code": code, "window_h": 12}, headers=OLD[2]))
    assert (await house.call("GET", "/account"))["two_factor"] == "pending"
    grant = await house.call("POST", "/two-factor/confirm", {"code": code, "window_h": 12})
    assert grant["level"] == "L2", "the enrolment and its code are still good for a client that is current"
