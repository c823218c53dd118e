"""A paperless-ngx server: upload, commit before the last bytes, follow the task, compare what is filed with ours.

"Accepted" is not "filed": the answer to an upload is only a task's id. A document counts as delivered when the server
shows an original with our checksum and size. Versions from 3.0 on file a second copy of a document that they have, so
the server is asked for ours before each upload, and ABSENT is never said of them: what a proxy gave up on may be filed
minutes later, and nobody sees it until then.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import timedelta

from yarl import URL

from gateway.core.gate import Permit
from gateway.destinations.kinds import Field, Kind, Surroundings, Values, check_url, naming
from gateway.destinations.names import plain
from gateway.destinations.net import Guard, web_address
from gateway.destinations.paperless_api import Paperless
from gateway.destinations.paperless_form import Form, form, quoted
from gateway.destinations.paperless_task import State, Task, same_file
from gateway.destinations.port import (
    Commit,
    DestinationError,
    Parcel,
    Proof,
    Rejected,
    ReplyLost,
    Trace,
    Unavailable,
)
from gateway.destinations.upload import whole

# OCR takes a Raspberry Pi up to ten seconds a page, so a hundred pages end within this. What takes longer, or waits
# behind other documents there, is looked for by `reconcile`: the next delivery must not wait for hours.
TASK_S = 1000.0
FIRST_PAUSE_S = 0.5  # a single page on a fast machine is filed after two seconds
LONGEST_PAUSE_S = 15.0  # a question costs the server a database query; nobody watches a long task by the second
UNKNOWN_TIMES = 5  # in a row: the server writes a task down before it answers the upload, so the first is strange
_SLACK = timedelta(days=1)  # between the server's clock and ours
_TITLE_LIMIT = 128  # characters, as the server's own column has
_EMPTY_DIGEST = hashlib.sha256().hexdigest()


@dataclass(frozen=True, slots=True)
class _Ours:
    """What the server must show of our document; its checksum is told apart by its length."""

    byte_count: int
    md5: str
    sha256: str


class PaperlessDestination:
    """Delivers into the archive of one user of one server."""

    def __init__(self, url: str, token: str, guard: Guard) -> None:
        """Take the address of the server and a user's API token; `Guard.check` judges the address when saved."""
        self._url = web_address(url if url.endswith("/") else url + "/")
        self._token = token
        self._guard = guard

    async def probe(self) -> None:
        """Ask for tasks, documents and rights; nothing is written. DestinationError."""
        await self._guard.check(str(self._url))
        async with self._api() as api:
            await api.expect_tasks()
            if not api.api_version:
                raise Rejected("the server does not tell its version as paperless-ngx does (X-Api-Version)")
            await api.with_checksum(_EMPTY_DIGEST)
            may = await api.permissions()
            if may is not None and "add_document" not in may:
                raise Rejected("the user of the token has no right to add documents")

    async def deliver(self, permit: Permit, parcel: Parcel, commit: Commit) -> Proof:
        """Upload and wait until the document is filed; one that is there already counts as delivered."""
        plain(parcel.name)
        ours = await _fingerprint(parcel)
        async with self._api() as api:
            await api.expect_tasks()  # without this right nobody would ever know what became of the upload
            if (proof := await self._filed(api, ours)) is not None:
                return proof
            task_id = await api.post(parcel, await _form(api, parcel), commit)
            return await self._outcome(api, ours, await _finished(api, task_id))

    async def reconcile(self, permit: Permit, parcel: Parcel) -> Proof | Trace:
        """Look for the document, then for tasks of its name; Unavailable while one is under way.

        A parcel does not tell when it was sent, so a trace that is missing may still come. A server that would file a
        second copy then leaves that to the owner; one that refuses it has lost nothing by another upload.
        """
        ours = await _fingerprint(parcel)
        async with self._api() as api:
            # Tasks first: one that ends in between is then seen by what it filed.
            tasks = await _tasks_of(api, parcel)
            if (proof := await self._filed(api, ours)) is not None:
                return proof
            if any(task.state is State.WORKING for task in tasks):
                raise Unavailable("paperless-ngx is still working on it")
            # Taken apart at barcodes, or changed by a script before it was filed: sending again would double it.
            if any(task.state is State.DONE for task in tasks):
                return Trace.UNKNOWABLE
            return Trace.ABSENT if api.refuses_copies else Trace.UNKNOWABLE

    async def _filed(self, api: Paperless, ours: _Ours) -> Proof | None:
        """Return the proof if the server has our document."""
        for checksum in (ours.sha256, ours.md5):
            for document in await api.with_checksum(checksum):
                if (proof := await self._proof(api, ours, document)) is not None:
                    return proof
        return None

    async def _proof(self, api: Paperless, ours: _Ours, document: int) -> Proof | None:
        """Return the proof if a document's original is ours, byte for byte as far as checksum and size can tell."""
        original = await api.original(document)
        if original is None or original.byte_count != ours.byte_count:
            return None
        if original.checksum not in (ours.md5, ours.sha256):
            return None
        location = self._url.join(URL(f"documents/{document}/details"))
        return Proof(str(location), str(document), ours.byte_count, ours.sha256)

    async def _outcome(self, api: Paperless, ours: _Ours, task: Task) -> Proof:
        if task.state is State.DONE:
            return await self._shown(api, ours, task)
        if task.duplicate_of is None:
            raise Rejected(f"paperless-ngx could not file the document: {task.text or 'it does not say why'}")
        proof = await self._proof(api, ours, task.duplicate_of)
        if proof is None:
            where = "in its trash" if task.in_trash else "but does not show it as it was sent"
            raise Rejected(f"paperless-ngx has this document already as #{task.duplicate_of}, {where}")
        return proof

    async def _shown(self, api: Paperless, ours: _Ours, task: Task) -> Proof:
        if task.document is None:
            raise ReplyLost(f"paperless-ngx finished without naming a document: {task.text or 'it does not say why'}")
        try:
            proof = await self._proof(api, ours, task.document)
        except DestinationError as error:
            raise ReplyLost(f"paperless-ngx filed #{task.document} but does not show it: {error}") from error
        if proof is None:
            raise ReplyLost(f"paperless-ngx filed #{task.document}, but does not show it as it was sent")
        return proof

    def _api(self) -> Paperless:
        return Paperless(self._guard, self._url, self._token)


