"""The product's one sentence, through the doors that people have."""

import hashlib
from pathlib import Path
from typing import Any

import pikepdf
import pytest


def images(path: Path) -> list[bytes]:
    """Return the image streams of a PDF in page order, as they lie in the file."""
    with pikepdf.open(path) as pdf:
        return [bytes(next(iter(page.get_images().values())).read_raw_bytes()) for page in pdf.pages]


async def test_a_scan_is_held_until_the_code_and_arrives_with_every_byte(verified: Any) -> None:
    await verified.add_webdav()
    await verified.sign_out()
    verified.sink.requests.clear()
    await verified.scan(3)
    assert verified.left() == 0
    await verified.password()
    status, _ = await verified.raw("GET", "/scans")
    assert status in (401, 403), "a password alone shows no scans"
    assert verified.left() == 0
    await verified.call("POST", "/session/code", {"code": verified.code(), "window_h": 1})
    [scan] = await verified.delivered(2)
    assert scan["pages"] == 6
    [pdf] = verified.archive.rglob("*.pdf")
    sent = [hashlib.sha256(image).hexdigest() for image in images(pdf)]
    assert sent == [side.sha256 for side in verified.unit.delivered]
    for delivery in scan["deliveries"]:
        assert delivery["receipt"]["sha256"] == hashlib.sha256(pdf.read_bytes()).hexdigest()
    assert verified.unit.errors == []


async def test_sealed_pages_hold_no_page_bytes_and_the_database_opens_nothing(verified: Any) -> None:
    await verified.sign_out()
    await verified.scan(1)
    sealed = list((verified.state / "spool").rglob("*.age"))
    assert len(sealed) == 2
    for path in sealed:
        content = path.read_bytes()
        assert content.startswith(b"age-encryption.org/v1")
        assert b"\xff\xd8\xff" not in content[:4096]
    database = (verified.state / "gateway.sqlite3").read_bytes()
    assert b"AGE-SECRET-KEY-" not in database
    assert verified.secret.encode() not in database


async def test_signing_out_shuts_the_gate(verified: Any) -> None:
    await verified.sign_out()
    await verified.scan(1)
    await verified.sign_in()
    await verified.delivered(1)
    await verified.sign_out()
    before = verified.left()
    await verified.scan(1)
    await verified.password()
    assert verified.left() == before


async def test_disabling_two_factor_shuts_the_gate_and_keeps_what_is_held(verified: Any) -> None:
    body = {"password": "correct horse battery staple", "code": verified.code(), "held": 0}
    await verified.call("POST", "/two-factor/disable", body)
    assert (await verified.raw("GET", "/account"))[0] == 401
    await verified.scan(1)
    grant = await verified.password()
    assert grant["level"] == "L1"
    [scan] = await verified.scans()
    assert scan["held"]
    assert "two-factor" in scan["reason"]
    assert verified.left() == 0


async def test_without_two_factor_everything_is_held(house: Any) -> None:
    await house.register()
    status, problem = await house.raw(
        "POST",
        "/destinations",
        {"kind": "folder", "label": "A", "config": {"path": str(house.archive)}, "secrets": {}},
    )
    assert status == 403, problem
    await house.scan(1)
    [scan] = await house.scans()
    assert scan["held"]
    assert house.left() == 0


async def test_two_factor_needs_a_registered_unit(house: Any) -> None:
    account = await house.call("GET", "/account")
    assert not account["two_factor_available"]
    assert "register" in account["why"]
    status, problem = await house.raw("POST", "/two-factor", {"password": "correct horse battery staple"})
    assert (status, problem["type"].rsplit("/", 1)[-1]) == (409, "no_unit")
    await house.register()
    assert (await house.call("GET", "/account"))["two_factor_available"]


async def test_a_code_works_once(verified: Any) -> None:
    await verified.sign_out()
    await verified.password()
    code = verified.code()
    await verified.call("POST", "/session/code", {"code": code, "window_h": 1})
    await verified.password()
    status, problem = await verified.raw("POST", "/session/code", {"code": code, "window_h": 1})
    assert (status, problem["type"].rsplit("/", 1)[-1]) == (401, "code_used")


async def test_five_wrong_codes_end_the_half_open_session(verified: Any) -> None:
    await verified.sign_out()
    await verified.password()
    right = verified.code()
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    for _ in range(5):
        status, _ = await verified.raw("POST", "/session/code", {"code": wrong, "window_h": 1})
        assert status == 401
    status, _ = await verified.raw("POST", "/session/code", {"code": right, "window_h": 1})
    assert status == 401


@pytest.mark.parametrize("code", [123456, None, "１２３４５６", "12345", ["123456"]])
async def test_what_is_no_code_is_refused_clearly(verified: Any, code: object) -> None:
    await verified.sign_out()
    await verified.password()
    status, problem = await verified.raw("POST", "/session/code", {"code": code, "window_h": 1})
    assert status in (400, 401, 422)
    assert problem["title"]


async def test_an_unknown_email_and_a_wrong_password_answer_alike(house: Any) -> None:
    one = await house.raw("POST", "/session", {"email": "you@example.org", "password": "wrong wrong wrong"}, token="")
    two = await house.raw("POST", "/session", {"email": "no@example.org", "password": "wrong wrong wrong"}, token="")
    assert one == two
    assert one[0] == 401


async def test_plugging_in_registers_under_the_usb_policy(open_house: Any) -> None:
    async with open_house(usb_owner="you@example.org") as house:
        await house.set_up()
        await house.sighting()
        house.unit.unplug()

        async def gone() -> bool:
            return not (await house.call("GET", "/found"))["items"]

        await house.until("the unit to go", gone)
        house.unit.plug()

        async def registered() -> bool:
            return bool((await house.call("GET", "/account"))["two_factor_available"])

        await house.until("registration", registered)


async def test_a_window_that_is_over_holds_again(verified: Any) -> None:
    from datetime import timedelta

    verified.clock.ahead += timedelta(hours=12, seconds=1)
    await verified.scan(1)
    assert verified.left() == 0
    assert (await verified.raw("GET", "/scans"))[0] == 401
