"""Reads the pinned bytes of tests/vectors: a folder per family."""

from pathlib import Path

VECTORS = Path(__file__).parents[1] / "vectors"
FUJITSU = VECTORS / "fujitsu"
VENS = VECTORS / "vens"


def vector(name: str, *, folder: Path = FUJITSU) -> bytes:
    """Return the bytes of one vector."""
    return bytes.fromhex((folder / f"{name}.hex").read_text())
