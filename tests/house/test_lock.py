"""The lock has hashes and names no place to download from; the tree names no folder of somebody's machine."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_requirement_is_pinned_with_hashes() -> None:
    text = (ROOT / "requirements.lock").read_text("ascii")
    blocks = [b for b in re.split(r"\n(?=\S)", text.strip()) if not b.startswith("#")]
    assert len(blocks) > 30
    for block in blocks:
        assert re.match(r"[a-z0-9._-]+==[^\s;]+", block), block[:60]
        assert "--hash=sha256:" in block, block[:60]


def test_the_lock_names_no_download_address() -> None:
    text = (ROOT / "requirements.lock").read_text("ascii")
    assert "://" not in text
    assert "index-url" not in text
    assert "find-links" not in text
