"""The gateway itself: version and time."""

from importlib.metadata import version

from aiohttp import web

from gateway.web import context
from gateway.web.api import answers_account as answers
from gateway.web.api.bodies import reply

VERSION = version("scansnap-gateway")


async def get_status(request: web.Request) -> web.Response:
    """Say which version this is and what time it has."""
    return reply(answers.Status(VERSION, context.services(request).clock.now().utc))
