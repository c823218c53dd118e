"""A row of the API for the table of routes."""

from typing import Any

from gateway.core.model import Level
from gateway.web.api.openapi import PREFIX
from gateway.web.route import Face, Handler, Query, Route

LIMIT = Query("limit", "integer", "50 by default", {"minimum": 1, "maximum": 200})


def api(method: str, path: str, handler: Handler, levels: frozenset[Level], **more: Any) -> Route:
    """Return a row below /api/v1; `more` as in Route. Its summary is the first line of the handler's docstring."""
    summary = (handler.__doc__ or "").splitlines()[0]
    return Route(method, PREFIX + path, handler, levels, Face.API, summary=summary, **more)
