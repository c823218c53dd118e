"""The record of deliveries: at the console, and in the security log."""

import asyncio
import os
import sys
from typing import Any

from simulator.sinks import Fault, Trouble
from tests.walk.conftest import EMAIL, House


async def console(house: House, *words: str) -> tuple[int, str, str]:
    """Run a command of the administrator against the running daemon."""
    environ = os.environ | {"SCANSNAP_PATHS_RUNTIME": str(house.state.parent / "run")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *words,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    return process.returncode or 0, said.decode(), complained.decode()


async def test_the_console_tells_what_went_where_and_what_failed(house: House) -> None:
    await house.register()
    await house.enable()
    await house.add_folder()
    await house.add_webdav()
    house.sink.misbehave(Fault("PUT", Trouble.STATUS, status=413))
    await house.scan(1)

    async def settled() -> Any:
        rows = await house.scans()
        states = {d["state"] for d in rows[0]["deliveries"]} if rows else set()
        return states == {"delivered", "failed"} and rows[0]

    scan = await house.until("both to settle", settled)
    code, said, _ = await console(house, "deliveries")
    assert code == 0
    rows = {row.split("\t")[3]: row.split("\t") for row in said.splitlines()}
    name = scan["deliveries"][0]["name"]
    assert rows["Archive"][1:6] == [EMAIL, name, "Archive", "delivered", "1"]
    assert rows["Archive"][6] == str(house.archive / name)
    assert rows["Cloud"][4] == "failed"
    assert "too large" in rows["Cloud"][6]
    assert (await console(house, "deliveries", EMAIL))[1] == said
    code, _, complained = await console(house, "deliveries", "nobody@example.org")
    assert (code, "no account" in complained) == (1, True)


async def test_the_security_log_names_every_delivery_with_its_proof_and_its_chain_holds(verified: House) -> None:
    await verified.scan(1)
    [scan] = await verified.delivered(1)
    receipt = scan["deliveries"][0]["receipt"]
    rows = (await verified.call("GET", "/audit"))["items"]
    [line] = [row for row in rows if row["action"] == "delivered"]
    assert receipt["sha256"] in line["reason"]
    assert receipt["location"] in line["reason"]
    code, said, _ = await console(verified, "audit", "verify")
    assert (code, "unbroken" in said) == (0, True)
