"""What an owner looks at, downloads and deletes: who may, what exactly leaves, and what stays when it is over."""

import hashlib
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from gateway.core.model import ScanId, ScanState
from tests.web.conftest import CLIENT, EMAIL, PASSWORD, House, until

GUEST = "guest@example.org"
SEALED_PREFIX = b"age-encryption.org"


@pytest.fixture
async def owner(house: House) -> AsyncIterator[House]:
    """A house whose owner has a unit, an L2 session, and one scan of two sheets without a destination."""
    await house.set_up()
    await house.register()
    await house.enable()
    await house.scan(2)
    return house


async def the_scan(house: House) -> str:
    [scan] = (await house.call("GET", "/scans"))["items"]
    return str(scan["id"])


async def another(house: House) -> str:
    """Scan one sheet and return the scan that came of it."""
    house.unit.load(1)
    await house.polled()
    house.unit.press()

    async def stored() -> Any:
        rows = (await house.call("GET", "/scans"))["items"]
        return next((row["id"] for row in rows if row["state"] == "stored" and row["pages"] < 4), None)

    return str(await until("the scan", stored))


def spooled(house: House) -> list[Path]:
    return sorted(path for path in (house.state / "spool").rglob("*") if path.is_file())


async def guest(house: House) -> str:
    """Give somebody else an account and return the token of their session."""
    issued = await house.daemon.services.admin.invite(GUEST)
    body = {"ticket": issued.ticket, "email": GUEST, "password": f"{PASSWORD}, too"}
    return str((await house.raw("POST", "/invitation", body, token="")).json["token"])


# --- what leaves


async def test_a_page_leaves_as_the_scanner_sent_it_and_its_picture_is_small(owner: House) -> None:
    scan = await the_scan(owner)
    listed = await owner.call("GET", f"/scans/{scan}/pages")
    assert listed["opens"] is True
    assert [(page["sheet"], page["side"]) for page in listed["items"]] == [
        *((1, "front"), (1, "back"), (2, "front"), (2, "back"))
    ]
    for number, (row, sent) in enumerate(zip(listed["items"], owner.unit.delivered, strict=True), 1):
        page = await owner.raw("GET", f"/scans/{scan}/pages/{number}")
        assert (page.status, page.media_type, len(page.content)) == (200, "image/jpeg", row["byte_count"])
        assert hashlib.sha256(page.content).hexdigest() == sent.sha256
        small = await owner.raw("GET", f"/scans/{scan}/pages/{number}/thumbnail")
        assert (small.status, small.media_type) == (200, "image/jpeg")
        with Image.open(io.BytesIO(small.content)) as picture:
            assert max(picture.size) == 320
            ratio = picture.width / picture.height
        assert abs(ratio - row["width_px"] / row["height_px"]) < 0.01


async def test_the_document_is_what_a_destination_gets(owner: House) -> None:
    scan = await the_scan(owner)
    answer = await owner.raw("GET", f"/scans/{scan}/document")
    assert (answer.status, answer.media_type) == (200, "application/pdf")
    await owner.add_folder()

    async def delivered() -> Any:
        [row] = (await owner.call("GET", "/scans"))["items"]
        return next((d["receipt"] for d in row["deliveries"] if d["state"] == "delivered"), None)

    receipt = await until("the delivery", delivered)
    assert receipt["sha256"] == hashlib.sha256(answer.content).hexdigest()
    name = Path(receipt["location"]).name
    assert f'attachment; filename="{name}"' in answer.headers["Content-Disposition"]


async def test_what_leaves_is_an_attachment_in_a_sandbox_and_stored_nowhere(owner: House) -> None:
    scan = await the_scan(owner)
    for path in ("document", "pages/1", "pages/1/thumbnail"):
        headers = (await owner.raw("GET", f"/scans/{scan}/{path}")).headers
        assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'", path
        assert headers["Content-Disposition"].startswith("attachment"), path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
    for file in spooled(owner):
        if file.suffix == ".age":
            assert file.read_bytes().startswith(SEALED_PREFIX)
        assert b"JFIF" not in file.read_bytes()


