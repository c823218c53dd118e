"""The command as an administrator meets it: what hinders the daemon is one sentence and an exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def command(*words: str, stdout: int = subprocess.PIPE, **settings: str | Path) -> "subprocess.Popen[str]":
    values = {f"SCANSNAP_{name.upper()}": str(value) for name, value in settings.items()}
    environment = {**os.environ, "SCANSNAP_WEB_PORT": "0", "PYTHONPATH": str(ROOT), **values}
    words = (sys.executable, "-m", "gateway", *words)
    return subprocess.Popen(words, stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment)


def refused(*words: str, **settings: str | Path) -> tuple[int, str]:
    """Return the exit code and the sentence of a command that must fail."""
    process = command(*words, **settings)
    _, said = process.communicate(timeout=60)
    lines = [line for line in said.splitlines() if line.startswith("scansnap-gateway: ")]
    assert len(lines) == 1, said
    assert "Traceback" not in said
    return process.returncode, lines[0]


def test_a_configuration_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text("x = [", "utf-8")
    code, said = refused("--config", str(tmp_path / "gateway.toml"), "run")
    assert (code, "gateway.toml is not TOML" in said) == (2, True)


def test_a_state_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    code, said = refused("run", paths_state=tmp_path / "state")
    assert (code, "state" in said) == (1, True)


def test_a_database_that_is_none_is_named_and_left_alone(tmp_path: Path) -> None:
    database = tmp_path / "gateway.sqlite3"
    database.write_text("this is a letter to my aunt, not a database", "utf-8")
    code, said = refused("run", paths_state=tmp_path)
    assert (code, "gateway.sqlite3 cannot be opened" in said) == (1, True)
    assert database.read_text("utf-8").startswith("this is a letter")


def test_a_device_key_that_is_cut_off_is_named(tmp_path: Path) -> None:
    (tmp_path / "device.key").write_bytes(b"short")
    code, said = refused("run", paths_state=tmp_path)
    assert (code, "device.key" in said) == (1, True)


@pytest.mark.parametrize("end", ["terminate", "kill"])
def test_a_second_daemon_is_kept_off_until_the_first_has_ended(tmp_path: Path, end: str) -> None:
    first = command("run", paths_state=tmp_path)
    try:
        assert first.stdout is not None
        assert first.stdout.readline().startswith("scansnap-gateway: http://")
        code, said = refused("run", paths_state=tmp_path)
        assert (code, "another daemon is running" in said) == (1, True)
        getattr(first, end)()
        first.communicate(timeout=60)
        again = command("run", paths_state=tmp_path)
        assert again.stdout is not None
        assert again.stdout.readline().startswith("scansnap-gateway: http://")
        again.terminate()
        again.communicate(timeout=60)
    finally:
        first.kill()
        first.communicate()


def test_a_person_at_a_terminal_is_shown_the_set_up_token_and_a_log_is_not(tmp_path: Path) -> None:
    settings = {"paths_state": tmp_path, "paths_runtime": tmp_path / "run", "network_find": "false"}
    process = command("run", **settings)
    assert process.stdout is not None
    assert "://" in process.stdout.readline()
    process.terminate()
    said, logged = process.communicate(timeout=60)
    token = (tmp_path / "setup-token").read_text("ascii").strip()
    assert token not in said + logged
    screen, terminal = os.openpty()
    process = command("run", stdout=terminal, **settings)
    os.close(terminal)
    shown = b""
    while shown.count(b"\n") < 2:
        shown += os.read(screen, 4096)
    token = (tmp_path / "setup-token").read_text("ascii").strip()
    assert f"set-up token {token}" in shown.decode()
    process.terminate()
    process.communicate(timeout=60)
    os.close(screen)
