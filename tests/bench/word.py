"""The least daemon: aiohttp on loopback, one word. `python -m tests.bench.word` prints its port and serves."""

import asyncio

from aiohttp import web


async def _word(_request: web.Request) -> web.Response:
    return web.Response(text="word")


async def _serve() -> None:
    app = web.Application()
    app.add_routes([web.get("/", _word)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