async def _fingerprint(parcel: Parcel) -> _Ours:
    """Read a parcel once; Unavailable if it is not as long as announced."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    async for chunk in whole(parcel):
        md5.update(chunk)
        sha256.update(chunk)
    return _Ours(parcel.byte_count, md5.hexdigest(), sha256.hexdigest())


async def _form(api: Paperless, parcel: Parcel) -> Form:
    """Find or make what the document is filed under, and return the form around it."""
    filing = parcel.filing
    fields = [
        ("title", (filing.title or parcel.name.removesuffix(".pdf"))[:_TITLE_LIMIT]),
        ("created", parcel.created_at.isoformat()),
    ]
    if filing.correspondent:
        fields.append(("correspondent", str(await api.named("correspondents", filing.correspondent))))
    for tag in {name.casefold(): name for name in filing.tags if name}.values():
        fields.append(("tags", str(await api.named("tags", tag))))
    return form(fields, field="document", file_name=parcel.name, media_type=parcel.media_type)


async def _finished(api: Paperless, task_id: str) -> Task:
    """Follow a task to its end; ReplyLost if that does not come in time or cannot be seen."""
    try:
        async with asyncio.timeout(TASK_S):
            return await _followed(api, task_id)
    except TimeoutError:
        raise ReplyLost("paperless-ngx has the document and is still working on it") from None
    except Rejected as error:
        raise ReplyLost(f"paperless-ngx has the document and no longer tells about it: {error}") from error


async def _followed(api: Paperless, task_id: str) -> Task:
    pause_s, unknown = FIRST_PAUSE_S, 0
    while True:
        wait_s = pause_s
        try:
            task = await api.task(task_id)
        except Unavailable as error:  # the document is there: only the question failed
            wait_s = max(pause_s, min(error.retry_after_s or 0.0, LONGEST_PAUSE_S))
        else:
            if task is not None and task.state is not State.WORKING:
                return task
            unknown = unknown + 1 if task is None else 0
            if unknown >= UNKNOWN_TIMES:
                raise ReplyLost("paperless-ngx took the document, and knows nothing of it now")
        await asyncio.sleep(wait_s)
        pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)


async def _tasks_of(api: Paperless, parcel: Parcel) -> list[Task]:
    """Return the tasks of our file name since the scan began; names are unique by the scan's id."""
    since, sent = parcel.created_at - _SLACK, (parcel.name, quoted(parcel.name))
    return [t async for t in api.consumptions(since) if any(same_file(t.file_name, name) for name in sent)]


def _make(values: Values, around: Surroundings) -> PaperlessDestination:
    token = values["token"].strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Rejected("token: letters and digits only, as paperless-ngx shows it")
    try:
        return PaperlessDestination(values["url"], token, around.guard)
    except Rejected as error:
        raise naming("url", error) from None


KIND = Kind(
    label="paperless-ngx",
    proves="the server shows the filed document under this number, its original with our checksum and size",
    shown="url",
    fields=(
        Field("url", "Address of the server", False, "https://paperless.example.org/"),
        Field("token", "API token", True, "In paperless-ngx: your name, My Profile, API Auth Token"),
    ),
    make=_make,
    check=check_url,
)
