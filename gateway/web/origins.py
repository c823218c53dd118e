"""Cross-site requests: who may send an unsafe method. Pages need a form token of their session besides."""

import hmac

from aiohttp import web

from gateway.web import peers, problems
from gateway.web.context import TOKEN, VISITOR
from gateway.web.render import form_token
from gateway.web.route import Face
from gateway.work.outcomes import Denied

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CROSS_SITE = Denied("cross_site", "This request does not come from a page of this gateway.", 403)
FORM_TOKEN = Denied("form_token", "This form is out of date. Go back, load the page again and repeat.", 403)
JSON_ONLY = Denied("media_type", "The API takes JSON only: Content-Type: application/json.", 415)
NOT_PLAIN = Denied("media_type", "Bodies are taken as they are: without Content-Encoding.", 415)
NOT_TEXT = Denied("not_text", "The form is not text in UTF-8.", 400)
FORMS_ONLY = Denied("media_type", "Pages take forms only: application/x-www-form-urlencoded in UTF-8.", 415)


def bearer(request: web.Request) -> str | None:
    """Return the bearer token of the Authorization header (RFC 6750), or None."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def refusal(request: web.Request, face: Face) -> Denied | None:
    """Return why an unsafe request is refused, or None: origin first, then the kind of body."""
    if request.method in SAFE:
        return None
    if not _same_site(request, face):
        return CROSS_SITE
    return _body_refusal(request, face)


def _same_site(request: web.Request, face: Face) -> bool:
    """Tell whether the request is ours, or carries nothing that a browser adds by itself.

    Without a cookie there is nothing to ride on: a bearer token is never sent unasked, and a program that sends
    neither Origin nor Sec-Fetch-Site is no browser.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if face is Face.API and "Cookie" not in request.headers and (bearer(request) or (site is None and origin is None)):
        return True
    if site is not None:
        return site == "same-origin"
    peer = peers.of(request)
    return origin is not None and origin.lower() == f"{peer.scheme}://{peer.hosts[-1].lower()}"


def _body_refusal(request: web.Request, face: Face) -> Denied | None:
    if not request.can_read_body:
        return None
    if "Content-Encoding" in request.headers:
        return NOT_PLAIN
    if face is Face.API:
        return None if request.content_type == "application/json" else JSON_ONLY
    charset = (request.charset or "utf-8").lower()
    right = request.content_type == "application/x-www-form-urlencoded" and charset == "utf-8"
    return None if right else FORMS_ONLY


async def form_refusal(request: web.Request, face: Face) -> Denied | None:
    """Return why a page's form is refused, or None: with a session, it must carry that session's form token."""
    if request.method in SAFE or face is not Face.PAGE or VISITOR not in request:
        return None
    given = (await posted(request)).get("form_token", "")
    right = form_token(request[TOKEN])
    return None if hmac.compare_digest(given.encode(), right.encode()) else FORM_TOKEN


async def posted(request: web.Request) -> dict[str, str]:
    """Return the text fields of the form; ProblemError if it is no text."""
    try:
        return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    except UnicodeDecodeError:
        raise problems.ProblemError(NOT_TEXT) from None
