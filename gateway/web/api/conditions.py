"""ETags (RFC 9110 8.8.3, 13): a program that polls gets 304, and one that changes a unit can say what it saw before.

The tag is strong: it is made from the very bytes of the answer. Nothing is cached anywhere; `no-store` stays.
"""

import asyncio
import base64
import hashlib

import msgspec
from aiohttp import web

from gateway.web import problems
from gateway.web.route import Handler, Route, row_of
from gateway.work.outcomes import Denied

CHANGED = Denied(
    "precondition_failed", "This was changed meanwhile, or If-Match names something else: get it again.", 412
)
CHANGES = web.AppKey("changes", asyncio.Lock)
"""Held while a condition is looked at and what follows is done: of two who saw the same, one comes too late."""


def tagged(row: Route) -> bool:
    """Tell whether a row's answers carry an ETag: whatever is got as JSON."""
    return row.method == "GET" and row.answer is not None


def tag(content: bytes) -> str:
    """Return the ETag of an answer, without its quotes: 132 bits of SHA-256."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode("ascii")[:22]


@web.middleware
async def not_modified(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give what is got as JSON its ETag, and 304 to whoever has it already (If-None-Match)."""
    answer, row = await handler(request), row_of(request)
    if row is None or not tagged(row) or answer.status != 200 or not isinstance(answer, web.Response):
        return answer
    answer.etag = tag(answer.body if isinstance(answer.body, bytes) else b"")
    known = {each.value for each in request.if_none_match or ()}
    if not known & {answer.headers["ETag"].strip('"'), "*"}:
        return answer
    return web.Response(status=304, headers={"ETag": answer.headers["ETag"]})


def refusal(request: web.Request, now: msgspec.Struct) -> web.Response | None:
    """Return 412 if the request has an If-Match that does not name what is there now; None to go on.

    The comparison is strong: a weak tag never matches (RFC 9110 13.1.1), nor does what cannot be read.
    """
    if "If-Match" not in request.headers:
        return None
    named = {each.value for each in request.if_match or () if not each.is_weak}
    return None if named & {tag(msgspec.json.encode(now)), "*"} else problems.response(CHANGED)
