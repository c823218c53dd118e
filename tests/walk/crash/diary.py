"""What a life leaves behind of itself: one line per event, written at once, so that it survives the kill."""

import os
from dataclasses import dataclass, field
from pathlib import Path


class Pen:
    """Writes the diary; every line is in the kernel before the writer goes on."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def tell(self, what: str, detail: str = "") -> None:
        """Write a line."""
        os.write(self._file, f"{what}\t{detail}\n".encode())


@dataclass(slots=True)
class Diary:
    """What was read: events in their order."""

    events: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "Diary":
        """Read what is there."""
        text = path.read_text() if path.exists() else ""
        return cls([(what, detail) for what, _, detail in (line.partition("\t") for line in text.splitlines())])

    def all(self, what: str) -> tuple[str, ...]:
        """Return the details of all events of a sort."""
        return tuple(detail for kind, detail in self.events if kind == what)
