"""What a row of the table of routes says. The rows themselves are in routes.py."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec
from aiohttp import web

from gateway.core.model import Level

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ANYONE = frozenset({Level.L0, Level.LP, Level.L1, Level.LR, Level.L2})
WITH_PASSWORD = frozenset({Level.LP, Level.L1, Level.LR, Level.L2})
SIGNED_IN = frozenset({Level.L1, Level.L2})
REPLACES = frozenset({Level.LR, Level.L2})
ENROLS = frozenset({Level.L1, Level.LR, Level.L2})
VERIFIED = frozenset({Level.L2})


class Face(StrEnum):
    """Who asks: a program, a person, a script of our own pages, or anybody for files without secrets."""

    API = "api"
    PAGE = "page"
    SCRIPT = "script"
    STATIC = "static"


@dataclass(frozen=True, slots=True)
class Query:
    """One parameter of the query string, for the description of the API; `bounds`: more of its JSON schema."""

    name: str
    type: str
    help: str
    bounds: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """One row. `fresh`: password (and code) must be at most 10 minutes old; `while_locked`: open on idle pages too.

    `knocks`: a call to sign in, of which each network may make only so many; `denies`: why its handler may say no
    (gateway/web/reasons.py); `once`: takes an Idempotency-Key; `guarded`: takes If-Match; `media_type`: of an answer
    that is no Struct.
    """

    method: str
    path: str
    handler: Handler
    levels: frozenset[Level]
    face: Face
    summary: str = ""
    body: type[msgspec.Struct] | None = None
    answer: type[msgspec.Struct] | None = None
    status: int = 200
    query: tuple[Query, ...] = ()
    fresh: bool = False
    while_locked: bool = False
    before_setup: bool = False
    knocks: bool = False
    denies: tuple[str, ...] = ()
    once: bool = False
    guarded: bool = False
    media_type: str = ""


TABLE = web.AppKey("table", tuple[Route, ...])
"""All rows, for the description of the API."""
ROWS = web.AppKey("rows", dict[web.AbstractRoute, Route])
"""Which row a matched route stands for."""


def row_of(request: web.Request) -> Route | None:
    """Return the row that the request matched; None for an unknown path or method."""
    if request.match_info.http_exception is not None:
        return None
    return request.app[ROWS].get(request.match_info.route)
