"""Every time of the sessions, of the enrolment and of what is printed or sent: good just before, over just after."""

from datetime import timedelta
from typing import Any

import pytest

EMAIL, PASSWORD, WRONG = "you@example.org", "correct horse battery staple", "not this one, not this one"
A_MOMENT = timedelta(seconds=20)


@pytest.fixture
async def owner(house: Any) -> Any:
    await house.register()
    await house.enable()
    return house


async def level(house: Any) -> str:
    return str((await house.call("GET", "/session"))["level"])


async def over_after(house: Any, known: str, span: timedelta) -> None:
    """Assert that the session is what it is until the span is over, and nothing then."""
    house.clock.ahead += span - A_MOMENT
    assert await level(house) == known
    house.clock.ahead += 2 * A_MOMENT
    assert await level(house) == "L0"


async def test_a_half_open_session_lives_five_minutes(owner: Any) -> None:
    await owner.password()
    await over_after(owner, "LP", timedelta(minutes=5))


async def test_a_session_by_sign_in_code_lives_a_quarter_of_an_hour(owner: Any) -> None:
    await owner.password()
    await owner.call("POST", "/session/sign-in-code", {"code": owner.codes[0]})
    await over_after(owner, "LR", timedelta(minutes=15))


async def test_a_session_without_two_factor_lives_twelve_hours(house: Any) -> None:
    await house.password()
    await over_after(house, "L1", timedelta(hours=12))


@pytest.mark.parametrize("window_h", [1, 12, 24])
async def test_a_verified_session_lives_as_long_as_its_window(owner: Any, window_h: int) -> None:
    await owner.password()
    await owner.call("POST", "/session/code", {"code": owner.code(), "window_h": window_h})
    await over_after(owner, "L2", timedelta(hours=window_h))


async def test_pages_lock_after_half_an_hour_without_activity(owner: Any) -> None:
    owner.clock.ahead += timedelta(minutes=30) - A_MOMENT
    assert (await owner.raw("GET", "/account"))[0] == 200
    owner.clock.ahead += 2 * A_MOMENT
    status, said = await owner.raw("GET", "/account")
    assert (status, said["type"]) == (401, "/problems/locked")


async def test_password_and_code_count_as_fresh_for_ten_minutes(owner: Any) -> None:
    owner.clock.ahead += timedelta(minutes=1)  # for a code that was not used yet
    await owner.sign_in()
    owner.clock.ahead += timedelta(minutes=10) - A_MOMENT
    assert (await owner.raw("POST", "/paper", {"password": WRONG}))[1]["type"] == "/problems/password_wrong"
    owner.clock.ahead += 2 * A_MOMENT
    assert (await owner.raw("POST", "/paper", {"password": WRONG}))[1]["type"] == "/problems/step_up"


async def test_an_enrolment_is_good_for_ten_minutes(house: Any) -> None:
    await house.register()
    for late, status in ((A_MOMENT, 409), (-A_MOMENT, 200)):
        house.secret = (await house.call("POST", "/two-factor", {"password": PASSWORD}))["secret"]
        house.clock.ahead += timedelta(minutes=10) + late
        answer = await house.raw("POST", "/two-factor/confirm", {"code": house.code(), "window_h": 12})
        assert answer[0] == status, answer


async def test_an_enrolment_is_over_after_five_wrong_codes(house: Any) -> None:
    await house.register()
    house.secret = (await house.call("POST", "/two-factor", {"password": PASSWORD}))["secret"]
    body = {"code": "000000", "window_h": 12}
    said = [(await house.raw("POST", "/two-factor/confirm", body))[1]["type"] for _ in range(5)]
    assert [it.rpartition("/")[2] for it in said] == [*["code_wrong"] * 4, "enrolment_over"]
    status, _ = await house.raw("POST", "/two-factor/confirm", {"code": house.code(), "window_h": 12})
    assert status == 409


async def test_a_known_device_is_known_for_half_a_year(owner: Any) -> None:
    await owner.password()
    device = (await owner.call("POST", "/session/code", {"code": owner.code(), "window_h": 1}))["device"]

    async def knows(span: timedelta) -> bool:
        """Tell whether the device gets in while strangers' guesses have shut the door."""
        owner.clock.ahead += span
        body, agent = {"email": EMAIL, "password": WRONG}, {"ScanSnap-Cloud-Version": "1.7"}
        for _ in range(6):
            async with owner.http.post(f"{owner.url}/api/v1/session", json=body, headers=agent) as answer:
                status = answer.status
        assert status == 429
        right, shown = body | {"password": PASSWORD}, agent | {"ScanSnap-Device": device}
        async with owner.http.post(f"{owner.url}/api/v1/session", json=right, headers=shown) as answer:
            return bool(answer.status == 200)

    assert await knows(timedelta(days=179))
    assert not await knows(timedelta(days=181))


async def test_an_invitation_is_good_for_a_week_and_a_reset_ticket_for_half_an_hour(owner: Any) -> None:
    admin = owner.daemon.services.admin
    for issue, path, good, span in (
        (lambda: admin.invite("guest@example.org"), "/invitation", 201, timedelta(days=7)),
        (lambda: admin.reset(EMAIL, drop_two_factor=False), "/reset", 200, timedelta(minutes=30)),
    ):
        for late, status in ((A_MOMENT, 403), (-A_MOMENT, good)):
            ticket = (await issue()).ticket
            owner.clock.ahead += span + late
            body = {"ticket": ticket, "password": f"{PASSWORD}, too"}
            body |= {"email": "guest@example.org"} if path == "/invitation" else {}
            answer = await owner.raw("POST", path, body, token="")
            assert answer[0] == status, answer


async def test_of_half_open_sessions_the_oldest_of_33_ends(owner: Any) -> None:
    tokens = []
    for _ in range(33):
        await owner.password()
        tokens.append(owner.token)
        owner.clock.ahead += timedelta(seconds=1)
    levels = [(await owner.raw("GET", "/session", token=token))[1]["level"] for token in tokens]
    assert levels == ["L0", *["LP"] * 32]


async def test_a_claim_is_open_for_a_minute_and_five_an_hour_are_the_limit(house: Any) -> None:
    sighting = (await house.sighting())["id"]
    begun = house.clock.now().utc

    async def claim() -> tuple[int, dict[str, Any]]:
        status, said = await house.raw("POST", "/claims", {"sighting": sighting})
        return status, said

    async def state(one: str) -> str:
        return str((await house.call("GET", f"/claims/{one}"))["state"])

    for _ in range(5):
        status, said = await claim()
        assert status == 201, said
        house.clock.ahead += timedelta(seconds=60) - A_MOMENT
        assert await state(said["id"]) == "open"
        house.clock.ahead += 2 * A_MOMENT
        assert await state(said["id"]) == "lapsed"
    status, said = await claim()
    assert (status, said["type"]) == (429, "/problems/too_many_claims")
    house.clock.ahead += begun + timedelta(hours=1) - A_MOMENT - house.clock.now().utc
    assert (await claim())[0] == 429
    house.clock.ahead += 2 * A_MOMENT
    assert (await claim())[0] == 201
