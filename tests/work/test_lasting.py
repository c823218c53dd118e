"""A task that must not end starts again after whatever it raised."""

import asyncio

import pytest

from gateway.work import lasting


async def test_it_runs_again_after_a_failure_and_ends_when_its_work_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lasting, "AGAIN_S", 0)
    runs: list[int] = []

    async def run() -> None:
        runs.append(1)
        if len(runs) < 3:
            raise OSError("no room on the disk")

    await lasting.lasting("work", run)
    assert len(runs) == 3


async def test_a_cancelled_task_does_not_start_again() -> None:
    started = asyncio.Event()

    async def run() -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(lasting.lasting("work", run))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
