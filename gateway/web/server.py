"""The web application, wired and listening."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from gateway.web import guard, protocol, render, routes
from gateway.web.api import conditions, events
from gateway.web.api.repeats import repeats
from gateway.web.context import SERVICES
from gateway.web.pages import files
from gateway.work.services import Services


def build(services: Services) -> web.Application:
    """Return the application: guard before the table of routes."""
    app = web.Application(
        client_max_size=guard.BODY_LIMIT_BYTES,
        middlewares=[guard.errors, guard.shape, guard.admission, conditions.not_modified, repeats],
    )
    app[conditions.CHANGES] = asyncio.Lock()
    app[SERVICES] = services
    app[guard.DOORKEEPER] = guard.Doorkeeper(services.founding)
    app[render.TEMPLATES] = render.environment()
    app[files.FILES] = files.load()
    app[events.STREAMS] = set()
    app.on_response_prepare.append(guard.add_headers)
    app.on_shutdown.append(events.stop)
    routes.register(app)
    return app


@asynccontextmanager
async def listening(services: Services) -> AsyncIterator[str]:
    """Serve at the settings' address for as long as the block runs; gives the URL of the pages."""
    runner = protocol.Runner(build(services), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, services.settings.web.address, services.settings.web.port).start()
        host, port = runner.addresses[0][:2]
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{port}"
    finally:
        await runner.cleanup()
