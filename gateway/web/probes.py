"""/readyz and /metrics: for whoever watches over the gateway, on loopback or with a token of the settings."""

import hmac

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from gateway.web import context, origins, peers, problems
from gateway.work.health import Figures
from gateway.work.outcomes import Denied

CLOSED = Denied("closed", "This is for loopback, or for the token in web.probe_token.", 403)


async def ready(request: web.Request) -> web.Response:
    """Say whether scans can be taken."""
    if not _may(request):
        return problems.response(CLOSED)
    trouble = await context.services(request).health.trouble()
    return web.Response(status=503 if trouble else 200, text=f"{trouble or 'ready'}\n")


async def metrics(request: web.Request) -> web.Response:
    """Return the figures as Prometheus reads them."""
    if not _may(request):
        return problems.response(CLOSED)
    registry = CollectorRegistry()
    registry.register(_Figures(await context.services(request).health.figures()))
    return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def _may(request: web.Request) -> bool:
    token = context.services(request).settings.web.probe_token
    if token and hmac.compare_digest(token.encode(), (origins.bearer(request) or "").encode()):
        return True
    return peers.is_loopback(peers.of(request).address)


class _Figures(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> list[Metric]:
        """Return the figures of one moment."""
        by_state = (
            ("units", "Registered units", self._figures.units),
            ("scans", "Scans in the gateway's keeping", self._figures.scans),
            ("deliveries", "Scans on their way to a destination, or there", self._figures.deliveries),
        )
        found: list[Metric] = []
        for name, about, counts in by_state:
            family = GaugeMetricFamily(f"scansnap_{name}", f"{about}, by state", labels=("state",))
            for state, count in sorted(counts.items()):
                family.add_metric((state,), count)
            found.append(family)
        for name, about, value in (
            ("open_sessions", "Sessions through which scans are forwarded now", self._figures.open_sessions),
            ("free_bytes", "Room that is left for scans", self._figures.free_bytes),
        ):
            found.append(GaugeMetricFamily(f"scansnap_{name}", about, value=value))
        return found
