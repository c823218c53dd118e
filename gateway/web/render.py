"""Templates to responses. Autoescape is on, an undefined name is an error, texts come from the catalogue."""

import base64
import hmac
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web

from gateway.web import texts
from gateway.web.clients import client_name
from gateway.web.context import MOMENT, TOKEN, VISITOR
from gateway.work.outcomes import Denied

TEMPLATES = web.AppKey("templates", jinja2.Environment)


def environment(*, own_authority: bool = False) -> jinja2.Environment:
    """Return the templates with the helpers they use; some pages lead to what vouches for us if that is ours."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals.update(t=texts.text, counted=texts.counted, own_authority=own_authority)
    env.filters["utc"] = _utc
    env.filters["iso"] = _iso
    env.filters["client"] = client_name
    return env


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def form_token(session_token: str) -> str:
    """Return the token of a session's forms: an HMAC keyed by what only its browser and we know; "" without one."""
    if not session_token:
        return ""
    digest = hmac.digest(session_token.encode(), b"scansnap-gateway/form/v1", "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def page(
    request: web.Request, template: str, *, denied: Denied | None = None, status: int = 200, **values: Any
) -> web.Response:
    """Return a rendered page. Every template knows visitor, form token, notice and error.

    `denied`: why what was asked for was not done; its sentence, its status, and when it is worth another try.
    """
    visitor = request.get(VISITOR)
    known = {
        "visitor": visitor,
        "form_token": form_token(request.get(TOKEN, "") if visitor else ""),
        "notice": texts.NOTICES.get(request.query.get("done", ""), ""),
        "error": denied.detail if denied else "",
        "path": request.path,
        "moment": request.get(MOMENT, 0),
    }
    text = request.config_dict[TEMPLATES].get_template(template).render(known | values)
    answer = web.Response(
        status=denied.status if denied else status, text=text, content_type="text/html", charset="utf-8"
    )
    if denied is not None and denied.retry_after_s:
        answer.headers["Retry-After"] = str(denied.retry_after_s)
    return answer
