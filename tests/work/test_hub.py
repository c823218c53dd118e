"""Hints: told to open pages; what happened before a page listened is told when it does."""

from gateway.core.model import AccountId
from gateway.work.hub import TOPICS, Hub

ME, OTHER = AccountId("me"), AccountId("other")


async def test_what_happened_between_a_page_and_its_stream_is_told_at_once() -> None:
    hub = Hub()
    before = hub.moment(ME)
    hub.tell(ME, "scans")
    async with hub.subscribe(ME, before) as topics:
        assert [topics.get_nowait() for _ in TOPICS] == list(TOPICS)


async def test_nothing_is_told_when_nothing_happened_to_this_account() -> None:
    hub = Hub()
    hub.tell(ME, "scans")
    known = hub.moment(ME)
    hub.tell(OTHER, "scans")
    async with hub.subscribe(ME, known) as topics:
        assert topics.empty()
        hub.tell_all("units")
        assert topics.get_nowait() == "units"
    assert hub.moment(ME) != known
    assert hub.moment(OTHER) == hub.moment(ME), "everybody was told"


async def test_a_page_of_a_daemon_before_is_told_everything() -> None:
    async with Hub().subscribe(ME, 17) as topics:
        assert topics.qsize() == len(TOPICS)
