"""PRODUCT.md, decision 1, once more: may an account's scans leave now? It knows nothing of how the gateway decides.

It is told what people did and what the doors answered, never what the gateway holds in its rows.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant on both clocks: seconds of the wall clock, seconds since this start of the machine, and which."""

    wall_s: float
    boot_s: float
    boot: str


@dataclass(slots=True)
class Window:
    """One verified sign-in: how many hours it forwards from its code; `keys`: its identity is in memory."""

    since: Moment
    hours: int
    keys: bool = True
    stopped: bool = False
    over: bool = False

    def lives(self, now: Moment) -> bool:
        """Tell whether the session counts at all; once it was over by either clock, no clock brings it back."""
        spent_s = max(now.wall_s - self.since.wall_s, now.boot_s - self.since.boot_s)
        self.over = self.over or now.boot != self.since.boot or spent_s >= 3600 * self.hours
        return not self.over

    def forwards(self, now: Moment) -> bool:
        """Tell whether scans may leave on the strength of it."""
        return self.lives(now) and self.keys and not self.stopped


@dataclass(slots=True)
class Right:
    """What decides over one account; the verified sessions are told apart by their tokens."""

    two_factor: bool = False
    disabled: bool = False
    leaving: bool = False
    windows: dict[str, Window] = field(default_factory=dict)

    def forwards(self, now: Moment) -> bool:
        """Tell whether the account's scans may leave now."""
        forwarding = [window.forwards(now) for window in self.windows.values()]  # all are asked: each may be over now
        return self.two_factor and not self.disabled and not self.leaving and any(forwarding)

    def verified(self, token: str, now: Moment, hours: int) -> None:
        """Password and code were right."""
        self.windows[token] = Window(now, hours)

    def came(self, token: str, now: Moment) -> None:
        """A request brought this token: the keys are there again."""
        if token in self.windows and self.windows[token].lives(now):
            self.windows[token].keys = True

    def ended(self, token: str) -> None:
        """One session is over."""
        self.windows.pop(token, None)

    def new_epoch(self) -> None:
        """Every session is over: password, e-mail address, two-factor or the account's state changed."""
        self.windows.clear()

    def stopped(self) -> None:
        """[Stop forwarding now]: the pages stay open, nothing leaves before the next code."""
        for window in self.windows.values():
            window.stopped = True

    def restarted(self) -> None:
        """The service was started again: the keys are out of memory."""
        for window in self.windows.values():
            window.keys = False

    def seconds_left(self, now: Moment) -> float:
        """Return when the next open window ends; 0 for none."""
        left = [
            3600 * w.hours - max(now.wall_s - w.since.wall_s, now.boot_s - w.since.boot_s)
            for w in self.windows.values()
            if w.forwards(now)
        ]
        return min(left, default=0.0)
