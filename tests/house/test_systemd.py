"""The files for systemd: made from the models table, and accepted by systemd itself where it is there."""

import shutil
import subprocess
from pathlib import Path

import pytest

from drivers.udev import rules

ROOT = Path(__file__).parents[2]


def test_the_udev_rules_are_those_of_the_models_table() -> None:
    assert (ROOT / "systemd" / "70-scansnap.rules").read_text("utf-8") == rules()


@pytest.mark.conformance
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_the_service_unit(tmp_path: Path) -> None:
    text = (ROOT / "systemd" / "scansnap-gateway.service").read_text("utf-8")
    unit = tmp_path / "scansnap-gateway.service"
    unit.write_text(text.replace("/opt/scansnap-gateway/bin/scansnap-gateway", "/bin/true"), "utf-8")
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
