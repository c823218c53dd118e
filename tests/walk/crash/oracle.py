"""What must hold after a kill, and when a chain is over. It reads the sinks and the state folder, never the daemon."""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.walk.crash.diary import Diary
from tests.walk.crash.sheets import Partial, check_whole, sheets_in
from tests.walk.crash.sinks import SinkKind, Sinks


class Violation(Exception):
    """Something that must hold does not; `str()` says what."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the database says at the end: destination -> kind, scan -> pages, (scan, destination) -> (state, name)."""

    kinds: dict[str, str]
    pages: dict[str, int]
    deliveries: dict[tuple[str, str], tuple[str, str]]
    paths: frozenset[str]


@dataclass(slots=True)
class Verdict:
    """What was found at the end of a chain."""

    scans: int = 0
    documents: int = 0
    wrong: list[str] = field(default_factory=list)

    def expect(self, holds: bool, sentence: str) -> None:
        """Note what does not hold."""
        if not holds:
            self.wrong.append(sentence)


def after_a_kill(folder: Path, sinks: Sinks) -> None:
    """Look at what is visible right now; Violation."""
    for sink in sinks.kinds.values():
        for document in sink.visible(folder):
            try:
                check_whole(document.read_bytes(), document.name)
            except Partial as error:
                raise Violation(f"{sink.label}: {error}") from None


def at_the_end(folder: Path, sinks: Sinks, diary: Diary) -> Verdict:
    """Judge a chain; Violation with everything that is wrong."""
    verdict = Verdict()
    ledger = _ledger(folder / "state" / "gateway.sqlite3", verdict)
    _judge_deliveries(ledger, verdict)
    for destination, kind in ledger.kinds.items():
        names = {name for (_, to), (_, name) in ledger.deliveries.items() if to == destination}
        _judge_sink(folder, sinks.kinds[kind], names, diary, verdict)
    _judge_spool(folder / "state" / "spool", ledger, verdict)
    _judge_log(folder / "log", verdict)
    if verdict.wrong:
        raise Violation("\n".join(verdict.wrong))
    return verdict


def _ledger(path: Path, verdict: Verdict) -> Ledger:
    with closing(sqlite3.connect(path)) as rows:
        [(sound,)] = rows.execute("pragma integrity_check").fetchall()
        verdict.expect(sound == "ok", f"the database is damaged: {sound}")
        verdict.expect(not rows.execute("pragma foreign_key_check").fetchall(), "a row points at nothing")
        pages = rows.execute("select scans.id, (select count(*) from pages where scan = scans.id) from scans")
        deliveries = rows.execute("select scan, destination, state, name from deliveries").fetchall()
        verdict.expect(len({d[:2] for d in deliveries}) == len(deliveries), "a scan has two deliveries to one place")
        return Ledger(
            kinds=dict(rows.execute("select id, kind from destinations").fetchall()),
            pages=dict(pages.fetchall()),
            deliveries={(scan, to): (state, name) for scan, to, state, name in deliveries},
            paths=frozenset(path for (path,) in rows.execute("select path from pages")),
        )


def _judge_deliveries(ledger: Ledger, verdict: Verdict) -> None:
    verdict.scans = len(ledger.pages)
    for scan, pages in ledger.pages.items():
        verdict.expect(pages > 0, f"scan {scan} has no page and is still there")
        for destination, kind in ledger.kinds.items():
            state, _ = ledger.deliveries.get((scan, destination), ("nowhere", ""))
            verdict.expect(state == "delivered", f"scan {scan} to {kind}: {state}")


def _judge_sink(folder: Path, sink: SinkKind, names: set[str], diary: Diary, verdict: Verdict) -> None:
    visible = sink.visible(folder)
    verdict.documents += len(visible)
    there = {document.name for document in visible}
    for name in sorted(names - there):
        verdict.wrong.append(f"{sink.label}: {name} is not there")
    for name in sorted(there - names):
        verdict.wrong.append(f"{sink.label}: {name} belongs to no delivery")
    verdict.expect(not (left := sink.hidden(folder)), f"{sink.label}: {left} were left")
    seen: Counter[str] = Counter()
    for document in visible:
        try:
            sheets = sheets_in(document)
        except Partial as error:
            verdict.wrong.append(f"{sink.label}: {error}")
            continue
        verdict.expect(list(sheets) == sorted(sheets), f"{sink.label}: {document.name} is out of order: {sheets}")
        seen.update(sheets)
    twice = sorted(sheet for sheet, times in seen.items() if times > 1)
    verdict.expect(not twice, f"{sink.label}: {twice} came twice")
    lost = sorted(set(diary.all("acknowledged")) - set(seen))
    verdict.expect(not lost, f"{sink.label}: {lost} were acknowledged and are lost")
    strange = sorted(set(seen) - set(diary.all("sent")))
    verdict.expect(not strange, f"{sink.label}: nobody sent {strange}")


def _judge_spool(spool: Path, ledger: Ledger, verdict: Verdict) -> None:
    files = frozenset(str(path.relative_to(spool)) for path in spool.rglob("*") if path.is_file())
    verdict.expect(files == ledger.paths, f"spool and rows differ: {sorted(files ^ ledger.paths)}")


def _judge_log(log: Path, verdict: Verdict) -> None:
    text = log.read_text(errors="replace")
    for bad in ("ERROR:", "Traceback", "CRITICAL:"):
        verdict.expect(bad not in text, f"the log has {bad}\n{text[-4000:]}")
