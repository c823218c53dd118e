"""The description of the API (OpenAPI 3.1), made from the table of routes and the Structs; nothing is written twice."""

import re
from typing import Any

import msgspec
from aiohttp import web

from gateway.core.model import Level
from gateway.web.api.status import VERSION
from gateway.web.problems import MEDIA_TYPE, Problem
from gateway.web.route import TABLE, Face, Route

PREFIX = "/api/v1"
_REF = "#/components/schemas/{name}"


async def get_openapi(request: web.Request) -> web.Response:
    """Return the description."""
    return web.Response(body=msgspec.json.encode(describe(request.app[TABLE])), content_type="application/json")


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
        "info": {"title": "scansnap-gateway", "version": VERSION},
        "servers": [{"url": PREFIX}],
        "paths": paths,
        "components": {
            "schemas": schemas,
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
        "responses": {
            str(row.status): _success(row, ref),
            "default": {
                "description": "A problem (RFC 9457)",
                "content": {MEDIA_TYPE: {"schema": ref[Problem]}},
            },
        },
        "security": [] if Level.L0 in row.levels else [{"bearer": []}, {"cookie": []}],
    }
    if row.body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": ref[row.body]}}}
    return operation


def _levels(row: Route) -> str:
    words = "open to everybody" if Level.L0 in row.levels else "sessions of level " + ", ".join(sorted(row.levels))
    return f"For {words}." + (" Password and code at most 10 minutes old." if row.fresh else "")


def _success(row: Route, ref: dict[type[msgspec.Struct], dict[str, Any]]) -> dict[str, Any]:
    if row.answer:
        return {"description": "Done", "content": {"application/json": {"schema": ref[row.answer]}}}
    if row.path.endswith("/events"):
        return {"description": "Topics as they change", "content": {"text/event-stream": {}}}
    return {"description": "Done"}


def _parameters(row: Route) -> list[dict[str, Any]]:
    inside = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", row.path)
    ]
    return inside + [
        {"name": q.name, "in": "query", "description": q.help, "schema": {"type": q.type}} for q in row.query
    ]
