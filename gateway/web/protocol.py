"""What aiohttp itself refuses before any handler of ours: problem JSON and the security headers there too."""

import asyncio

from aiohttp import web

from gateway.web import guard, problems
from gateway.work.outcomes import Denied

UNREADABLE = Denied("bad_request", "This is no HTTP/1.1 that the gateway reads: a line or header is wrong.", 400)


class Speaker(web.RequestHandler):
    """One connection."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP (nobody logs what strangers send) or what broke outside of the guard; then close."""
        if status >= 500:
            super().handle_error(request, status, exc, message)  # it logs, and raises where an answer is half sent
        answer = problems.response(UNREADABLE if status < 500 else problems.INTERNAL)
        answer.headers.update(guard.HEADERS | {"Cache-Control": "no-store"})
        answer.force_close()
        return answer

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; what was refused before the guard (an unknown Expect) becomes a problem as well."""
        if isinstance(resp, web.HTTPException) and isinstance(request, web.Request):
            resp = problems.of_http(request, resp)
        return await super().finish_response(request, resp, start_time)


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        # Without an access log, as AppRunner allows it; the annotation of the connection does not know.
        return Speaker(self, loop=asyncio.get_running_loop(), access_log=None)  # type: ignore[arg-type]


class Runner(web.AppRunner):
    """Runs an application over connections of ours."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made.request_handler, request_factory=made.request_factory)
