"""The sinks' own time: the same bytes into the same kind of sink by somebody who neither seals nor asks."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.bench.measure import Sample

PROGRAM = shutil.which("curl")


def folder(document: Path) -> Sample:
    """Write a file beside a document, sync it, give it its name, sync the folder; then both are gone."""
    data, draft, final = document.read_bytes(), document.with_name(".own.part"), document.with_name("own.pdf")
    began_s, cpu_s = time.perf_counter(), time.process_time()
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    final.hardlink_to(draft)
    draft.unlink()
    handle = os.open(document.parent, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(handle)
    sample = Sample(time.perf_counter() - began_s, time.process_time() - cpu_s, 0.0)
    os.close(handle)
    final.unlink()
    return sample


def webdav(document: Path, url: str) -> Sample:
    """Upload a file with `curl -T` and MOVE it, then it is gone; curl's own word for the time, without its start."""
    final = f"{url}own.pdf"
    taken_s = _curl("-T", str(document), f"{url}.own.part")
    taken_s += _curl("-X", "MOVE", "-H", f"Destination: {final}", "-H", "Overwrite: F", f"{url}.own.part")
    _curl("-X", "DELETE", final)
    return Sample(taken_s, 0.0, 0.0)


def _curl(*words: str) -> float:
    said = subprocess.run(
        (str(PROGRAM), "-sSf", "-o", os.devnull, "-w", "%{time_total}", *words), check=True, stdout=subprocess.PIPE
    )
    return float(said.stdout)
