"""HTTP on loopback: a page with the buttons that a person has, and the same as JSON for scripts.

    GET  /units                                  all units
    POST /units/{id}/load   {"sheets": 5}        POST /units/{id}/press
    POST /units/{id}/cover  {"open": true}       POST /units/{id}/plug   {"plugged": false}
    POST /units/{id}/fault  {"kind": "jam", "at_sheet": 2, "side": null}
    GET  /units/{id}/log

Each POST answers with the unit; bad input with 4xx and {"error": sentence}.
"""

import json
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

from aiohttp import web

from simulator.faults import Fault, FaultKind
from simulator.fleet import MAX_SHEETS
from simulator.scanner import VirtualScanner
from simulator.sheets import Side

HOST = "127.0.0.1"
_MAX_BODY_BYTES = 4096
_PAGE_HEADERS = {"Content-Security-Policy": "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"}
Action = Callable[[VirtualScanner, Mapping[str, Any]], None]


class BadInput(ValueError):
    """A request that cannot be done; `str()` says what to send instead."""


class Panel:
    """The panel of some units. `start`, then `url`; `close` at the end."""

    def __init__(self, units: Mapping[str, VirtualScanner]) -> None:
        self._units = units
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/units", self._list),
                web.get("/units/{id}/log", self._log),
                *(web.post(f"/units/{{id}}/{name}", self._action(action)) for name, action in _ACTIONS.items()),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        self._port = 0

    @property
    def url(self) -> str:
        """Return the address of the page, without a slash at its end."""
        return f"http://{HOST}:{self._port}"

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; port 0 takes any free one."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _page(self, _request: web.Request) -> web.Response:
        page = (resources.files("simulator") / "templates" / "panel.html").read_text("utf-8")
        return web.Response(text=page, content_type="text/html", headers=_PAGE_HEADERS)

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response([_state(unit) for unit in self._units.values()])

    async def _log(self, request: web.Request) -> web.Response:
        unit = self._units.get(request.match_info["id"])
        if unit is None:
            return _error(404, f"there is no unit {request.match_info['id']!r}")
        return web.json_response([{"at": event.at.isoformat(), "what": event.what} for event in unit.log])

    def _action(self, action: Action) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            unit = self._units.get(request.match_info["id"])
            if unit is None:
                return _error(404, f"there is no unit {request.match_info['id']!r}")
            try:
                action(unit, _body(await request.read()))
            except BadInput as error:
                return _error(400, str(error))
            except web.HTTPRequestEntityTooLarge:
                return _error(413, f"the body has more than {_MAX_BODY_BYTES} bytes")
            return web.json_response(_state(unit))

        return handle


def _load(unit: VirtualScanner, body: Mapping[str, Any]) -> None:
    sheets = body.get("sheets")
    if not isinstance(sheets, int) or isinstance(sheets, bool):
        raise BadInput(f'send {{"sheets": n}} with a whole number from 1 to {MAX_SHEETS}')
    try:
        unit.load(sheets)
    except ValueError as error:
        raise BadInput(str(error)) from error


def _press(unit: VirtualScanner, _body: Mapping[str, Any]) -> None:
    unit.press()


def _cover(unit: VirtualScanner, body: Mapping[str, Any]) -> None:
    if _flag(body, "open"):
        unit.open_cover()
    else:
        unit.close_cover()


def _plug(unit: VirtualScanner, body: Mapping[str, Any]) -> None:
    if _flag(body, "plugged"):
        unit.plug()
    else:
        unit.unplug()


def _fault(unit: VirtualScanner, body: Mapping[str, Any]) -> None:
    if unknown := set(body) - {"kind", "at_sheet", "side"}:
        raise BadInput(f"unknown key {min(unknown)!r}; known are kind, at_sheet, side")
    kinds = [kind.value for kind in FaultKind if kind is not FaultKind.EMPTY]
    if body.get("kind") not in kinds:
        raise BadInput(f"kind must be one of {', '.join(kinds)}")
    at_sheet, side = body.get("at_sheet", 1), body.get("side")
    if not isinstance(at_sheet, int) or isinstance(at_sheet, bool):
        raise BadInput("at_sheet must be a whole number; 1 is the next sheet")
    if side not in (None, *Side):
        raise BadInput("side must be front, back or null")
    try:
        unit.inject(Fault(FaultKind(body["kind"]), at_sheet, None if side is None else Side(side)))
    except ValueError as error:
        raise BadInput(str(error)) from error


_ACTIONS: dict[str, Action] = {"load": _load, "press": _press, "cover": _cover, "plug": _plug, "fault": _fault}


def _flag(body: Mapping[str, Any], key: str) -> bool:
    value = body.get(key)
    if not isinstance(value, bool):
        raise BadInput(f'send {{"{key}": true}} or {{"{key}": false}}')
    return value


def _body(content: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(content or b"{}")
    except (ValueError, RecursionError) as error:
        raise BadInput(f"the body is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadInput("the body must be a JSON object")
    return body


def _state(unit: VirtualScanner) -> dict[str, Any]:
    return {
        "id": unit.id,
        "model": unit.model.name,
        "serial": unit.spec.serial,
        "sheets": unit.sheets,
        "plugged": unit.plugged,
        "cover_open": unit.cover_open,
        "button_down": unit.button_down,
        "stuck": unit.stuck,
        "sides_delivered": len(unit.delivered),
        "errors": unit.errors,
        "last": unit.log[-1].what if unit.log else "",
    }


def _error(status: int, sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=status)
