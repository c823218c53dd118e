"""What one life of a daemon is told to do, as it goes from the test to the child: plain values, one JSON line."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from tests.walk.crash.instants import Edge, Instant
from tests.walk.crash.sheets import Sheet
from tests.walk.crash.unit import Batch

DURABLE = ("state", "archive")  # the folders of a chain that lie on the disk whose power is cut


@dataclass(frozen=True, slots=True)
class Life:
    """One life.

    `ahead_s`: how far its clock is ahead; `instant`: where it ends by its own hand; `kill_after_s`: when it is killed
    from outside, counted from its birth; `drains`: it lives until everything is delivered, and ends by itself;
    `power_cut`: with its end the power goes, too, and the disk keeps of what was not synced "any" part or "nothing".
    """

    batches: tuple[Batch, ...] = ()
    ahead_s: float = 0.0
    instant: Instant | None = None
    kill_after_s: float | None = None
    drains: bool = False
    power_cut: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """A life, and the house it is lived in; `defect`: the planted one, "" for none; `disk_log`: "" for no shim."""

    life: Life
    folder: str
    token: str
    sink_ports: tuple[int, ...]
    defect: str = ""
    disk_log: str = ""

    def encode(self) -> str:
        """Return it as a line."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, line: str) -> "Order":
        """Read a line."""
        values = json.loads(line)
        return cls(**(values | {"life": _life(values["life"]), "sink_ports": tuple(values["sink_ports"])}))


def _life(values: dict[str, Any]) -> Life:
    chosen = values["instant"]
    instant = Instant(Edge(chosen["edge"]), chosen["name"], chosen["crossing"]) if chosen else None
    batches = tuple(Batch(tuple(Sheet(**s) for s in b["sheets"]), b["jams"]) for b in values["batches"])
    return Life(**(values | {"instant": instant, "batches": batches}))
