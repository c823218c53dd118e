"""The set-up token: an hour, five tries in a quarter of an hour, once."""

import os
import time
from pathlib import Path

from gateway.settings import Web
from tests.web.doors import Door, client, door


async def first_account(here: Door, **other: str) -> int:
    async with client() as http, http.post(f"{here.url}/api/v1/setup", json=here.setup() | other) as answer:
        return answer.status


def aged(here: Door, seconds: float) -> None:
    """Make the token's file as old as this."""
    at = time.time() - seconds
    os.utime(here.daemon.setup.path, (at, at))


async def test_a_token_is_good_for_an_hour_and_once(tmp_path: Path) -> None:
    async with door(tmp_path, Web(port=0)) as here:
        path = here.daemon.setup.path
        assert (path.stat().st_mode & 0o777, len(bytes.fromhex(path.read_text("ascii").strip()))) == (0o600, 20)
        aged(here, 3620)
        assert await first_account(here) == 403
        aged(here, 3580)
        body = here.setup()
        assert await first_account(here) == 201
        assert not path.exists()
        async with client() as http, http.post(f"{here.url}/api/v1/setup", json=body) as answer:
            assert answer.status == 409


async def test_after_five_wrong_tokens_the_right_one_waits_a_quarter_of_an_hour(tmp_path: Path) -> None:
    async with door(tmp_path, Web(port=0)) as here:
        assert [await first_account(here, token="0" * 40) for _ in range(5)] == [403] * 5
        assert await first_account(here) == 429
        tries = here.daemon.setup._tries
        for back_s, status in ((880, 429), (920, 201)):
            first = time.monotonic() - back_s
            tries.clear()
            tries.extend([first, *[first + 1] * 4])
            assert await first_account(here) == status
