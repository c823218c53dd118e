"""The power goes: a disk that keeps only what was synced, or of the rest an arbitrary part, loses no page either."""

import os
import shutil
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest

from tests.walk.crash import campaign, plan, shim
from tests.walk.crash.disk import Disk
from tests.walk.crash.instants import Edge, Instant, instants, often
from tests.walk.crash.nursery import zygote
from tests.walk.crash.orders import DURABLE, Life, Order
from tests.walk.crash.run import ChainFailed, Run
from tests.walk.crash.sheets import Sheet
from tests.walk.crash.tally import Tally
from tests.walk.crash.template import Template
from tests.walk.crash.unit import Batch

POWER_CUTS = int(os.environ.get("CRASH_POWER_CUTS", "200"))


@pytest.fixture
def birth(tmp_path: Path) -> campaign.Birth:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    return partial(zygote, {"LD_PRELOAD": str(shim.build(tmp_path))})


@pytest.fixture
async def template() -> AsyncIterator[Template]:
    async with campaign.ground() as made:
        yield made


@pytest.mark.timeout(3600)  # a third of a second each
async def test_every_acknowledged_page_arrives_once_whenever_the_power_goes(
    tally: Callable[[str], Tally], birth: campaign.Birth, template: Template
) -> None:
    seen = tally("power cuts")
    await campaign.run(
        lambda nursery: Run(nursery, template, seen, power=True), birth, lambda t: t.power_cuts >= POWER_CUTS
    )
    assert seen.power_cuts >= POWER_CUTS


@pytest.mark.timeout(1200)  # half a second for each instant
async def test_a_kill_at_each_instant_leaves_nothing_unsynced_that_a_later_life_relies_on(
    tally: Callable[[str], Tally], birth: campaign.Birth, template: Template
) -> None:
    seen = tally("power cuts at each instant")
    await campaign.run(
        lambda nursery: Run(nursery, template, seen, power=True),
        birth,
        lambda t: False,
        chains=[plan.at(instant, seed) for seed, instant in enumerate((*instants(), *often()))],
    )
    assert not seen.missed()


@pytest.mark.timeout(600)  # some chains each
@pytest.mark.parametrize(
    ("defect", "found"),
    [
        ("page not synced", "."),
        ("spool's folder not synced", "were acknowledged and are lost"),
        ("document not synced", "that are no whole document"),
        ("archive not synced", "were acknowledged and are lost"),
    ],
)
async def test_a_gateway_that_leaves_out_a_sync_does_not_pass(
    defect: str, found: str, birth: campaign.Birth, template: Template
) -> None:
    seen = Tally(defect)
    with pytest.raises(ChainFailed, match=found):
        await campaign.run(
            lambda nursery: Run(nursery, template, seen, power=True, defect=defect),
            birth,
            lambda t: t.chains >= 40,
            lanes=1,
        )


@pytest.mark.parametrize(
    ("defect", "instant"),
    [
        ("found and not synced", Instant(Edge.AFTER, "link")),
        ("left folder not synced", Instant(Edge.AFTER, "mkdir", 2)),
        ("adopted name not synced", Instant(Edge.AFTER, "rename")),
    ],
)
async def test_a_gateway_that_trusts_what_an_earlier_life_left_unsynced_does_not_pass(
    defect: str, instant: Instant, birth: campaign.Birth, template: Template
) -> None:
    run = partial(Run, template=template, tally=Tally(defect), power=True)
    async with birth() as nursery:
        await run(nursery).chain(0, plan.at(instant, 0))
        with pytest.raises(ChainFailed, match=r"quarantined|is not there|still undecided"):
            await run(nursery, defect=defect).chain(0, plan.at(instant, 0))


@pytest.mark.timeout(600)  # some slow chains
async def test_a_kill_never_comes_between_a_call_and_its_entry(template: Template, tmp_path: Path) -> None:
    lingering = shim.build(tmp_path, "-DLINGER_US=2000")
    seen = Tally("power cuts")
    await campaign.run(
        lambda nursery: Run(nursery, template, seen, power=True, stretch=10.0),
        partial(zygote, {"LD_PRELOAD": str(lingering)}),
        lambda t: t.power_cuts >= 12,
    )


async def test_the_log_of_a_life_has_every_call_that_changed_its_folders(
    birth: campaign.Birth, template: Template, tmp_path: Path
) -> None:
    house = template.folder.parent / "whole"
    template.copy(house)
    disk = Disk.of([house / name for name in DURABLE])
    batches = (Batch((Sheet("a", 300_000), Sheet("b")), jams=True), Batch((Sheet("c"),)))
    async with birth() as nursery:
        for life in (Life(batches), Life(drains=True, ahead_s=700)):
            await nursery.live(
                Order(life, str(house), template.token, template.sinks.ports, disk_log=str(house / "disk"))
            )
    assert disk.differences(house / "disk") == []


def test_a_disk_keeps_bytes_that_were_synced_and_names_whose_folder_was(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "old").write_bytes(b"old")
    disk = Disk.of([tmp_path / "root"])
    disk.cut(tmp_path / "no log", Random(0), "nothing")
    assert [p.name for p in (tmp_path / "root").iterdir()] == ["old"]
    assert (tmp_path / "root" / "old").read_bytes() == b"old"
