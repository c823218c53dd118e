"""One chain run: its lives one after another on the same state, what must hold looked at after each."""

import random
import shutil
import signal
from dataclasses import dataclass, replace
from pathlib import Path

from tests.walk.crash import oracle, plan
from tests.walk.crash.diary import Diary
from tests.walk.crash.disk import Disk
from tests.walk.crash.nursery import End, Nursery
from tests.walk.crash.oracle import Violation
from tests.walk.crash.orders import DURABLE, Life, Order
from tests.walk.crash.tally import OUTSIDE, Tally
from tests.walk.crash.template import Template


class ChainFailed(Exception):
    """A chain did not hold; `str()` has the seed, the plan and what is wrong."""


@dataclass(frozen=True, slots=True)
class Run:
    """Where and how chains are run. `stretch`: how much slower lives are there than forked ones."""

    nursery: Nursery
    template: Template
    tally: Tally
    power: bool = False
    defect: str = ""
    stretch: float = 1.0

    async def chain(self, seed: int, lives: tuple[Life, ...] | None = None) -> None:
        """Run the chain of a seed; ChainFailed."""
        folder = self.template.folder.parent / f"{'p' if self.power else 'k'}{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        self.template.copy(folder)
        lives = lives if lives is not None else plan.chain(seed, power=self.power)
        try:
            await self._lives(seed, folder, lives)
        except Violation as error:
            raise ChainFailed(_told(seed, self.power, folder, lives, str(error))) from error
        finally:
            shutil.rmtree(folder)

    async def _lives(self, seed: int, folder: Path, lives: tuple[Life, ...]) -> None:
        log = folder / "disk.log"
        disk = Disk.of([folder / name for name in DURABLE]) if self.power else None
        for number, life in enumerate(lives):
            order = Order(
                life=replace(life, kill_after_s=life.kill_after_s and life.kill_after_s * self.stretch),
                folder=str(folder),
                token=self.template.token,
                sink_ports=self.template.sinks.ports,
                defect=self.defect,
                disk_log=str(log) if disk is not None else "",
            )
            end = await self.nursery.live(order)
            self._ended(life, end, Diary.read(folder / "diary"))
            if disk is not None and life.power_cut:
                disk.cut(log, random.Random(f"power {seed} {number}"), life.power_cut)
                self.tally.power_cuts += 1
                disk = Disk.of([folder / name for name in DURABLE])
            oracle.after_a_kill(folder, self.template.sinks)
            for sink in self.template.sinks.kinds.values():
                sink.consume(folder)
        diary = Diary.read(folder / "diary")
        verdict = oracle.at_the_end(folder, self.template.sinks, diary)
        self.tally.read(diary)
        self.tally.scans += verdict.scans
        self.tally.documents += verdict.documents

    def _ended(self, life: Life, end: End, diary: Diary) -> None:
        if life.drains:
            if end.status != 0:
                raise Violation(f"the last life did not come to its end: {end}")
        elif end.status != -signal.SIGKILL or (end.outside and life.kill_after_s is None):
            raise Violation(f"a life ended otherwise than it should: {end}, {life}")
        else:
            self.tally.kills[OUTSIDE if end.outside else diary.all("died")[-1]] += 1


def _told(seed: int, power: bool, folder: Path, lives: tuple[Life, ...], wrong: str) -> str:
    log = (folder / "log").read_text(errors="replace")[-2000:] if (folder / "log").exists() else ""
    how = f"python -m tests.walk.crash --seed {seed}{' --power' if power else ''}"
    plan_lines = "\n".join(f"  {life}" for life in lives)
    return f"{wrong}\nagain: {how}\nplan:\n{plan_lines}\nlog:\n{log}"
