"""Who may what: for each row of the table and each kind of visitor, what the row says is what happens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from yarl import URL

from gateway.core.model import Level
from gateway.web.render import form_token
from gateway.web.route import Face
from gateway.web.routes import ROUTES
from tests.web.conftest import House, open_house
from tests.web.rows import address, names, owned

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Rows that end the session they are asked with: each has a session of its own.
ENDING = ("DELETE /api/v1/session", "POST /sign-out")
TOO_LOW = {Level.LP: (401, "code_due"), Level.LR: (403, "replace_authenticator")}
GUARD = {
    "replace_authenticator",
    "setup_required",
    "sign_in",
    "code_due",
    "locked",
    "step_up",
    "two_factor_needed",
    "closed",
    "cross_site",
}


@dataclass
class Visitor:
    """A kind of visitor: the level of the session, and what else the guard looks at."""

    house: House
    level: Level = Level.L0
    token: str = ""
    locked: bool = False
    stale: bool = False
    set_up: bool = True
    tokens: dict[str, str] = field(default_factory=dict)

    def token_for(self, row: Any) -> str:
        return self.tokens.get(f"{row.method} {row.path}", self.token)


def expected(row: Any, visitor: Visitor) -> tuple[int, str] | None:
    """Return status and reason of the refusal, or None if the handler must be reached."""
    if not visitor.set_up and not row.before_setup:
        return 409, "setup_required"
    if Level.L0 in row.levels:
        return None
    if visitor.level is Level.L0:
        return 401, "sign_in"
    if visitor.locked and not row.while_locked:
        return 401, "locked"
    if visitor.level not in row.levels:
        return TOO_LOW.get(visitor.level, (403, "two_factor_needed"))
    return (401, "step_up") if row.fresh and visitor.stale else None


async def _prepare(house: House, two_factor: bool) -> None:
    await house.set_up()
    await house.register()
    if two_factor:
        await house.enable()


async def _three(sign_in: Any) -> dict[str, str]:
    return {name: await sign_in() for name in ("", *ENDING)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def visitors(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Visitor]]:
    """All kinds of visitors, on houses whose clocks differ."""
    async with AsyncExitStack() as stack:

        async def another(name: str) -> House:
            return await stack.enter_async_context(open_house(tmp_path_factory.mktemp(name)))

        untouched, plain, verified, papered, aged, idle = [
            await another(name) for name in ("untouched", "plain", "verified", "papered", "aged", "idle")
        ]
        await asyncio.gather(*(_prepare(house, house is not plain) for house in (plain, verified, papered, aged, idle)))
        l1, l2, lp = await _three(plain.password), await _three(verified.sign_in), await _three(verified.password)
        lr = await _three(papered.sign_in_by_paper)
        middle, old = await _three(aged.sign_in), await _three(idle.sign_in)
        aged.clock.ahead += timedelta(minutes=11)
        idle.clock.ahead += timedelta(minutes=31)
        yield {
            "before set-up": Visitor(untouched, set_up=False),
            "nobody": Visitor(verified),
            "code due": Visitor(verified, Level.LP, lp[""], tokens=lp),
            "without two-factor": Visitor(plain, Level.L1, l1[""], tokens=l1),
            "verified": Visitor(verified, Level.L2, l2[""], tokens=l2),
            "by sign-in code": Visitor(papered, Level.LR, lr[""], tokens=lr),
            "verified long ago": Visitor(aged, Level.L2, middle[""], stale=True, tokens=middle),
            "locked": Visitor(idle, Level.L2, old[""], locked=True, stale=True, tokens=old),
        }


KINDS = ["before set-up", "nobody", "code due", "without two-factor", "by sign-in code", "verified"]
KINDS += ["verified long ago", "locked"]


async def ask(visitor: Visitor, row: Any) -> tuple[int, str, str]:
    """Send the row's request as a browser with this session does; return status, Location and what it says."""
    house, token = visitor.house, visitor.token_for(row)
    headers = {"Origin": house.url} | ({"Cookie": f"sid={token}"} if token else {})
    form = {"form_token": form_token(token), "where": "here"}
    options: dict[str, Any] = {"data": form} if row.face is Face.PAGE else {"json": {}}
    if row.method in ("GET", "DELETE"):
        options = {}
    here = "?everywhere=0" if row.method == "DELETE" else ""  # the other visitors' sessions go on
    url = URL(house.url + address(row) + here, encoded=True)
    async with house.http.request(row.method, url, headers=headers, allow_redirects=False, **options) as answer:
        said = "" if answer.content_type == "text/event-stream" else await answer.text()
        return answer.status, answer.headers.get("Location", ""), said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", ROUTES, ids=names(ROUTES))
async def test_the_row_decides(visitors: dict[str, Visitor], row: Any, kind: str) -> None:
    visitor = visitors[kind]
    refusal = expected(row, visitor)
    before = owned(visitor.house)
    status, location, said = await ask(visitor, row)
    where = urlsplit(location)
    if refusal is None:
        assert status < 500
        assert not any(f'"type":"/problems/{reason}"' in said for reason in GUARD), said
        assert "why" not in parse_qs(where.query), location
        assert not (visitor.set_up and where.path == "/setup")
        return
    assert owned(visitor.house) == before
    if row.face is not Face.PAGE:
        assert status == refusal[0]
        assert f'"/problems/{refusal[1]}"' in said
    elif refusal[1] == "setup_required":
        assert (status, location) == (303, "/setup")
    elif refusal[1] == "replace_authenticator":
        assert (status, where.path) == (303, "/account/authenticator")
    elif refusal[0] == 401:
        door = "/sign-in/code" if refusal[1] == "code_due" else "/sign-in"
        back = address(row) if row.method == "GET" else "/"
        assert (status, where.path) == (303, door)
        assert parse_qs(where.query) == {"next": [back], "why": [refusal[1]]}
        assert said == ""
    else:
        assert status == 403
        assert "This needs two-factor authentication. Enable it first." in said


async def test_every_row_names_its_levels_and_pages_do_not_ask_for_less_than_the_api() -> None:
    for row in ROUTES:
        assert row.levels, row.path
        assert Level.ENDED not in row.levels
        twins = [r for r in ROUTES if r.path == f"/api/v1{row.path}" and r.method == row.method]
        if row.face is Face.PAGE:
            assert all(r.levels >= row.levels or Level.L0 in r.levels for r in twins), row.path


async def test_a_bearer_token_opens_no_page(visitors: dict[str, Visitor]) -> None:
    visitor = visitors["verified"]
    headers = {"Authorization": f"Bearer {visitor.token}"}
    async with visitor.house.http.get(visitor.house.url + "/", headers=headers, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"].startswith("/sign-in?")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        *({"Sec-Fetch-Site": site} for site in ("cross-site", "same-site", "none")),
    ],
    ids=str,
)
async def test_a_cookie_alone_changes_nothing_through_the_api(
    visitors: dict[str, Visitor], headers: dict[str, str]
) -> None:
    visitor = visitors["verified"]
    for row in ROUTES:
        if row.face is Face.API and row.method != "GET":
            url = visitor.house.url + address(row)
            sent = headers | {"Cookie": f"sid={visitor.token}"}
            async with visitor.house.http.request(row.method, url, json={}, headers=sent) as answer:
                assert (answer.status, (await answer.json(content_type=None))["type"]) == (403, "/problems/cross_site")
