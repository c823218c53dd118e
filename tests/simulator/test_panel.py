"""The panel over HTTP, and the commands that use it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from simulator import Simulation
from simulator.__main__ import main
from simulator.faults import Fault, FaultKind
from simulator.sheets import Side


@pytest.fixture
async def http(scansnap: Simulation) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(scansnap.panel_url) as session:
        yield session


async def post(http: aiohttp.ClientSession, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    async with http.post(path, json=body) as answer:
        return answer.status, await answer.json()


async def test_the_page_has_the_buttons(http: aiohttp.ClientSession) -> None:
    async with http.get("/") as answer:
        page = await answer.text()
    assert answer.content_type == "text/html"
    for label in ("Load 5 sheets", "Press Scan", "Open cover", "Unplug"):
        assert label in page


async def test_a_sheet_can_be_put_on_the_glass_and_taken_off(scansnap: Simulation, http: aiohttp.ClientSession) -> None:
    unit = scansnap.unit("ix500")
    state = (await post(http, "/units/ix500/glass", {"paper": "a5"}))[1]
    assert (state["on_glass"], state["has_glass"]) == (True, False)
    assert unit.on_glass is not None
    assert unit.on_glass.paper == "a5"
    assert (await post(http, "/units/ix500/glass", {"paper": "a99"}))[0] == 400
    assert not (await post(http, "/units/ix500/glass", {"paper": None}))[1]["on_glass"]


async def test_a_person_can_do_everything_by_http(scansnap: Simulation, http: aiohttp.ClientSession) -> None:
    unit = scansnap.unit("ix500")
    assert (await post(http, "/units/ix500/load", {"sheets": 5}))[1]["sheets"] == unit.sheets == 5
    assert (await post(http, "/units/ix500/press"))[1]["button_down"]
    assert (await post(http, "/units/ix500/cover", {"open": True}))[1]["cover_open"]
    assert not (await post(http, "/units/ix500/cover", {"open": False}))[1]["cover_open"]
    assert not (await post(http, "/units/ix500/plug", {"plugged": False}))[1]["plugged"]
    assert (await post(http, "/units/ix500/plug", {"plugged": True}))[1]["plugged"]
    assert not (await post(http, "/units/ix500/lid", {"open": False}))[1]["plugged"]
    assert (await post(http, "/units/ix500/lid", {"open": True}))[1]["plugged"]
    assert (await post(http, "/units/ix500/load", {"sheets": 1, "paper": "card"}))[1]["sheets"] == 6
    assert (await post(http, "/units/ix500/fault", {"kind": "jam", "at_sheet": 2, "side": "back"}))[0] == 200
    sense = {"kind": "sense", "command": 0x31, "times": 2, "sense": [3, 0x80, 0x14]}
    assert (await post(http, "/units/ix500/fault", sense))[0] == 200
    assert unit.faults == (
        Fault(FaultKind.JAM, 2, Side.BACK),
        Fault(FaultKind.SENSE, command=0x31, times=2, sense=(3, 0x80, 0x14)),
    )
    async with http.get("/units/ix500/log") as answer:
        assert [event["what"] for event in await answer.json()][:2] == ["5 sheets loaded", "Scan pressed"]
    async with http.get("/units") as answer:
        assert [row["id"] for row in await answer.json()] == ["ix500"]


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("load", {}, "sheets"),
        ("load", {"sheets": "5"}, "whole number"),
        ("load", {"sheets": 0}, "the feeder takes 1 to 1000 sheets"),
        ("load", [1], "JSON object"),
        ("cover", {"open": 1}, "true"),
        ("plug", {}, "plugged"),
        ("fault", {"kind": "fire"}, "kind must be one of jam"),
        ("fault", {"kind": "jam", "at_sheet": 0}, "at_sheet counts from 1"),
        ("fault", {"kind": "jam", "side": "left"}, "side must be front, back or null"),
        ("fault", {"kind": "jam", "sheet": 1}, "unknown key 'sheet'"),
        ("fault", {"kind": "jam", "at_sheet": True}, "at_sheet must be a whole number"),
        ("fault", {"kind": "jam", "command": 3}, "does not strike a command"),
        ("fault", {"kind": "sense"}, "has a sense"),
        ("fault", {"kind": "sense", "sense": [1, 2]}, "three whole numbers"),
        ("fault", {"kind": "sense", "sense": [16, 0, 0]}, "a key from 0 to 15"),
        ("fault", {"kind": "slow", "delay_s": "1"}, "a number of seconds"),
        ("fault", {"kind": "slow", "delay_s": 1e9}, "0 to 600 seconds"),
        ("load", {"sheets": 1, "paper": "a0"}, "there is no paper 'a0'"),
        ("lid", {}, "open"),
    ],
)
async def test_bad_input_is_answered_with_a_sentence(
    http: aiohttp.ClientSession, path: str, body: Any, sentence: str
) -> None:
    status, reply = await post(http, f"/units/ix500/{path}", body)
    assert status == 400
    assert sentence in reply["error"]


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"{", 400, "the body is no JSON"),
        (b"\xff", 400, "the body is no JSON"),
        (b"[" * 4000, 400, "the body is no JSON"),
        (b" " * 5000, 413, "the body has more than 4096 bytes"),
    ],
    ids=["half", "no-text", "deep", "long"],
)
async def test_a_body_that_is_no_json_is_bad_input(
    http: aiohttp.ClientSession, body: bytes, status: int, sentence: str
) -> None:
    async with http.post("/units/ix500/load", data=body) as answer:
        assert answer.status == status
        assert sentence in (await answer.json())["error"]


async def test_an_unknown_unit_is_not_found(http: aiohttp.ClientSession) -> None:
    assert (await post(http, "/units/nobody/press"))[0] == 404


async def test_the_command_line_loads_and_presses(scansnap: Simulation, capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(main, ["load", "4", "--panel", scansnap.panel_url]) == 0
    assert await asyncio.to_thread(main, ["press", "ix500", "--panel", scansnap.panel_url]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ix500: 4 sheets loaded; 4 sheets in the feeder",
        "ix500: Scan pressed; 4 sheets in the feeder",
    ]
    assert scansnap.unit("ix500").button_down


async def test_the_command_line_repeats_what_the_panel_refuses(
    scansnap: Simulation, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asyncio.to_thread(main, ["load", "0", "--panel", scansnap.panel_url]) == 1
    assert await asyncio.to_thread(main, ["press", "nobody", "--panel", scansnap.panel_url]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "scansnap-simulator: the feeder takes 1 to 1000 sheets; 0 are in it",
        "scansnap-simulator: there is no unit 'nobody'",
    ]


@pytest.mark.parametrize("answer", [{}, [], [{"id": 3}], "error"])
async def test_the_command_line_knows_that_somebody_else_answers(
    capsys: pytest.CaptureFixture[str], answer: object
) -> None:
    async def handle(_request: web.Request) -> web.Response:
        return web.json_response(answer)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    async with TestServer(app) as server:
        assert await asyncio.to_thread(main, ["press", "--panel", str(server.make_url(""))]) == 1
    assert "no simulator answers at" in capsys.readouterr().err


def test_the_command_line_says_what_is_wrong_with_a_fleet(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--fleet", "ix9"]) == 1
    assert "no built-in fleet" in capsys.readouterr().err


def test_the_command_line_refuses_a_port_that_is_none() -> None:
    with pytest.raises(SystemExit) as raised:
        main(["run", "--panel-port", "70000"])
    assert raised.value.code == 2
