"""Third-party peers over the simulated bus. A missing one is named as skipped, and fails with CI=true."""

import asyncio
import ctypes.util
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simulator.app import Bench, beneath
from simulator.fleet import Fleet

pytestmark = pytest.mark.conformance
PATIENCE_S = 100.0


def need(present: object, package: str) -> None:
    """Skip a test whose peer is not installed; with CI=true that is a failure."""
    if present:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{package} is not installed")
    pytest.skip(f"{package} is not installed")


@dataclass(frozen=True)
class Ran:
    """What a command left."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Bus:
    """A simulated bus and the commands that run on it."""

    bench: Bench
    folder: Path

    @property
    def unit(self) -> Any:
        return next(iter(self.bench.units.values()))

    async def run(self, *words: str, **more: str) -> Ran:
        environment = {**os.environ, **self.bench.environment, **more}
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*words, stdout=pipe, stderr=pipe, env=environment)
        try:
            async with asyncio.timeout(PATIENCE_S):
                out, err = await child.communicate()
        except TimeoutError:
            child.kill()
            await child.wait()
            raise
        return Ran(child.returncode or 0, out.decode(), err.decode(errors="replace"))

    async def scan(self, *options: str) -> tuple[Ran, list[Path]]:
        """Scan with SANE until the feeder is empty; the pages in their order."""
        pages = self.folder / "pages"
        pages.mkdir()
        words = ("scanimage", "-d", f"fujitsu:{self.unit.model.product}:{self.unit.spec.serial}")
        ran = await self.run(*words, *options, f"--batch={pages}/%d.pnm", SANE_CONFIG_DIR=str(self._sane()))
        return ran, sorted(pages.iterdir(), key=lambda path: int(path.stem))

    def _sane(self) -> Path:
        """Return a configuration with this one backend and the ids of the units here."""
        folder = self.folder / "sane.d"
        folder.mkdir(exist_ok=True)
        (folder / "dll.conf").write_text("fujitsu\n", "ascii")
        models = [unit.model for unit in self.bench.units.values()]
        lines = [f"usb 0x{model.vendor_id:04x} 0x{model.product_id:04x}\n" for model in models]
        (folder / "fujitsu.conf").write_text("".join(lines), "ascii")
        return folder

    async def scanners(self) -> Ran:
        return await self.run("scanimage", "-L", SANE_CONFIG_DIR=str(self._sane()))


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Return a maker of buses: `await bus("iX500", sheets=2)`."""
    need(ctypes.util.find_library("umockdev-preload"), "umockdev")
    async with AsyncExitStack() as stack:

        async def make(*models: str, **options: Any) -> Bus:
            fleet = Fleet.of(*models, **{"feed_s": 0.0, **options})
            return Bus(await stack.enter_async_context(beneath(fleet)), tmp_path)

        yield make


@pytest.fixture
def sane() -> None:
    need(shutil.which("scanimage"), "sane-utils")
