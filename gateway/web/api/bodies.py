"""JSON in and out: a body is exactly its Struct, an answer is one."""

from datetime import datetime
from typing import Annotated, TypeVar

import msgspec
from aiohttp import web

from gateway.web import problems

Body = TypeVar("Body", bound=msgspec.Struct)
Time = Annotated[datetime, msgspec.Meta(tz=True)]


async def read(request: web.Request, kind: type[Body]) -> Body:
    """Return the request's body as `kind`; ProblemError 422 with the path, 400 if it is no JSON."""
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.DecodeError as error:
        raise problems.of_body(error) from None
    except RecursionError:
        raise problems.of_body(msgspec.DecodeError("it is nested too deeply")) from None


def reply(answer: msgspec.Struct, status: int = 200) -> web.Response:
    """Return an answer as JSON."""
    return web.Response(status=status, body=msgspec.json.encode(answer), content_type="application/json")


def done() -> web.Response:
    """Answer "done, nothing to say"."""
    return web.Response(status=204)
