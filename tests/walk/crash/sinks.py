"""The destinations of a chain as a table: how each is set up, where in the chain's folder it is, what is seen there."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from simulator.sinks import DavSink


@dataclass(frozen=True, slots=True)
class SinkKind:
    """One row. `below`: its folder in that of the chain; `config`: what its owner enters."""

    label: str
    below: str
    config: Callable[[Path, DavSink], dict[str, str]]
    secrets: Callable[[DavSink], dict[str, str]]

    def visible(self, folder: Path) -> list[Path]:
        """Return the documents that anybody would see there."""
        return sorted(p for p in (folder / self.below).iterdir() if not p.name.startswith("."))

    def hidden(self, folder: Path) -> list[str]:
        """Return what is there beside them."""
        return sorted(p.name for p in (folder / self.below).iterdir() if p.name.startswith("."))


SINKS: dict[str, SinkKind] = {
    "folder": SinkKind("Archive", "archive", lambda folder, _: {"path": str(folder / "archive")}, lambda _: {}),
    "webdav": SinkKind(
        "Cloud",
        "cloud",
        lambda folder, dav: {"url": f"{dav.url}{folder.name}/cloud/", "username": dav.username},
        lambda dav: {"password": dav.password},
    ),
}
