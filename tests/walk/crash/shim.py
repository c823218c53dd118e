"""powercut.c as Python sees it: compiled, preloaded by a zygote's environment, spoken to by this process's own copy."""

import ctypes
import subprocess
from collections.abc import Sequence
from pathlib import Path

_SELF = ctypes.CDLL(None)
_THERE = hasattr(_SELF, "powercut_begin")


def build(folder: Path, *options: str) -> Path:
    """Compile it; CalledProcessError."""
    made = folder / "powercut.so"
    source = Path(__file__).with_name("powercut.c")
    command = ["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", *options, "-o", str(made), str(source)]
    subprocess.run([*command, "-ldl", "-lpthread"], check=True)
    return made


def begin(log: str, roots: Sequence[str]) -> None:
    """Write down from here on what happens below the two roots."""
    _SELF.powercut_begin(log.encode(), *(root.encode() for root in roots))


def hold() -> None:
    """Let every call that is done be written down, and no other one begin: what comes next is a kill."""
    if _THERE:
        _SELF.powercut_hold()


def renew() -> None:
    """Let calls begin again: who held them is dead."""
    if _THERE:
        _SELF.powercut_renew()
