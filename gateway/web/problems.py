"""Every "no" as a response: RFC 9457 problem JSON for programs and scripts, a page for people."""

import re
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from gateway.web import render
from gateway.web.route import Face, row_of
from gateway.work.outcomes import Denied

MEDIA_TYPE = "application/problem+json"
_AT = re.compile(r"^(?P<what>.*) - at `(?P<path>[^`]+)`$", re.DOTALL)
_REASONS = {404: "unknown_path", 405: "method_not_allowed", 413: "too_large", 415: "media_type"}
NOWHERE = "There is nothing at this address."
_DETAILS = {
    404: NOWHERE,
    405: "This address does not take that method.",
    413: "The request is too large: 64 KiB is the limit.",
    417: "The only Expect that is met is 100-continue.",
}
INTERNAL = Denied("internal", "Something went wrong inside the gateway. The log says more.", 500)


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request's body: where (JSON path) and what."""

    path: str
    detail: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A refusal (RFC 9457). `type` is stable: "/problems/" and the reason."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[Fault, ...] = ()


class ProblemError(Exception):
    """A request that cannot be answered otherwise; turned into a response by the guard."""

    def __init__(self, denied: Denied, errors: tuple[Fault, ...] = ()) -> None:
        super().__init__(denied.detail)
        self.denied = denied
        self.errors = errors


def response(denied: Denied, errors: tuple[Fault, ...] = ()) -> web.Response:
    """Return a refusal as problem JSON."""
    problem = Problem(
        f"/problems/{denied.reason}", HTTPStatus(denied.status).phrase, denied.status, denied.detail, errors
    )
    answer = web.Response(status=denied.status, body=msgspec.json.encode(problem), content_type=MEDIA_TYPE)
    answer.headers.update(_headers(denied))
    return answer


def _headers(denied: Denied) -> dict[str, str]:
    headers = {"WWW-Authenticate": "Bearer"} if denied.status == 401 else {}
    return headers | ({"Retry-After": str(denied.retry_after_s)} if denied.retry_after_s else {})


def render_for(request: web.Request, denied: Denied, errors: tuple[Fault, ...] = ()) -> web.Response:
    """Return a refusal in the form that fits who asked."""
    row = row_of(request)
    scripted = row is not None and row.face is Face.SCRIPT
    if scripted or request.path == "/api" or request.path.startswith("/api/"):
        return response(denied, errors)
    words: dict[str, Any] = {"heading": heading(denied.status), "detail": denied.detail}
    return render.page(request, "message.html", status=denied.status, **words)


def heading(status: int) -> str:
    """Return what a page says above a refusal."""
    return {404: "Page not found", 500: "Internal error"}.get(status, HTTPStatus(status).phrase)


def of_http(request: web.Request, error: web.HTTPException) -> web.Response:
    """Return what aiohttp itself refused (unknown path, method, size), keeping `Allow`."""
    phrase = HTTPStatus(error.status).phrase
    reason = _REASONS.get(error.status, phrase.lower().replace(" ", "_"))
    answer = render_for(request, Denied(reason, _DETAILS.get(error.status, phrase + "."), error.status))
    if "Allow" in error.headers:
        answer.headers["Allow"] = error.headers["Allow"]
    return answer


def of_body(error: msgspec.DecodeError) -> ProblemError:
    """Return what is wrong with a JSON body: 422 with the path if it is JSON, 400 if it is not."""
    if not isinstance(error, msgspec.ValidationError):
        return ProblemError(Denied("not_json", f"The body is not JSON: {error}.", 400))
    found = _AT.match(str(error))
    fault = Fault(found["path"], found["what"]) if found else Fault("$", str(error))
    return ProblemError(Denied("invalid", f"{fault.detail} (at {fault.path}).", 422), (fault,))
