"""Who holds a device: read from the open files of other processes."""

import asyncio
import sys
from pathlib import Path

import pytest

from drivers.usb import holder as holders


def test_nobody_holds_what_is_not_there() -> None:
    assert holders.holder(250, 250) == ""


async def test_another_process_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = tmp_path / "007"
    node.touch()
    monkeypatch.setattr(holders, "_leads_to", lambda link, _: _is(link, node))
    code = f"import sys; f = open({str(node)!r}); print(flush=True); sys.stdin.read()"
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=pipe, stdout=pipe)
    assert child.stdin is not None
    assert child.stdout is not None
    await child.stdout.readline()
    try:
        assert holders.holder(1, 7).endswith(f"(process {child.pid})")
    finally:
        child.stdin.close()
        await child.wait()


def _is(link: Path, node: Path) -> bool:
    try:
        return link.readlink() == node
    except OSError:
        return False
