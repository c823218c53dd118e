"""Lost phone, lost password, both: what is on paper, what the administrator hands out, and what each of them opens."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.work import passwords

EMAIL, PASSWORD, OTHER = "you@example.org", "correct horse battery staple", "another long sentence instead"
ROOT = Path(__file__).parents[2]


async def denied(house: Any, method: str, path: str, body: Any, *, token: str | None = None) -> tuple[int, str]:
    status, reply = await house.raw(method, path, body, token=token)
    assert status >= 400, reply
    return status, reply["type"].rsplit("/", 1)[-1]


async def rescue(house: Any, key: str, password: str = OTHER) -> dict[str, Any]:
    house.token = ""
    return await house.call("POST", "/rescue", {"email": EMAIL, "rescue_key": key, "password": password})


async def command(house: Any, *words: str, typed: str = "") -> tuple[int, str, str]:
    """Run a command of the administrator as it is typed."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "SCANSNAP_PATHS_STATE": str(house.state),
        "SCANSNAP_PATHS_RUNTIME": str(house.state.parent / "run"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", *words, env=environment, cwd=ROOT, stdin=subprocess.PIPE, stdout=-1, stderr=-1
    )
    out, err = await process.communicate(typed.encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def ticket(house: Any, *words: str) -> str:
    code, out, err = await command(house, "account", *words)
    assert (code, err) == (0, "")
    return out.splitlines()[0]


async def held_scan(house: Any) -> None:
    """Leave a scan that waits for a session."""
    await house.add_folder()
    await house.sign_out()
    await house.scan(1)


async def test_the_rescue_key_replaces_the_password_once_the_code_was_right(house: Any) -> None:
    await house.register()
    await house.enable()
    await held_scan(house)
    grant = await rescue(house, house.rescue_key.lower().replace("-", " "))
    assert (grant["level"], grant["paper"]) == ("LP", None)
    half_way = house.token
    parked = repr(house.daemon.services.sessions._parked)
    assert "AGE-SECRET" not in parked, "keys wait for the code"
    assert house.rescue_key.replace("-", "") not in parked
    assert await denied(house, "POST", "/session", {"email": EMAIL, "password": OTHER}, token="") == (
        401,
        "sign_in_failed",
    ), "nothing has changed before the code"
    house.token = half_way
    grant = await house.call("POST", "/session/code", {"code": house.code(), "window_h": 1})
    assert grant["level"] == "L2"
    assert grant["paper"]["rescue_key"] != house.rescue_key
    await house.delivered(1)
    assert (await denied(house, "POST", "/session", {"email": EMAIL, "password": PASSWORD}, token=""))[0] == 401
    answer = await denied(
        house, "POST", "/rescue", {"email": EMAIL, "rescue_key": house.rescue_key, "password": PASSWORD}, token=""
    )
    assert answer == (401, "rescue_failed"), "a used rescue key is void"
    house.token = ""
    assert (await house.call("POST", "/session", {"email": EMAIL, "password": OTHER}))["level"] == "LP"


async def test_without_two_factor_the_rescue_key_replaces_the_password_at_once(house: Any) -> None:
    grant = await rescue(house, house.rescue_key)
    assert grant["level"] == "L1"
    assert grant["paper"]["rescue_key"] != house.rescue_key
    assert not grant["paper"]["codes"]
    await house.call("POST", "/paper/kept", {"rescue_key": grant["paper"]["rescue_key"]})
    assert (await house.call("GET", "/account"))["rescue_key_kept"]


async def test_paper_alone_never_signs_in(house: Any) -> None:
    await house.register()
    await house.enable()
    await rescue(house, house.rescue_key)
    answer = await denied(house, "POST", "/session/sign-in-code", {"code": house.codes[0]})
    assert answer == (403, "paper_alone")
    house.token = ""
    assert (await house.call("POST", "/session", {"email": EMAIL, "password": PASSWORD}))["level"] == "LP"
    grant = await house.call("POST", "/session/sign-in-code", {"code": house.codes[0]})
    assert grant["level"] == "LR", "the code was not used up by the refusal"


async def test_a_lost_phone_is_replaced_by_a_sign_in_code(house: Any) -> None:
    await house.register()
    await house.enable()
    await held_scan(house)
    await house.password()
    assert (await denied(house, "POST", "/session/sign-in-code", {"code": "0" * 24}))[1] == "sign_in_code_wrong"
    grant = await house.call("POST", "/session/sign-in-code", {"code": house.codes[0].lower()})
    assert (grant["level"], grant["forwards_until"]) == ("LR", None)
    assert await denied(house, "GET", "/scans", None) == (403, "replace_authenticator")
    assert (await house.call("GET", "/notices"))["items"], "what went on is told, and nothing of a scan shown"
    assert house.left() == 0
    old = house.secret
    house.secret = (await house.call("POST", "/two-factor/replacement", {"password": PASSWORD}))["secret"]
    assert house.secret != old
    grant = await house.call("POST", "/two-factor/confirm", {"code": house.code(), "window_h": 12})
    assert grant["level"] == "L2"
    assert len(grant["paper"]["codes"]) == 10
    await house.delivered(1)
    await house.password()
    again = await denied(house, "POST", "/session/sign-in-code", {"code": house.codes[0]})
    assert again == (401, "sign_in_code_wrong"), "each code works once, and new paper voids the old"
    assert (await house.call("POST", "/session/sign-in-code", {"code": grant["paper"]["codes"][3]}))["level"] == "LR"


async def test_an_abandoned_replacement_leaves_the_old_authenticator(house: Any) -> None:
    await house.register()
    await house.enable()
    await house.call("POST", "/two-factor/replacement", {"password": PASSWORD})
    assert (await house.call("GET", "/account"))["two_factor"] == "rotating"
    await house.sign_out()
    await house.sign_in()

    async def back() -> bool:
        return (await house.call("GET", "/account"))["two_factor"] == "active"

    await house.until("the replacement to lapse", back)


async def test_without_both_the_administrator_resets_and_the_rescue_key_opens_old_scans_later(house: Any) -> None:
    await house.register()
    await house.enable()
    await held_scan(house)
    given = await ticket(house, "reset", EMAIL, "--drop-two-factor")
    house.token = ""
    grant = await house.call("POST", "/reset", {"ticket": given, "password": OTHER})
    assert grant["level"] == "L1"
    account = await house.call("GET", "/account")
    assert (account["two_factor"], account["banner"]) == ("off", "account_was_reset_new_keys")
    answer = await denied(house, "POST", "/reset", {"ticket": given, "password": OTHER}, token="")
    assert answer == (403, "ticket_over"), "a ticket works once"
    house.secret = (await house.call("POST", "/two-factor", {"password": OTHER}))["secret"]
    await house.call("POST", "/two-factor/confirm", {"code": house.code(), "window_h": 12})

    async def damaged() -> Any:
        rows = await house.scans()
        return rows[0]["deliveries"] and rows[0]["deliveries"][0]["state"] == "quarantined"

    await house.until("the scan of the old keys to be refused", damaged)
    assert house.left() == 0


async def test_the_old_rescue_key_opens_the_scans_of_before_a_reset(house: Any) -> None:
    await house.register()
    await house.enable()
    await house.sign_out()
    await house.scan(1)
    given = await ticket(house, "reset", EMAIL)
    house.token = ""
    grant = await house.call("POST", "/reset", {"ticket": given, "password": OTHER})
    assert grant["level"] == "LP", "without the flag two-factor stays on"
    await house.call("POST", "/session/code", {"code": house.code(), "window_h": 12})
    assert (await denied(house, "POST", "/paper/regain", {"rescue_key": "0" * 24, "password": OTHER})) == (
        422,
        "rescue_key_unknown",
    )
    paper = await house.call("POST", "/paper/regain", {"rescue_key": house.rescue_key, "password": OTHER})
    await house.add_folder()
    await house.delivered(1)
    await house.scan(1)
    await house.delivered(2)
    await house.sign_out()
    code, out, err = await command(house, "rescue", EMAIL, typed=paper["rescue_key"])
    assert (code, err) == (0, "")
    assert [line[:16] for line in out.splitlines()] == ["AGE-SECRET-KEY-1"] * 2


async def test_a_reset_with_the_rescue_key_keeps_the_scans(house: Any) -> None:
    await house.register()
    await house.enable()
    await held_scan(house)
    given = await ticket(house, "reset", EMAIL)
    body = {"ticket": given, "password": OTHER, "rescue_key": "1" * 24}
    assert await denied(house, "POST", "/reset", body, token="") == (422, "rescue_key_wrong")
    house.token = ""
    await house.call("POST", "/reset", body | {"rescue_key": house.rescue_key})
    await house.call("POST", "/session/code", {"code": house.code(), "window_h": 12})
    await house.delivered(1)


async def test_stock_age_opens_a_page_with_the_identity_that_the_rescue_command_prints(
    house: Any, tmp_path: Path
) -> None:
    await house.register()
    await house.enable()
    await held_scan(house)
    code, out, err = await command(house, "rescue", EMAIL, typed=house.rescue_key)
    assert (code, err) == (0, "")
    identity = tmp_path / "identity"
    identity.write_text(out)
    sealed = sorted((house.state / "spool").rglob("*.age"))
    assert sealed
    opened = subprocess.run(["age", "-d", "-i", identity, sealed[0]], capture_output=True, check=True)
    assert opened.stdout[:2] == b"\xff\xd8"
    code, out, err = await command(house, "rescue", EMAIL, typed="0" * 24)
    assert (code, out) == (1, "")
    assert "no account with this e-mail address and rescue key" in err


async def test_an_invitation_makes_one_account_and_sign_up_stays_closed(house: Any) -> None:
    given = await ticket(house, "invite", "guest@example.org")
    body = {"ticket": given, "email": "guest@example.org", "password": OTHER}
    for wrong in ({"ticket": "0" * 40}, {"email": "other@example.org"}):
        assert await denied(house, "POST", "/invitation", body | wrong, token="") == (403, "invitation_over")
    owner, house.token = house.token, ""
    grant = await house.call("POST", "/invitation", body)
    assert (grant["level"], bool(grant["paper"]["rescue_key"])) == ("L1", True)
    assert await denied(house, "POST", "/invitation", body, token="") == (403, "invitation_over")
    code, out, _ = await command(house, "account", "list")
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()] == [EMAIL, "guest@example.org"]
    house.token = owner
    assert (await house.call("GET", "/account"))["email"] == EMAIL


