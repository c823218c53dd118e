"""Guessing at passwords and codes: slowed down, counted alike for everybody, never a way to lock the owner out."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from gateway.work import passwords

EMAIL, PASSWORD, WRONG = "you@example.org", "correct horse battery staple", "not this one, not this one"


async def sign_in(house: Any, password: str, *, email: str = EMAIL, device: str = "") -> tuple[int, dict[str, Any]]:
    body = {"email": email, "password": password}
    headers = {"ScanSnap-Device": device, "ScanSnap-Cloud-Version": "1.7"}
    async with house.http.post(f"{house.url}/api/v1/session", json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None) | {"retry": answer.headers.get("Retry-After")}


async def guess(house: Any, count: int, **who: Any) -> list[int]:
    return [(await sign_in(house, WRONG, **who))[0] for _ in range(count)]


async def test_the_sixth_guess_waits_whether_or_not_the_account_exists(house: Any) -> None:
    seen = []
    for email in (EMAIL, "nobody@example.org"):
        assert await guess(house, 5, email=email) == [401] * 5
        status, said = await sign_in(house, PASSWORD, email=email)
        seen.append((status, said["type"], said["title"], 25 <= int(said["retry"]) <= 30))
    assert seen[0] == seen[1] == (429, "/problems/too_many_tries", "Too Many Requests", True)
    house.clock.ahead += timedelta(seconds=31)
    assert (await sign_in(house, PASSWORD))[0] == 200, "nothing is permanent"
    assert await guess(house, 5) == [401] * 5, "a right password wipes the slate"


async def test_the_wait_doubles_up_to_an_hour(house: Any) -> None:
    await guess(house, 5)
    waits = []
    for _ in range(9):
        status, said = await sign_in(house, WRONG)
        assert status == 429
        waits.append(int(said["retry"]))
        house.clock.ahead += timedelta(seconds=waits[-1])
        assert (await sign_in(house, WRONG))[0] == 401
    assert waits[:7] == pytest.approx([30, 60, 120, 240, 480, 960, 1920], abs=2)
    assert max(waits) <= 3600


async def test_a_known_device_is_not_locked_out_by_strangers(house: Any) -> None:
    await house.register()
    await house.enable()
    await house.password()
    device = (await house.call("POST", "/session/code", {"code": house.code(), "window_h": 1}))["device"]
    name = device.partition(".")[0]
    assert name in {row["id"] for row in (await house.call("GET", "/devices"))["items"]}
    await guess(house, 6)
    assert (await sign_in(house, PASSWORD))[0] == 429
    assert (await sign_in(house, PASSWORD, device=device))[0] == 200
    forged = f"{name}.{'0' * 64}"
    assert (await sign_in(house, PASSWORD, device=forged))[0] == 429
    await house.call("DELETE", f"/devices/{name}")
    assert (await sign_in(house, PASSWORD, device=device))[0] == 429, "a forgotten device is a stranger"


async def test_a_hundred_wrong_passwords_close_the_door_to_unknown_devices_only_and_for_a_day(house: Any) -> None:
    device = (await sign_in(house, PASSWORD))[1]["device"]
    throttle = house.daemon.services.signin._throttle
    from gateway.work.caller import Caller

    for i in range(100):  # from a hundred networks, so that none of them has to wait for itself
        house.clock.ahead += timedelta(minutes=4)
        await throttle.password(EMAIL, Caller(f"198.51.{i}.1"))
    status, said = await sign_in(house, PASSWORD)
    assert (status, int(said["retry"]) > 23 * 3600) == (429, True)
    assert (await sign_in(house, PASSWORD, device=device))[0] == 200
    house.clock.ahead += timedelta(hours=25)
    assert (await sign_in(house, PASSWORD))[0] == 200


async def test_twenty_strangers_an_hour_are_enough(house: Any) -> None:
    from gateway.work.caller import Caller
    from gateway.work.outcomes import Denied

    throttle = house.daemon.services.signin._throttle
    answers = [await throttle.password("nobody@example.org", Caller(f"198.51.{i}.1")) for i in range(21)]
    assert [isinstance(a, Denied) for a in answers] == [False] * 20 + [True]


async def test_five_wrong_codes_wait_and_a_right_one_in_that_time_stays_unused(house: Any) -> None:
    await house.register()
    await house.enable()
    await house.sign_out()
    for round_ in (0, 1):
        await house.password()
        wrong = "000000" if round_ else "000001"
        misses = [(await house.raw("POST", "/session/code", {"code": wrong}))[0] for _ in range(4)]
        assert misses == ([401] * 4 if round_ == 0 else [401] + [429] * 3)
    code = house.code()
    await house.password()
    status, said = await house.raw("POST", "/session/code", {"code": code, "window_h": 12})
    assert (status, said["type"]) == (429, "/problems/too_many_tries")
    house.clock.ahead += timedelta(minutes=15)
    await house.password()
    await house.call("POST", "/session/code", {"code": house.code(), "window_h": 12})


async def test_fifty_wrong_codes_suspend_the_authenticator_until_a_sign_in_code(house: Any) -> None:
    await house.register()
    await house.enable()
    running = house.token
    misses = 0
    while misses < 50:
        await house.password()
        for _ in range(4):
            status, said = await house.raw("POST", "/session/code", {"code": "000000"})
            misses += status == 401
            if status == 429:
                house.clock.ahead += timedelta(minutes=16 if misses % 20 else 24 * 60)
                break
    await house.password()
    status, said = await house.raw("POST", "/session/code", {"code": house.code(), "window_h": 12})
    assert (status, said["type"]) == (403, "/problems/two_factor_suspended")
    assert (await house.call("POST", "/session/sign-in-code", {"code": house.codes[0]}))["level"] == "LR"
    await house.sign_in()
    assert (await house.raw("GET", "/account", token=running))[0] in (200, 401)


async def test_a_half_open_session_dies_of_its_fifth_wrong_code(house: Any) -> None:
    await house.register()
    await house.enable()
    await house.password()
    answers = [await house.raw("POST", "/session/code", {"code": "000000"}) for _ in range(5)]
    assert [said["type"].rpartition("/")[2] for _, said in answers] == [*["code_wrong"] * 4, "too_many_misses"]
    house.clock.ahead += timedelta(minutes=4)  # its five minutes are not over
    assert (await house.raw("GET", "/session"))[1]["level"] == "L0"


async def test_a_used_code_is_no_miss(house: Any) -> None:
    await house.register()
    await house.enable()
    await house.password()
    code = house.code()
    await house.call("POST", "/session/code", {"code": code, "window_h": 12})
    for _ in range(8):
        await house.password()
        status, said = await house.raw("POST", "/session/code", {"code": code})
        assert (status, said["type"]) == (401, "/problems/code_used")
    await house.sign_in()


async def test_of_sixteen_half_open_sessions_with_one_code_one_gets_in_each_round(house: Any) -> None:
    await house.register()
    await house.enable()
    for _ in range(20):
        tokens = []
        for _ in range(16):
            await house.password()
            tokens.append(house.token)
        body = {"code": house.code(), "window_h": 1}
        answers = await asyncio.gather(*(house.raw("POST", "/session/code", body, token=t) for t in tokens))
        assert [status for status, _ in answers].count(200) == 1, answers
        assert {status for status, _ in answers} <= {200, 401, 429}


async def test_a_hundred_wrong_sign_ins_at_once_are_bounded_and_leave_others_their_pages(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, most = 0, 0
    stretch, answered = passwords.keys.stretch, threading.Event()

    def counted(*arguments: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            answered.wait(60)  # whoever waited for a stretching would wait for ever
            return stretch(*arguments)
        finally:
            running -= 1

    monkeypatch.setattr(passwords.keys, "stretch", counted)
    try:
        storm = asyncio.gather(*(sign_in(house, WRONG, email=f"x{i}@example.org") for i in range(100)))
        await house.until("the storm", lambda: asyncio.sleep(0, running == passwords.AT_ONCE))
        for path in ("/units", "/scans", "/account"):
            await house.call("GET", path)
    finally:
        answered.set()
    answers = await storm
    assert most <= passwords.AT_ONCE, "64 MiB each"
    assert {status for status, _ in answers} <= {401, 503}
    assert [said["retry"] for status, said in answers if status == 503]


async def test_one_network_may_call_only_so_often(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = house.daemon.services.calls
    monkeypatch.setattr(calls, "_per_minute", 30)
    monkeypatch.setattr(calls, "_per_hour", 40)
    calls._at.clear()
    body = {"email": EMAIL}  # a call counts, whatever it asks
    answers = [(await house.raw("POST", "/session", body, token=""))[0] for _ in range(31)]
    assert answers == [422] * 30 + [429]
    assert (await house.raw("GET", "/units"))[0] == 200, "who is signed in goes on"
    house.clock.ahead += timedelta(minutes=1)
    answers = [(await house.raw("POST", "/session", body, token=""))[0] for _ in range(11)]
    assert answers == [422] * 10 + [429]
    house.clock.ahead += timedelta(hours=1)
    assert (await house.raw("POST", "/session", body, token=""))[0] == 422


def test_a_network_is_a_24_or_a_64() -> None:
    from gateway.work.caller import Caller

    assert Caller("192.0.2.7").network == Caller("192.0.2.250").network != Caller("192.0.3.7").network
    assert Caller("2001:db8::1").network == Caller("2001:db8::ffff:1").network != Caller("2001:db8:0:1::1").network
    assert Caller("::ffff:192.0.2.7").network == Caller("192.0.2.9").network
    assert Caller("fe80::1%eth0").network == "fe80::/64"
    assert Caller("").network == ""
