"""What a campaign has seen, added up, and the lines that are printed of it."""

from collections import Counter
from dataclasses import dataclass, field

from tests.walk.crash.diary import Diary
from tests.walk.crash.instants import Instant, instants

AT_REST = "at rest"
OUTSIDE = "at any time"


@dataclass(slots=True)
class Tally:
    """The sums."""

    name: str
    kills: Counter[str] = field(default_factory=Counter)
    chains: int = 0
    power_cuts: int = 0
    sent: int = 0
    acknowledged: int = 0
    documents: int = 0
    scans: int = 0
    uncertain: int = 0
    found: int = 0
    absent: int = 0
    decided: int = 0
    seconds: float = 0.0

    @property
    def killed(self) -> int:
        """Return how many lives were ended while they had something to do."""
        return self.kills.total() - self.kills[AT_REST]

    @property
    def starts(self) -> int:
        """Return how many lives there were."""
        return self.kills.total() + self.chains

    def missed(self) -> list[Instant]:
        """Return the named instants at which no life ended."""
        return [instant for instant in instants() if not self.kills[str(instant)]]

    def read(self, diary: Diary) -> None:
        """Add up what the lives of a chain wrote."""
        self.chains += 1
        self.sent += len(diary.all("sent"))
        self.acknowledged += len(diary.all("acknowledged"))
        self.uncertain += len(diary.all("committing -> uncertain"))
        self.found += len(diary.all("uncertain -> delivered"))
        self.absent += len(diary.all("uncertain -> waiting"))
        self.decided += len(diary.all("decided"))

    def lines(self) -> list[str]:
        """Return what is to be printed."""
        cuts = f" of which {self.power_cuts} were power cuts;" if self.power_cuts else ""
        named = sum(self.kills[str(i)] for i in instants())
        return [
            f"{self.name}: {self.killed} kills in {self.chains} chains;{cuts} {named} at named instants, "
            f"{self.kills[OUTSIDE]} at any time; beside them {self.kills[AT_REST]} at rest; {self.seconds:.0f} s",
            f"  {self.sent} pages sent, {self.acknowledged} acknowledged and kept; {self.scans} scans, "
            f"{self.documents} documents in the sinks, none twice, none partial",
            *([f"  {self.decided} times the owner had to say whether a document arrived"] if self.decided else []),
            f"  {self.uncertain} times a delivery became uncertain: {self.found} were found, {self.absent} were absent "
            "and sent again; of the rest another kill came before the word of it; none is uncertain any more",
            *(f"  {count:5} {name}" for name, count in sorted(self.kills.items())),
        ]
