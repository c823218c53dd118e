"""One measurement: a module with a `main(argv)` run in a fresh process, its wall time, CPU time and peak memory."""

import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run cost; `peak_mb` is the largest resident set of the process, interpreter included."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def report(work: Callable[[], None]) -> None:
    """Run `work` and print its Sample as JSON; to be called once in a process of its own."""
    started_s = time.perf_counter()
    work()
    wall_s = time.perf_counter() - started_s
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps([wall_s, used.ru_utime + used.ru_stime, _peak_mb()]))


def _peak_mb() -> float:
    """Return VmHWM. Not ru_maxrss: across exec that keeps the peak of the parent, which made the pages."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def in_fresh_process(module: str, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> Sample:
    """Run `python -m module arguments` and read the Sample that it prints."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    env = None if environment is None else dict(environment)
    printed = subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout
    return Sample(*json.loads(printed))


def of_command(words: Sequence[str], environment: Mapping[str, str]) -> Sample:
    """Run a command and return what it cost, its start included; what it prints is dropped, its peak unknown."""
    started_s = time.perf_counter()
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(words, stdin=quiet, stdout=quiet, stderr=quiet, env=dict(environment))
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{words[0]} ended with {process.returncode}")
    return Sample(time.perf_counter() - started_s, used.ru_utime + used.ru_stime, math.nan)


def medians(samples: list[Sample]) -> Sample:
    """Return the median of each figure."""
    return Sample(
        statistics.median(s.wall_s for s in samples),
        statistics.median(s.cpu_s for s in samples),
        statistics.median(s.peak_mb for s in samples),
    )
