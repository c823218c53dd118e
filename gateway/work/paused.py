"""The end of a paused scan that nobody continues: by its owner, or by the janitor after 10 minutes."""

from datetime import datetime

from gateway.core import scan as scans
from gateway.core.model import Scan
from gateway.store.store import Store
from gateway.work.hub import Hub


async def finish(store: Store, hub: Hub, scan: Scan, at: datetime) -> bool:
    """Finish a paused scan with the pages it has; one without pages never was. False if it goes on by now."""
    after = scans.step(scan.state, scans.Event.GIVE_UP)
    finished = await store.scans.move(scan.id, scan.state, after, at=at, reason=scan.reason)
    if finished and not scan.page_count:
        await store.scans.forget_empty(scan.id)
    hub.tell(scan.account, "scans")
    return finished
