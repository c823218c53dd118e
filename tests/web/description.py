"""The description of the API as a judge: every answer that a test gets is held against it."""

import json
import re
from functools import cache
from typing import Any

import aiohttp
import jsonschema_rs

from gateway.web.api.openapi import PREFIX, describe
from gateway.web.routes import ROUTES

DOCUMENT: dict[str, Any] = describe(ROUTES)
# Where no row is: no operation could describe it.
ELSEWHERE = {
    (404, "unknown_path"),
    (405, "method_not_allowed"),
    (421, "host"),
    (400, "bad_request"),
    (413, "too_large"),
}


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(PREFIX + path)))


PATHS = [(_pattern(path), item) for path, item in DOCUMENT["paths"].items()]


def operation(method: str, path: str) -> dict[str, Any] | None:
    """Return the operation that a request is for; a path without placeholders goes before one with them."""
    found = [item[method.lower()] for pattern, item in PATHS if pattern.fullmatch(path) and method.lower() in item]
    return min(found, key=lambda op: len(op["parameters"])) if found else None


def response(found: dict[str, Any], status: int) -> dict[str, Any] | None:
    """Return what an operation says of a status."""
    answer = found["responses"].get(str(status))
    name = answer.get("$ref", "").rsplit("/", 1)[-1] if answer else ""
    return DOCUMENT["components"]["responses"][name] if name else answer


@cache
def _validator(schema: str) -> Any:
    whole = json.loads(schema) | {"components": {"schemas": DOCUMENT["components"]["schemas"]}}
    return jsonschema_rs.Draft202012Validator(whole)


def undocumented(method: str, path: str, status: int, media_type: str, content: bytes) -> str:
    """Return in what an answer differs from the description, or ""."""
    found = operation(method, path)
    if method == "HEAD":
        return "" if status == 405 else f"{status} to HEAD"
    if found is None:
        reason = json.loads(content)["type"].rsplit("/", 1)[-1]
        return "" if (status, reason) in ELSEWHERE else f"{status} {reason} where nothing is"
    said = response(found, status)
    if said is None:
        return f"{status} is not described: {content[:200]!r}"
    media = said.get("content", {})
    if not media:
        return f"{status} has a body" if content else ""
    ranged = media_type.partition("/")[0] + "/*"
    if not {media_type, ranged} & set(media):
        return f"{media_type} is not one of {set(media)}"
    schema = media.get(media_type, {}).get("schema")
    if schema is None:
        return ""
    return "; ".join(
        f"{e.message} at {e.instance_path}" for e in _validator(json.dumps(schema)).iter_errors(json.loads(content))
    )


async def judge(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Let the client see an answer of the API only if it is described; middleware of aiohttp's client."""
    answer = await handler(request)
    path = request.url.raw_path
    if path.startswith(PREFIX + "/"):
        content = b"" if answer.content_type == "text/event-stream" else await answer.read()
        fault = undocumented(request.method, path, answer.status, answer.content_type, content)
        assert not fault, f"{request.method} {path}: {fault}"
    return answer
