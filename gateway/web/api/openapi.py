"""The description of the API (OpenAPI 3.1), made from the table of routes and the Structs; nothing is written twice."""

import re
from typing import Any

import msgspec
from aiohttp import web

from gateway.core.model import Level
from gateway.web.api.conditions import tagged
from gateway.web.api.refusals import refusals
from gateway.web.api.status import VERSION
from gateway.web.problems import Problem
from gateway.web.route import Face, Route

PREFIX = "/api/v1"
DOCUMENT = web.AppKey("document", bytes)
"""The description as JSON, made once."""
ID = "^[0-9a-f]{32}$"
_INSIDE = {"page": {"type": "integer", "minimum": 1, "maximum": 999_999}}  # what is no id in a path
_ID = {"type": "string", "pattern": ID}
_REF = "#/components/schemas/{name}"
_ABOUT = (
    "Every refusal is problem JSON (RFC 9457); its `type` is stable and leads to a page with its meaning. "
    "Sign in by POST /session and send the token as a bearer token. With two-factor authentication on, a client names "
    "its version: `ScanSnapCloud/1.7` in User-Agent, or `ScanSnap-Cloud-Version: 1.7`."
)


async def get_openapi(request: web.Request) -> web.Response:
    """Return the description."""
    return web.Response(body=request.app[DOCUMENT], content_type="application/json")


def describe(table: tuple[Route, ...]) -> dict[str, Any]:
    """Return the OpenAPI document of the table's API rows."""
    rows = [row for row in table if row.face is Face.API]
    kinds = {kind for row in rows for kind in (row.body, row.answer) if kind} | {Problem}
    ordered = sorted(kinds, key=lambda kind: kind.__name__)
    refs, schemas = msgspec.json.schema_components(ordered, ref_template=_REF)
    ref = dict(zip(ordered, refs, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        paths.setdefault(row.path.removeprefix(PREFIX), {})[row.method.lower()] = _operation(row, ref)
    return {
        "openapi": "3.1.0",
        "info": {"title": "scansnap-gateway", "version": VERSION, "description": _ABOUT},
        "servers": [{"url": PREFIX}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {refused.name: refused.response() for row in rows for refused in refusals(row)},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "sid"},
            },
        },
    }


def _operation(row: Route, ref: dict[type[msgspec.Struct], dict[str, Any]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{row.method.lower()}_{re.sub('[^a-z0-9]+', '_', row.path.removeprefix(PREFIX)).strip('_')}",
        "summary": row.summary,
        "description": _levels(row),
        "parameters": _parameters(row),
        "responses": _success(row, ref)
        | {str(r.status): {"$ref": f"#/components/responses/{r.name}"} for r in refusals(row)},
        "security": [] if Level.L0 in row.levels else [{"bearer": []}, {"cookie": []}],
    }
    if row.body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": ref[row.body]}}}
    return operation


def _levels(row: Route) -> str:
    words = "open to everybody" if Level.L0 in row.levels else "sessions of level " + ", ".join(sorted(row.levels))
    return f"For {words}." + (" Password and code at most 10 minutes old." if row.fresh else "")


def _success(row: Route, ref: dict[type[msgspec.Struct], dict[str, Any]]) -> dict[str, Any]:
    done: dict[str, Any] = {"description": "Done"}
    if row.answer:
        done["content"] = {"application/json": {"schema": ref[row.answer]}}
    elif row.media_type:
        done["content"] = {row.media_type: {}}
    if row.once:
        done["headers"] = {"Idempotency-Replayed": _header("`true` on an answer that was given before", ["true"])}
    if not tagged(row):
        return {str(row.status): done}
    tag = {"ETag": _header("What the answer is now, to ask again with If-None-Match")}
    return {str(row.status): done | {"headers": tag}, "304": {"description": "As If-None-Match has it", "headers": tag}}


def _header(help: str, values: list[str] | None = None) -> dict[str, Any]:
    return {"description": help, "schema": {"type": "string"} | ({"enum": values} if values else {})}


def _parameters(row: Route) -> list[dict[str, Any]]:
    inside = [
        {"name": name, "in": "path", "required": True, "schema": _INSIDE.get(name, _ID)}
        for name in re.findall(r"{(\w+)}", row.path)
    ]
    asked = [
        {"name": q.name, "in": "query", "description": q.help, "schema": {"type": q.type} | dict(q.bounds)}
        for q in row.query
    ]
    return inside + asked + [_HEADERS[name] for name in _taken(row)]


def _taken(row: Route) -> list[str]:
    taken = {"If-None-Match": tagged(row), "If-Match": row.guarded, "Idempotency-Key": row.once}
    return [name for name, is_taken in taken.items() if is_taken]


def _parameter(name: str, help: str, pattern: str) -> dict[str, Any]:
    schema = {"type": "string"} | ({"pattern": pattern} if pattern else {})
    return {"name": name, "in": "header", "description": help, "schema": schema}


_TAGS = r'^(\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$'
_HEADERS = {
    row["name"]: row
    for row in (
        _parameter("If-None-Match", "The ETag of what the client has: 304 while it is the same", ""),
        _parameter("If-Match", "The ETag of what the client saw: 412 if it changed meanwhile", _TAGS),
        _parameter(
            "Idempotency-Key",
            "The client's name for this request: sent again within 24 hours, it gets the first answer and is not "
            "done again. A refusal frees the key.",
            r"^[!#-\[\]-~]{1,255}$",
        ),
    )
}
