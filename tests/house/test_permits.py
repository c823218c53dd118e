"""The walls that import contracts cannot see: who makes Permits, who delivers, who unseals."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def calls(folder: str) -> Iterator[tuple[str, ast.Call, str]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                yield str(path.relative_to(ROOT)), node, name


def places(name: str) -> set[str]:
    return {where for where, _, called in calls("gateway") if called == name}


def test_a_permit_is_made_in_the_gate_and_nowhere_else() -> None:
    assert places("Permit") == {"gateway/core/gate.py"}


def test_no_permit_is_copied_into_another() -> None:
    for where, node, name in calls("gateway"):
        if name in ("replace", "copy", "deepcopy", "__replace__"):
            text = ast.unparse(node)
            assert "permit" not in text.lower(), f"{where}: {text}"


def test_only_the_outbox_delivers_and_reconciles() -> None:
    assert places("deliver") == {"gateway/work/outbox.py"}
    assert places("reconcile") == {"gateway/work/outbox.py"}


def test_sealed_pages_are_opened_only_for_the_documents_of_the_outbox() -> None:
    found = {
        where
        for where, node, name in calls("gateway")
        if name == "stream" and "keyring" in ast.unparse(node.func).lower()
    }
    assert found == {"gateway/work/render.py"}
    users = {where for where, node, _ in calls("gateway") if ast.unparse(node.func) == "self._renderer.document"}
    assert users == {"gateway/work/outbox.py"}


def test_sealed_pages_are_opened_for_eyes_in_one_room_with_the_keys_of_the_session_that_asks() -> None:
    found = [
        (where, ast.unparse(node.args[0]))
        for where, node, name in calls("gateway")
        if name == "read" and "keyring" in ast.unparse(node.func).lower()
    ]
    assert found == [("gateway/work/reading.py", "session.id")]
    users = {where for where, node, name in calls("gateway") if name == "assembled"}
    assert users == {"gateway/work/reading.py", "gateway/work/render.py"}


def test_nothing_outside_the_vault_unseals_pages() -> None:
    users = {where for where, node, name in calls("gateway") if ast.unparse(node.func) in ("seal.unseal", "decrypt_io")}
    assert {w.split("/")[1] for w in users} <= {"vault"}
