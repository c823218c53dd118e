"""The administrator's socket: for root and the service's own user, whoever else gets hold of it."""

import os
import stat
from pathlib import Path

import pytest

from gateway.settings import Web
from gateway.web import control
from tests.web.doors import client, door


def test_root_and_the_services_own_user_may_enter_and_nobody_else() -> None:
    assert control.may_enter(0)
    assert control.may_enter(os.geteuid())
    assert not any(control.may_enter(uid) for uid in (1, 65534, os.geteuid() + 1))


async def test_everybody_else_is_turned_away_before_any_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with door(tmp_path, Web(port=0)):
        path = tmp_path / "run" / control.NAME
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        async with client(socket=str(path)) as http:
            for others, status in ((False, 200), (True, 403)):
                if others:
                    monkeypatch.setattr(control, "may_enter", lambda _: False)
                async with http.post("http://localhost/account/list", json={}) as answer:
                    assert answer.status == status
        for command in control.COMMANDS:
            async with client(socket=str(path)) as http, http.post(f"http://localhost{command}", json={}) as answer:
                assert answer.status == 403
    assert not path.exists()
