"""What a simulated paperless-ngx knows: documents, tags, tasks that go on step by step, and their JSON. No HTTP.

Facts: paperless-ngx docs/api.md; documents/consumer.py and documents/serialisers.py of 2.20 and 3.1.
"""

import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class Fate(StrEnum):
    """What becomes of an upload after it was accepted."""

    FILED = "filed"
    FAILS = "fails"  # later, with a text
    STAYS = "stays"  # waits for ever
    VANISHES = "vanishes"  # accepted, then dropped: nobody knows its task
    SPLIT = "split"  # ends well without a document: taken apart at its barcodes
    CHANGED = "changed"  # a script changes the file before it is filed


@dataclass(slots=True)
class Document:
    """A filed document."""

    id: int
    title: str
    file_name: str
    data: bytes
    checksum: str
    created: str
    correspondent: int | None = None
    tags: tuple[int, ...] = ()
    in_trash: bool = False


@dataclass(slots=True)
class Task:
    """One consumption; it takes a step each time it is asked for by its id."""

    id: int
    task_id: str
    upload: Document
    fate: Fate
    text: str
    status: str = "pending"
    result: dict[str, Any] = field(default_factory=dict)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(slots=True)
class Archive:
    """`major`: 2 files by MD5 and refuses duplicates; 3 files by SHA-256 and refuses them only if it is told to."""

    major: int = 2
    refuses_duplicates: bool = True
    documents: dict[int, Document] = field(default_factory=dict)
    tags: dict[int, str] = field(default_factory=dict)
    correspondents: dict[int, str] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)

    def accept(self, upload: Document, fate: Fate, text: str) -> str:
        """Queue an upload; returns the id of its task."""
        task = Task(len(self.tasks) + 1, str(uuid.uuid4()), upload, fate, text)
        if fate is not Fate.VANISHES:
            self.tasks.append(task)
        return task.task_id

    def step(self, task: Task) -> None:
        """Take a task one step on."""
        if task.fate is Fate.STAYS:
            return
        if task.status == "pending":
            task.status = "started"
        elif task.status == "started":
            task.status, task.result = self._consumed(task)

    def finish(self) -> None:
        """Take every task to its end."""
        for task in self.tasks:
            self.step(task)
            self.step(task)

    def digest(self, data: bytes) -> str:
        """Return the checksum that this version files a document by."""
        return hashlib.sha256(data).hexdigest() if self.major >= 3 else hashlib.md5(data).hexdigest()  # noqa: S324

    def _consumed(self, task: Task) -> tuple[str, dict[str, Any]]:
        upload = task.upload
        if task.fate is Fate.FAILS:
            return "failure", {"error_type": "ConsumerError", "error_message": f"{upload.file_name}: {task.text}"}
        if task.fate is Fate.SPLIT:
            return "success", {"reason": "Barcode splitting complete!"}
        if task.fate is Fate.CHANGED:
            upload.data += b"%stamped"
        twin = next((d for d in self.documents.values() if d.checksum == self.digest(upload.data)), None)
        if twin is not None and self.refuses_duplicates:
            return "failure", {"duplicate_of": twin.id, "duplicate_in_trash": twin.in_trash}
        upload.id = len(self.documents) + 1
        upload.checksum = self.digest(upload.data)
        self.documents[upload.id] = upload
        return "success", {"document_id": upload.id}

    def task_json(self, task: Task, api: int) -> dict[str, Any]:
        """Return a task as API version 9 or 10 shows it."""
        shared = {"id": task.id, "task_id": task.task_id, "date_created": task.created_at.isoformat()}
        if api >= 10:
            related = task.result.get("document_id", task.result.get("duplicate_of"))
            return shared | {
                "task_type": "consume_file",
                "status": task.status,
                "input_data": {"filename": task.upload.file_name},
                "result_data": task.result or None,
                "related_document_ids": [] if related is None else [related],
            }
        return shared | {
            "task_name": "consume_file",
            "status": task.status.upper(),
            "task_file_name": task.upload.file_name,
            "result": self._sentence(task),
            "related_document": self._related(task),
        }

    def _related(self, task: Task) -> int | str | None:
        made: int | None = task.result.get("document_id")
        return made if made is None or self.major >= 3 else str(made)  # 2.x takes it out of the sentence

    def _sentence(self, task: Task) -> str | None:
        result = task.result
        if "document_id" in result:
            return f"Success. New document id {result['document_id']} created"
        if "duplicate_of" in result:
            return self._duplicate(task.upload.file_name, result["duplicate_of"])
        text: str | None = result.get("reason", result.get("error_message"))
        return text

    def _duplicate(self, file_name: str, twin: int) -> str:
        if self.major >= 3:
            return f"Not consuming: It is a duplicate of document #{twin}"
        document = self.documents[twin]
        note = " Note: existing document is in the trash." if document.in_trash else ""
        told = f"Not consuming {file_name}: It is a duplicate of {document.title} (#{twin}).{note}"
        return f"{file_name}: {told}"