async def test_a_disabled_account_holds_everything_and_nobody_signs_in(house: Any) -> None:
    await house.register()
    await house.enable()
    await house.add_folder()
    assert (await command(house, "account", "disable", EMAIL))[:2] == (0, "The account is disabled.\n")
    assert (await house.raw("GET", "/account", None))[0] == 401
    await house.scan(1)
    assert house.left() == 0
    answer = await denied(house, "POST", "/session", {"email": EMAIL, "password": PASSWORD}, token="")
    assert answer == (401, "sign_in_failed")
    given = {"ticket": await ticket(house, "reset", EMAIL), "password": OTHER, "rescue_key": ""}
    assert await denied(house, "POST", "/reset", given, token="") == (403, "account_disabled")
    assert (await command(house, "account", "disable", EMAIL))[0] == 1
    assert (await command(house, "account", "enable", EMAIL))[0] == 0
    await house.sign_in()
    await house.delivered(1)


async def test_a_forced_release_takes_the_last_unit_and_leaves_two_factor_on(house: Any) -> None:
    await house.register()
    await house.enable()
    [unit] = (await house.call("GET", "/units"))["items"]
    assert await denied(house, "DELETE", f"/units/{unit['id']}", None) == (409, "last_unit")
    assert (await command(house, "account", "forced-release", unit["id"]))[0] == 0
    account = await house.call("GET", "/account")
    assert (account["two_factor"], account["two_factor_available"]) == ("active", False)
    code, _, err = await command(house, "account", "forced-release", unit["id"])
    assert (code, err) == (1, "scansnap-gateway: There is no such unit.\n")


