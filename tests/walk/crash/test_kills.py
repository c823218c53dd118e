"""kill -9 at any time and at every named instant: no acknowledged page is lost, nothing comes twice or in part."""

import os
from collections.abc import Callable

import pytest

from tests.walk.crash import campaign
from tests.walk.crash.nursery import zygote
from tests.walk.crash.run import ChainFailed, Run
from tests.walk.crash.sinks import consumed, far
from tests.walk.crash.tally import Tally

KILLS = int(os.environ.get("CRASH_KILLS", "2000"))
FAR_KILLS = KILLS // 10  # a third of a second each
STRETCH = 3.0
COMPLETE_KILLS = 1000  # with so many, every instant was dealt several times


@pytest.mark.timeout(3600)  # an eighth of a second each; ten thousand on a busy machine
async def test_every_acknowledged_page_arrives_once_whenever_it_is_killed(
    tally: Callable[[str], Tally],
) -> None:
    seen = tally("kill -9")
    async with campaign.ground() as template:
        await campaign.run(lambda nursery: Run(nursery, template, seen), zygote, lambda t: t.killed >= KILLS)
    assert seen.killed >= KILLS
    assert KILLS < COMPLETE_KILLS or not seen.missed()


@pytest.mark.timeout(1800)  # a third of a second each: every life signs in to two servers
async def test_every_acknowledged_page_arrives_once_in_sinks_far_away(tally: Callable[[str], Tally]) -> None:
    seen = tally("kill -9, SFTP and S3")
    async with campaign.ground(far) as template:
        await campaign.run(
            lambda nursery: Run(nursery, template, seen, stretch=STRETCH), zygote, lambda t: t.killed >= FAR_KILLS
        )
    assert seen.killed >= FAR_KILLS


@pytest.mark.timeout(1800)  # an eighth of a second each
async def test_what_somebody_takes_away_from_the_folder_comes_once_too(tally: Callable[[str], Tally]) -> None:
    seen = tally("kill -9, a folder that is emptied")
    async with campaign.ground(consumed) as template:
        await campaign.run(
            lambda nursery: Run(nursery, template, seen), zygote, lambda t: t.killed >= FAR_KILLS and t.decided > 0
        )
    assert seen.killed >= FAR_KILLS


@pytest.mark.timeout(600)  # some chains each
@pytest.mark.parametrize(
    ("defect", "found"),
    [
        ("visible too early", "that are no whole document"),
        ("sent twice", "came twice"),
        ("acknowledged too early", "were acknowledged and are lost"),
    ],
)
async def test_a_gateway_with_a_defect_does_not_pass(defect: str, found: str) -> None:
    seen = Tally(defect)
    async with campaign.ground() as template:
        with pytest.raises(ChainFailed, match=found):
            await campaign.run(
                lambda nursery: Run(nursery, template, seen, defect=defect), zygote, lambda t: t.chains >= 40, lanes=1
            )