async def test_black_and_white_leaves_as_a_picture_that_browsers_show(owner: House) -> None:
    await owner.call("PUT", f"/units/{owner.unit_id}/settings", {"colour": "lineart", "duplex": False})
    newest = await another(owner)
    page = await owner.raw("GET", f"/scans/{newest}/pages/1")
    assert page.status == 200
    with Image.open(io.BytesIO(page.content)) as picture:
        assert f"image/{(picture.format or '').lower()}" == page.media_type
        [row] = (await owner.call("GET", f"/scans/{newest}/pages"))["items"]
        assert picture.size == (row["width_px"], row["height_px"])


@pytest.mark.parametrize("number", ["0", "5", "-1", "x", "1e3", "99999999999", "%31%00"])
async def test_a_page_that_is_not_there_is_not_found(owner: House, number: str) -> None:
    scan = await the_scan(owner)
    for path in (f"pages/{number}", f"pages/{number}/thumbnail"):
        answer = await owner.raw("GET", f"/scans/{scan}/{path}")
        assert (answer.status, answer.reason) == (404, "not_found")


# --- who may


async def test_nobody_else_sees_a_byte_or_that_the_scan_is_there(owner: House) -> None:
    scan, token = await the_scan(owner), await guest(owner)
    for path in ("", "/pages"):
        for known in (scan, "0" * 32):
            answer = await owner.raw("GET", f"/scans/{known}{path}", token=token)
            assert (answer.status, answer.reason) == (404, "not_found")
    answer = await owner.raw("DELETE", f"/scans/{scan}", token=token)
    assert (answer.status, answer.reason) == (404, "not_found")
    for path in ("pages/1", "pages/1/thumbnail", "document"):
        answer = await owner.raw("GET", f"/scans/{scan}/{path}", token=token)
        assert (answer.status, answer.reason) == (403, "two_factor_needed")
        answer = await owner.raw("GET", f"/scans/{scan}/{path}", token=await owner_password(owner))
        assert (answer.status, answer.reason) == (401, "code_due")
    assert await the_scan(owner) == scan


async def owner_password(house: House) -> str:
    """Return the token of a session of the owner's that did not pass the code."""
    body = {"email": EMAIL, "password": PASSWORD}
    return str((await house.raw("POST", "/session", body, token="")).json["token"])


async def test_downloads_ask_for_password_and_code_again_after_ten_minutes_pictures_do_not(owner: House) -> None:
    scan = await the_scan(owner)
    owner.clock.ahead += timedelta(minutes=11)
    for method, path in (("GET", "/document"), ("GET", "/pages/1"), ("DELETE", "")):
        answer = await owner.raw(method, f"/scans/{scan}{path}")
        assert (answer.status, answer.reason) == (401, "step_up")
    assert (await owner.raw("GET", f"/scans/{scan}/pages/1/thumbnail")).status == 200


async def test_a_session_that_ends_leaves_no_picture_behind_and_opens_nothing(owner: House) -> None:
    scan, reading = await the_scan(owner), owner.daemon.services.reading
    assert (await owner.raw("GET", f"/scans/{scan}/pages/1/thumbnail")).status == 200
    assert len(reading._small) == 1
    await owner.call("DELETE", "/session")
    assert len(reading._small) == 0
    assert (await owner.raw("GET", f"/scans/{scan}/pages/1/thumbnail")).status == 401


async def test_a_download_breaks_off_when_its_session_ends(owner: House) -> None:
    await owner.scan(40)
    scan = (await owner.call("GET", "/scans"))["items"][0]["id"]
    headers = {"Authorization": f"Bearer {owner.token}", "User-Agent": CLIENT}
    address = f"{owner.url}/api/v1/scans/{scan}/document"
    async with aiohttp.ClientSession(read_bufsize=2**14) as http, http.get(address, headers=headers) as answer:
        length = int(answer.headers["Content-Length"])
        got = len(await answer.content.readexactly(2**16))
        await owner.call("DELETE", "/session")
        with pytest.raises(aiohttp.ClientPayloadError):
            async for chunk in answer.content.iter_any():
                got += len(chunk)
    assert got < length


