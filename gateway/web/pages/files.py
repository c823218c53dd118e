"""The few static files, read once; a browser asks again each time and gets 304 while they are the same."""

import hashlib
from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parents[1] / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
FILES = web.AppKey("files", dict[str, tuple[bytes, str, str]])


def load() -> dict[str, tuple[bytes, str, str]]:
    """Return name -> (content, media type, entity tag)."""
    found = {}
    for path in sorted(p for p in FOLDER.iterdir() if p.suffix in _TYPES):
        content = path.read_bytes()
        found[path.name] = (content, _TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:20]}"')
    return found


async def show(request: web.Request) -> web.Response:
    """Return one file."""
    name = request.match_info.get("name", "favicon.svg")  # /favicon.ico names none
    if name not in request.app[FILES]:
        raise web.HTTPNotFound
    content, media_type, tag = request.app[FILES][name]
    headers = {"Content-Type": media_type, "ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers={"ETag": tag, "Cache-Control": "no-cache"})
    return web.Response(body=content, headers=headers)
