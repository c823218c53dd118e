"""HTTP on loopback: a page with the buttons that a person has, and the same as JSON for scripts.

    GET  /units                                  all units
    POST /units/{id}/load   {"sheets": 5, "paper": "a4"}
    POST /units/{id}/glass  {"paper": "a4"}      POST /units/{id}/glass  {"paper": null}: taken off
    POST /units/{id}/press
    POST /units/{id}/cover  {"open": true}       POST /units/{id}/lid    {"open": false}
    POST /units/{id}/plug   {"plugged": false}   POST /units/{id}/wifi   {"up": false}, {"address": "127.77.0.9"}
    POST /units/{id}/fault  {"kind": "jam", "at_sheet": 2, "side": null}; also "command", "times", "delay_s", "sense"
    GET  /units/{id}/log

Each POST answers with the unit; bad input with 4xx and {"error": sentence}.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from importlib import resources
from typing import Any

from aiohttp import web

from simulator.faults import Fault, FaultKind
from simulator.fleet import MAX_SHEETS, FleetError, own_address
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
    sheets, paper = body.get("sheets"), body.get("paper", "a4")
    if not isinstance(sheets, int) or isinstance(sheets, bool):
        raise BadInput(f'send {{"sheets": n}} with a whole number from 1 to {MAX_SHEETS}')
    try:
        unit.load(sheets, str(paper))
    except ValueError as error:
        raise BadInput(str(error)) from error


def _glass(unit: VirtualScanner, body: Mapping[str, Any]) -> None:
    paper = body.get("paper", "a4")
    if paper is None:
        unit.take_off_glass()
        return
    try:
        unit.put_on_glass(str(paper))
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


def _wifi(unit: VirtualScanner, body: Mapping[str, Any]) -> None:
    if unit.spec.wifi is None:
        raise BadInput(f"{unit.id} has no Wi-Fi")
    address = body.get("address")
    if address is not None:
        try:
            own_address(address)
        except FleetError as error:
            raise BadInput(str(error)) from error
        unit.move(address)
    elif _flag(body, "up"):
        unit.restore_wifi()
    else:
        unit.drop_wifi()


def _lid(unit: VirtualScanner, body: Mapping[str, Any]) -> None:
    if _flag(body, "open"):
        unit.open_lid()
    else:
        unit.close_lid()


def _fault(unit: VirtualScanner, body: Mapping[str, Any]) -> None:
    known = {field.name for field in fields(Fault)}
    if unknown := set(body) - known:
        raise BadInput(f"unknown key {min(unknown)!r}; known are {', '.join(sorted(known))}")
    kinds = [kind.value for kind in FaultKind if kind is not FaultKind.EMPTY]
    if body.get("kind") not in kinds:
        raise BadInput(f"kind must be one of {', '.join(kinds)}")
    side, sense = body.get("side"), body.get("sense")
    if side not in (None, *Side):
        raise BadInput("side must be front, back or null")
    if sense is not None and not (isinstance(sense, list) and len(sense) == 3 and all(map(_is_whole, sense))):
        raise BadInput("sense must be null or three whole numbers: key, ASC, ASCQ")
    delay_s = body.get("delay_s", 1.0)
    if not isinstance(delay_s, int | float) or isinstance(delay_s, bool):
        raise BadInput("delay_s must be a number of seconds")
    try:
        fault = Fault(
            FaultKind(body["kind"]),
            _whole(body, "at_sheet", 1),
            None if side is None else Side(side),
            None if body.get("command") is None else _whole(body, "command", 0),
            _whole(body, "times", 1),
            delay_s,
            None if sense is None else (sense[0], sense[1], sense[2]),
        )
    except ValueError as error:
        raise BadInput(str(error)) from error
    unit.inject(fault)


_ACTIONS: dict[str, Action] = {
    "load": _load,
    "glass": _glass,
    "press": _press,
    "cover": _cover,
    "lid": _lid,
    "plug": _plug,
    "wifi": _wifi,
    "fault": _fault,
}


def _whole(body: Mapping[str, Any], key: str, default: int) -> int:
    value = body.get(key, default)
    if not _is_whole(value):
        raise BadInput(f"{key} must be a whole number")
    return int(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


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
        "has_glass": unit.has_glass,
        "on_glass": unit.on_glass is not None,
        "plugged": unit.plugged,
        "wifi": None if unit.spec.wifi is None else unit.address,
        "lid_is_power": unit.model.lid_is_power,
        "cover_open": unit.cover_open,
        "button_down": unit.button_down,
        "stuck": unit.stuck,
        "sides_delivered": len(unit.delivered),
        "errors": unit.errors,
        "last": unit.log[-1].what if unit.log else "",
    }


def _error(status: int, sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=status)