async def test_only_so_many_copies_of_one_account_are_on_their_way(
    owner: House, caplog: pytest.LogCaptureFixture
) -> None:
    await owner.scan(40)
    scan = (await owner.call("GET", "/scans"))["items"][0]["id"]
    headers = {"Authorization": f"Bearer {owner.token}", "User-Agent": CLIENT}
    path = f"/scans/{scan}/document"
    async with aiohttp.ClientSession(read_bufsize=2**14) as http:
        open_ones = [await http.get(f"{owner.url}/api/v1{path}", headers=headers) for _ in range(3)]
        refused = await owner.raw("GET", path)
        assert (refused.status, refused.reason, refused.headers["Retry-After"]) == (429, "too_many_copies", "5")
        for one in open_ones:
            one.close()

        async def free() -> bool:
            return (await owner.raw("GET", path)).status == 200

        await until("a turn", free)
    assert not [record for record in caplog.records if record.levelname == "ERROR"], "who leaves is no error"


async def test_a_scan_without_a_page_has_no_document(owner: House) -> None:
    store = owner.daemon.services.store
    [known] = await store.scans.in_state(ScanState.STORED)
    await store.scans.begin(replace(known, id=ScanId("f" * 32), state=ScanState.RECEIVING))
    for path in ("document", "pages/1", "pages/1/thumbnail"):
        answer = await owner.raw("GET", f"/scans/{'f' * 32}/{path}")
        assert (answer.status, answer.reason) == (404, "not_found"), path
    assert (await owner.call("GET", f"/scans/{'f' * 32}/pages"))["items"] == []


# --- what is damaged


async def test_a_page_that_was_changed_is_told_of_and_the_others_still_open(owner: House) -> None:
    scan = await the_scan(owner)
    victim = next(path for path in spooled(owner) if path.name.startswith("0001-back"))
    sealed = bytearray(victim.read_bytes())
    sealed[-100] ^= 1
    victim.write_bytes(sealed)
    for path in ("pages/2", "pages/2/thumbnail", "document"):
        answer = await owner.raw("GET", f"/scans/{scan}/{path}")
        assert (answer.status, answer.reason) == (409, "page_damaged"), path
        assert "heet 1 back is not the page that was sealed" in answer.json["detail"]
    for number in (1, 3, 4):
        assert (await owner.raw("GET", f"/scans/{scan}/pages/{number}/thumbnail")).status == 200
    assert victim.exists(), "what is damaged is never deleted by itself"


# --- deleting


async def test_a_deleted_scan_is_gone_from_disk_lists_and_outbox(owner: House) -> None:
    scan = await the_scan(owner)
    assert spooled(owner)
    assert (await owner.raw("DELETE", f"/scans/{scan}")).status == 204
    assert spooled(owner) == []
    assert (await owner.call("GET", "/scans"))["items"] == []
    for path in ("", "/pages", "/document", "/pages/1/thumbnail"):
        assert (await owner.raw("GET", f"/scans/{scan}{path}")).status == 404
    assert (await owner.raw("DELETE", f"/scans/{scan}")).status == 404
    await owner.add_folder()
    await another(owner)

    async def delivered() -> bool:
        return len(list(owner.archive.rglob("*.pdf"))) == 1

    await until("the next scan only", delivered)
    actions = [row["action"] for row in (await owner.call("GET", "/audit"))["items"]]
    assert "scan_deleted" in actions


async def test_what_was_delivered_stays_where_it_is(owner: House) -> None:
    await owner.add_folder()

    async def delivered() -> Any:
        return list(owner.archive.rglob("*.pdf"))

    [file] = await until("the delivery", delivered)
    content = file.read_bytes()

    async def deleted() -> bool:  # not while its row is still being written
        return (await owner.raw("DELETE", f"/scans/{scan}")).status == 204

    scan = await the_scan(owner)
    await until("the deletion", deleted)
    assert file.read_bytes() == content


