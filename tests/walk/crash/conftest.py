"""The tallies of all campaigns, printed at the end of the tests."""

from collections.abc import Callable

import pytest

from tests.walk.crash.tally import Tally

_TALLIES = pytest.StashKey[list[Tally]]()


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Callable[[str], Tally]:
    """Begin a tally that will be printed."""

    def begin(name: str) -> Tally:
        tallies = request.config.stash.setdefault(_TALLIES, [])
        tallies.append(Tally(name))
        return tallies[-1]

    return begin


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print them."""
    for one in config.stash.get(_TALLIES, []):
        terminalreporter.section(f"crashes: {one.name}")
        for line in one.lines():
            terminalreporter.write_line(line)
