"""`python -m tests.bench [NAME ...]`: every bench, or those, as ratios against a peer measured in the same run.

Behind the table stands what must hold, each with its verdict.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence

from tests.bench import air, daemon, driver, pdf, receipt, release, shut, storm, table

# One function per subject; a further bench is a further line.
BENCHES: dict[str, Callable[[], Sequence[table.Row | table.Bound]]] = {
    "pdf": pdf.bench,
    "daemon": daemon.bench,
    "driver": driver.bench,
    "air": air.bench,
    "storm": storm.bench,
    "release": release.bench,
    "receipt": receipt.bench,
    "shut": shut.bench,
}


def main(names: Sequence[str]) -> None:
    """Run the benches and print one table, then the verdicts."""
    bounds: list[table.Bound] = []

    def rows() -> Iterator[table.Row]:
        for name in names or BENCHES:
            for found in BENCHES[name]():
                if isinstance(found, table.Row):
                    yield found
                else:
                    bounds.append(found)

    for line in table.lines(rows()):
        print(line, flush=True)
    if bounds:
        print()
        for line in table.verdicts(bounds):
            print(line, flush=True)
    print(f"\nload average {' '.join(f'{load:.1f}' for load in os.getloadavg())} on {os.cpu_count()} cores", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