async def test_the_commands_say_that_the_daemon_is_not_there(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        "account",
        "list",
        env={"PYTHONPATH": str(ROOT), "SCANSNAP_PATHS_STATE": str(tmp_path), "SCANSNAP_PATHS_RUNTIME": str(tmp_path)},
        cwd=ROOT,
        stderr=-1,
    )
    _, err = await process.communicate()
    assert process.returncode == 1
    assert err.startswith(b"scansnap-gateway: the daemon is not running")


async def test_an_unknown_address_costs_as_much_as_a_known_one(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[str] = []
    stretch = passwords.keys.stretch

    def counted(password: str, salt: bytes, costs: str = passwords.keys.STRETCHING) -> Any:
        runs.append(costs)
        return stretch(password, salt, costs)

    monkeypatch.setattr(passwords.keys, "stretch", counted)
    answers = []
    for email in (EMAIL, "nobody@example.org"):
        for path, body in (
            ("/session", {"email": email, "password": OTHER}),
            ("/rescue", {"email": email, "rescue_key": "0" * 24, "password": OTHER}),
        ):
            runs.clear()
            answers.append((await house.raw("POST", path, body, token=""), tuple(runs)))
    assert answers[:2] == answers[2:]
    assert all(len(work) == 1 for _, work in answers)


async def test_of_many_at_once_one_gets_in_by_each_paper_and_ticket(house: Any) -> None:
    async def all_at_once(path: str, body: dict[str, Any], tokens: list[str]) -> list[int]:
        return [s for s, _ in await asyncio.gather(*(house.raw("POST", path, body, token=t) for t in tokens))]

    body = {"email": EMAIL, "rescue_key": house.rescue_key, "password": OTHER}
    assert (await all_at_once("/rescue", body, [""] * 4)).count(200) == 1
    given = await ticket(house, "reset", EMAIL)
    assert (await all_at_once("/reset", {"ticket": given, "password": PASSWORD}, [""] * 4)).count(200) == 1
    await house.password()
    await house.register()
    await house.enable()
    tokens = []
    for _ in range(4):
        await house.password()
        tokens.append(house.token)
    assert (await all_at_once("/session/sign-in-code", {"code": house.codes[0]}, tokens)).count(200) == 1
