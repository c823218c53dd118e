"""Reads the pinned bytes of tests/vectors."""

from pathlib import Path

FUJITSU = Path(__file__).parents[1] / "vectors" / "fujitsu"


def vector(name: str) -> bytes:
    """Return the bytes of one vector."""
    return bytes.fromhex((FUJITSU / f"{name}.hex").read_text())
