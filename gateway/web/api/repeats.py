"""Idempotency-Key: on rows that say `once`, a request sent twice is done once."""

import re

from aiohttp import web

from gateway.web import context, problems
from gateway.web.route import Handler, row_of
from gateway.work.outcomes import Denied
from gateway.work.repeats import Answer

HEADER = "Idempotency-Key"
MALFORMED = Denied("idempotency_key_malformed", "An Idempotency-Key has 1 to 255 visible ASCII characters.", 400)

# A string of RFC 8941 as the draft has it, or what most clients send: the same without quotes.
_KEY = re.compile(r'"(?P<quoted>[\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|(?P<bare>[\x21\x23-\x5b\x5d-\x7e]{1,255})')


@web.middleware
async def repeats(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a repeated request as the first time."""
    row, given = row_of(request), request.headers.get(HEADER)
    if row is None or not row.once or given is None:
        return await handler(request)
    found = _KEY.fullmatch(given.strip())
    if found is None:
        return problems.response(MALFORMED)
    refused: list[web.StreamResponse] = []

    async def act() -> Answer:
        try:
            answer = await handler(request)
        except problems.ProblemError as error:
            answer = problems.response(error.denied, error.errors)
        if answer.status >= 300 or not isinstance(answer, web.Response):
            refused.append(answer)
        return Answer(answer.status, _bytes(answer))

    account = context.visitor(request).account.id
    told = f"{request.method} {request.raw_path}\n".encode(errors="surrogateescape") + await request.read()
    done = await context.services(request).repeats.once(account, found["quoted"] or found["bare"], told, act)
    if isinstance(done, Denied):
        return problems.response(done)
    return refused[0] if refused else _reply(done)


def _bytes(answer: web.StreamResponse) -> bytes:
    body = answer.body if isinstance(answer, web.Response) else b""
    return body if isinstance(body, bytes) else b""


def _reply(done: Answer) -> web.Response:
    headers = {"Idempotency-Replayed": "true"} if done.again else {}
    if not done.body:
        return web.Response(status=done.status, headers=headers)
    return web.Response(status=done.status, body=done.body, headers=headers, content_type="application/json")
