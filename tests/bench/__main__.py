"""`python -m tests.bench`: every bench in turn, as ratios against a peer measured in the same run."""

from collections.abc import Callable

from tests.bench import air, daemon, driver, pdf, storm, table

# One function per subject; a further bench is a further line.
BENCHES: tuple[Callable[[], list[table.Row]], ...] = (pdf.bench, daemon.bench, driver.bench, air.bench, storm.bench)


def main() -> None:
    """Run all benches and print one table."""
    for line in table.lines(row for bench in BENCHES for row in bench()):
        print(line, flush=True)


if __name__ == "__main__":
    main()
