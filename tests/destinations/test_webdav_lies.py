"""WebDAV servers that say yes and mean no: accepted and dropped, cut short, answered too early, sent elsewhere."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.core.gate import Permit
from gateway.destinations.net import Guard
from gateway.destinations.port import DestinationError, Parcel, Rejected, Unavailable
from gateway.destinations.webdav import WebdavDestination
from simulator.sinks import DavSink, Fault, Trouble, webdav_sink

DATA = bytes(range(256)) * 3000
Make = Callable[..., Parcel]
# When a connection breaks, wsgidav leaves the file that it was writing to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[DavSink]:
    folder = tmp_path / "served"
    folder.mkdir()
    async with webdav_sink(folder) as sink:
        yield sink


def destination(server: DavSink) -> WebdavDestination:
    return WebdavDestination(server.url, server.username, server.password, Guard(("127.0.0.0/8",), ()))


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param(Fault("PUT", Trouble.STATUS, 201), Unavailable, id="accepted, then dropped"),
        pytest.param(Fault("PUT", Trouble.EARLY, 201), Unavailable, id="answered before the last byte"),
        pytest.param(Fault("PUT", Trouble.SHORT, at_byte=1000), Unavailable, id="kept only the beginning"),
        pytest.param(Fault("PUT", Trouble.RESET, at_byte=100_000), Unavailable, id="reset in the middle"),
        pytest.param(
            Fault("PUT", Trouble.STATUS, 307, headers=(("Location", "http://127.0.0.1:1/inside"),)),
            Rejected,
            id="redirected inwards",
        ),
    ],
)
async def test_a_lie_about_the_upload_is_no_delivery_and_leaves_nothing(
    server: DavSink, permit: Permit, parcel: Make, gate: Any, fault: Fault, kind: type[DestinationError]
) -> None:
    server.misbehave(fault)
    with pytest.raises(kind):
        await destination(server).deliver(permit, parcel(DATA), gate)
    assert gate.asked == 0, "no commit was asked for"
    assert not [name for name in server.files() if not name.startswith(".")]
    await destination(server).deliver(permit, parcel(DATA), gate)
    assert len([name for name in server.files() if not name.startswith(".")]) == 1


async def test_a_move_that_is_said_to_be_done_and_is_not_is_no_receipt(
    server: DavSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    server.misbehave(Fault("MOVE", Trouble.STATUS, 201))
    with pytest.raises(DestinationError, match="does not show it"):
        await destination(server).deliver(permit, parcel(DATA), gate)
    assert not [name for name in server.files() if not name.startswith(".")]