async def test_a_scan_that_is_being_received_is_not_deleted(owner: House) -> None:
    owner.unit.load(30)
    await owner.polled()
    owner.unit.press()

    async def receiving() -> Any:
        rows = (await owner.call("GET", "/scans"))["items"]
        return next((row["id"] for row in rows if row["state"] == "receiving"), None)

    scan = await until("the scan", receiving)
    answer = await owner.raw("DELETE", f"/scans/{scan}")
    assert (answer.status, answer.reason) == (409, "scan_busy")

    async def whole() -> bool:
        return bool((await owner.call("GET", f"/scans/{scan}"))["pages"] == 60)

    await until("all of it", whole)


async def test_files_that_could_not_be_removed_go_with_the_next_round(
    owner: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    scan = await the_scan(owner)
    with monkeypatch.context() as patched:
        patched.setattr("gateway.store.spool.shutil.rmtree", fails)
        assert (await owner.raw("DELETE", f"/scans/{scan}")).status == 204
        assert spooled(owner)
    await owner.daemon.janitor._erase()
    assert spooled(owner) == []


# --- the pages


async def test_the_main_screen_shows_pictures_only_to_a_session_that_may_open_them(owner: House) -> None:
    person = await owner.browser()
    await person.get("/")
    await person.submit("Sign in", email=EMAIL, password=PASSWORD)
    page = await person.submit("Sign in", code=owner.code())
    scan = await the_scan(owner)
    [image] = page.tree.all("img")
    assert image.attrs["src"] == f"/api/v1/scans/{scan}/pages/1/thumbnail"
    await owner.disable(held=1)
    await person.get("/")
    page = await person.submit("Sign in", email=EMAIL, password=PASSWORD)
    assert not list(page.tree.all("img"))
    page = await person.get(f"/scans/{scan}")
    assert "4 pages, sealed" in page.text
    assert "Sign in with password and authentication code to see them." in page.text
    assert not list(page.tree.all("img"))


async def test_a_scan_is_downloaded_and_deleted_from_its_page(owner: House) -> None:
    person = await owner.browser()
    await person.get("/")
    await person.submit("Sign in", email=EMAIL, password=PASSWORD)
    await person.submit("Sign in", code=owner.code())
    scan = await the_scan(owner)
    page = await person.get(f"/scans/{scan}")
    assert len(list(page.tree.all("img"))) == 4
    assert page.link("Page 1: sheet 1, front").attrs["href"] == f"/scans/{scan}/pages/1"
    async with person.http.get(owner.url + page.link("Download as PDF").attrs["href"]) as answer:
        assert (answer.status, (await answer.read())[:5]) == (200, b"%PDF-")
    owner.clock.ahead += timedelta(minutes=11)
    assert (await person.get(f"/scans/{scan}/document")).title == "Sign in"
    await person.get("/sign-in")
    await person.submit("Sign in", email=EMAIL, password=PASSWORD)
    await person.submit("Sign in", code=owner.code())
    await person.get(f"/scans/{scan}")
    page = await person.follow("Delete")
    assert "It has not been delivered everywhere." in page.text
    page = await person.submit("Delete the scan")
    assert page.notice == "The scan is deleted."
    assert scan not in page.html
    assert (await person.get(f"/scans/{scan}")).status == 404


# --- in numbers


async def test_the_figures_count_what_there_is(owner: House) -> None:
    async with owner.http.get(f"{owner.url}/metrics") as answer:
        figures = await answer.text()
    assert answer.content_type == "text/plain"
    told = {line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in figures.splitlines()}
    for name in ('scansnap_units{state="ready"}', 'scansnap_scans{state="stored"}', "scansnap_open_sessions"):
        assert told[name] == "1.0", name
    assert EMAIL not in figures
