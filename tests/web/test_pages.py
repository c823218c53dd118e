"""What holds for every page: headers, no inline code, sound HTML, escaped data, tokens in forms."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from gateway.web.pages.files import FOLDER
from gateway.web.routes import PAGES, PARTS
from tests.web.browser import Browser, values
from tests.web.conftest import EMAIL, PASSWORD, open_house
from tests.web.gallery import HOSTILE_DESTINATION, HOSTILE_UNIT, SHOWN, Gallery, collect
from tests.web.html_tree import parse
from tests.web.rows import names, owned

pytestmark = pytest.mark.asyncio(loop_scope="module")

POSTED = [row for row in PAGES if row.method == "POST"]
INLINE = re.compile(r"<style|\sstyle\s*=|<[^>]+\son[a-z]+\s*=|javascript:|<script(?![^>]*\ssrc=)|<base|<iframe", re.I)
THUMBNAIL = "/api/v1/scans/[0-9a-f]{32}/pages/[0-9]+/thumbnail"
OPEN_FORMS = {"/setup", "/sign-in"}  # without a session there is no token, and nothing to ride on


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gallery(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gallery]:
    async with open_house(tmp_path_factory.mktemp("gallery")) as house:
        yield await collect(house)


async def session_of(browser: Browser) -> str:
    [cookie] = [c for c in browser.http.cookie_jar if c.key == "sid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    return str(cookie.value)


async def test_every_page_has_the_security_headers(gallery: Gallery) -> None:
    for name, page in gallery.pages.items():
        policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'", name
        assert (policy["script-src"], policy["style-src"]) == ("'self'", "'self'")
        assert (policy["frame-ancestors"], policy["base-uri"], policy["form-action"]) == ("'none'", "'none'", "'self'")
        assert "unsafe" not in page.headers["Content-Security-Policy"]
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert (
            page.headers["Cross-Origin-Opener-Policy"] == page.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        )
        assert (policy["img-src"], policy["connect-src"]) == ("'self' data: blob:", "'self'")
        assert page.headers["Cache-Control"] == "no-store"
        assert "aiohttp" not in page.headers["Server"].lower()
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"


async def test_every_address_of_the_table_shows_its_page(gallery: Gallery) -> None:
    for row in SHOWN:
        assert gallery.pages[f"GET {row.path}"].status == 200, row.path
    refused = gallery.pages["/destinations/add/folder without two-factor"]
    assert (refused.status, refused.title) == (403, "Forbidden")


async def test_no_page_has_inline_script_or_style(gallery: Gallery) -> None:
    for name, page in gallery.pages.items():
        bare = re.sub(r'"[^"]*"', '""', page.html)  # what somebody typed may stand in a value, escaped
        assert not INLINE.search(bare), (name, INLINE.search(bare))
        for node in page.tree.all():
            assert not [a for a in node.attrs if a.startswith("on") or a == "style"], (name, node.tag)
            for address in (node.attrs.get("href", "/"), node.attrs.get("src", "/"), node.attrs.get("action", "/")):
                local = ("/", "#", "data:text/plain;") if "download" in node.attrs else ("/", "#")
                assert address.startswith(local), (name, address)
                assert not address.startswith("//"), (name, address)


async def test_ids_are_unique_and_what_names_one_finds_it(gallery: Gallery) -> None:
    for name, page in gallery.pages.items():
        found = [node.attrs["id"] for node in page.tree.all() if "id" in node.attrs]
        assert len(found) == len(set(found)), (name, found)
        for node in page.tree.all():
            for attribute in ("for", "aria-labelledby", "aria-describedby"):
                for one in node.attrs.get(attribute, "").split():
                    assert one in found, (name, attribute, one)


async def test_every_field_has_a_label_and_every_button_a_name(gallery: Gallery) -> None:
    for name, page in gallery.pages.items():
        labelled = {label.attrs["for"] for label in page.tree.all("label") if "for" in label.attrs}
        wrapped = [field for label in page.tree.all("label") for field in label.all("input")]
        for field in page.tree.all("input", "select"):
            if field.attrs.get("type") != "hidden":
                assert field.attrs.get("id") in labelled or field in wrapped, (name, field.attrs)
        for node in page.tree.all("button", "a", "summary"):
            assert node.text or node.attrs.get("aria-label"), (name, node.tag, node.attrs)
        assert len(list(page.tree.all("h1"))) == len(list(page.tree.all("main"))) == 1, name
        assert page.tree.one("html").attrs["lang"] == "en"
        assert page.tree.one("title").text.endswith("– ScanSnap Gateway"), name


async def test_data_is_text_wherever_it_is_shown(gallery: Gallery) -> None:
    shown = [page for page in gallery.pages.values() if HOSTILE_UNIT in page.tree.text]
    assert len(shown) >= 3, "the scanner's page, the main screen, the scan"
    labelled = [page for page in gallery.pages.values() if HOSTILE_DESTINATION in page.tree.text]
    assert len(labelled) >= 3
    for page in gallery.pages.values():
        assert HOSTILE_UNIT not in page.html
        assert all(re.fullmatch(THUMBNAIL, img.attrs["src"]) for img in page.tree.all("img"))
        assert [s.attrs.get("src") for s in page.tree.all("script")] in ([], ["/static/app.js"])


async def test_every_form_carries_the_token_of_its_session(gallery: Gallery) -> None:
    seen = set()
    for name, page in gallery.pages.items():
        for form in page.tree.all("form"):
            assert form.attrs["method"] == "post", name
            action = form.attrs["action"]
            token = values(form).get("form_token", "")
            assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token) or (action in OPEN_FORMS and token == ""), (name, action)
            seen.add(re.sub(r"[0-9a-f]{32}", "{id}", action))
    assert "/units/{id}/rename" in seen


@pytest.mark.parametrize("row", POSTED, ids=names(POSTED))
async def test_a_form_without_or_with_a_foreign_token_changes_nothing(gallery: Gallery, row: object) -> None:
    house, person, before = gallery.house, gallery.person, owned(gallery.house)
    token, path = await session_of(person), gallery.address(row)
    foreign = values(gallery.pages["enable"].form("Continue"))["form_token"]
    headers = {"Cookie": f"sid={token}", "Origin": house.url}
    for sent in ({}, {"form_token": ""}, {"form_token": foreign}, {"form_token": "é"}):
        async with house.http.post(house.url + path, data=sent, headers=headers, allow_redirects=False) as answer:
            assert answer.status == 403, path
            assert "This form is out of date." in await answer.text()
    assert owned(house) == before


@pytest.mark.parametrize("row", POSTED, ids=names(POSTED))
async def test_a_form_from_elsewhere_changes_nothing(gallery: Gallery, row: object) -> None:
    house, before = gallery.house, owned(gallery.house)
    token = await session_of(gallery.person)
    form = values(gallery.pages["GET /units/{id}"].form("Rename"))
    for origin in (
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": house.url.replace("127.0.0.1", "localhost")},
        {"Origin": house.url, "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        headers = {"Cookie": f"sid={token}"} | origin
        url = house.url + gallery.address(row)
        async with house.http.post(url, data=form, headers=headers, allow_redirects=False) as answer:
            assert answer.status == 403, origin
            assert "This request does not come from a page of this gateway." in await answer.text()
    assert owned(house) == before


async def test_unknown_addresses_get_a_page_or_a_problem(gallery: Gallery) -> None:
    page = gallery.pages["unknown address"]
    assert (page.status, page.title) == (404, "Page not found")
    assert gallery.pages["unknown scanner"].status == 404
    for path in ("/api", "/api/", "/api/v2/units", "/api/v1/nothing"):
        async with gallery.house.http.get(gallery.house.url + path) as answer:
            assert (answer.status, answer.content_type) == (404, "application/problem+json"), path


async def test_static_files_are_confirmed_by_their_tag(gallery: Gallery) -> None:
    house = gallery.house
    for name in sorted(path.name for path in FOLDER.iterdir()):
        url = f"{house.url}/static/{name}"
        async with house.http.get(url) as answer:
            assert answer.status == 200
            assert await answer.read() == (FOLDER / name).read_bytes()
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            tag = answer.headers["ETag"]
        async with house.http.get(url, headers={"If-None-Match": tag}) as answer:
            assert (answer.status, answer.headers["ETag"], await answer.read()) == (304, tag, b"")
        async with house.http.get(url, headers={"If-None-Match": '"other"'}) as answer:
            assert answer.status == 200
    for path in ("/static/nothing.css", "/static/..%2frender.py", "/static/%2e%2e/render.py"):
        async with house.http.get(house.url + path) as answer:
            assert answer.status == 404


async def test_fragments_are_the_parts_of_their_pages_and_no_activity(gallery: Gallery) -> None:
    house = gallery.house
    person = await house.browser()
    await person.get("/")
    await person.submit("Sign in", email=EMAIL, password=PASSWORD)
    await person.submit("Sign in", code=house.code())
    house.clock.ahead += timedelta(minutes=20)
    for row in PARTS:
        async with person.http.get(house.url + gallery.address(row)) as answer:
            assert answer.status == 200, row.path
            html = await answer.text()
            assert "<html" not in html
            assert parse(html).children
    house.clock.ahead += timedelta(minutes=11)
    for row in PARTS:
        async with person.http.get(house.url + gallery.address(row)) as answer:
            assert answer.status == 401, "31 minutes without a person's doing"
            assert (await answer.json(content_type=None))["type"] == "/problems/locked"
    assert (await person.get("/")).title == "Sign in"
