"""The calls of paperless-ngx that a delivery needs, over one guarded session; every failure becomes a sentence.

Sources: paperless-ngx docs/api.md, 2.20 and 3.1. No version is asked for until the server has told its own: 2.x refuses
version 10, 3.x those below 9, and both have said in `X-Api-Version` which is their newest.
"""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

import aiohttp
from yarl import URL

from gateway.destinations.http import SENTENCES, Http, body
from gateway.destinations.net import Guard
from gateway.destinations.paperless_form import Form
from gateway.destinations.paperless_task import Original, Task, complaint, number, original_of, parsed, rows, task_of
from gateway.destinations.port import Commit, DestinationError, Parcel, Rejected, ReplyLost, Unavailable
from gateway.destinations.upload import Upload

NEWEST = 10  # the newest API version that is known here
_COPIES = 10  # the API version of 3.0, which files a second copy of a document that it has
_PAGE = 50  # tasks; one that failed carries a trace of some kilobytes
_PAGES = 20  # of tasks: a thousand consumptions since ours
_TWINS = 5  # documents of one checksum that are looked at
_NO_TASK = "00000000-0000-0000-0000-000000000000"
_TASK_ID_LIMIT = 72  # characters, as the server's own column has
_SENTENCES = SENTENCES | {
    401: (True, "paperless-ngx does not accept the token"),
    404: (True, "there is no paperless-ngx at this address"),
    405: (True, "there is no paperless-ngx at this address"),
    406: (True, "this version of paperless-ngx is not supported"),
}

# Answers to a whole upload that leave open whether it was taken: it may be in the queue, and 3.x takes it twice.
_UNDECIDED = frozenset({408, 429, *range(500, 600)})


class Paperless(Http):
    """One conversation with one server: `async with Paperless(...) as api`. `api_version` is 0 until it is known."""

    def __init__(self, guard: Guard, base: URL, token: str) -> None:
        """Take the address of the server, which ends in a slash, and a user's API token."""
        headers = {"Authorization": f"Token {token}", "Accept-Encoding": "identity"}
        super().__init__(guard, base, headers, _SENTENCES)
        self._base = base
        self.api_version = 0

    @property
    def refuses_copies(self) -> bool:
        """Tell whether the server is known to refuse a document that it has, as 2.x does by its checksum."""
        return 0 < self.api_version < _COPIES

    async def expect_tasks(self) -> None:
        """Ask for a task that does not exist: tells whether the token is good and what becomes of uploads is shown."""
        await self.task(_NO_TASK)

    async def task(self, task_id: str) -> Task | None:
        """Ask how far a consumption is; None if the server knows nothing of it."""
        found = rows(await self._get("api/tasks/", "see its tasks", {"task_id": task_id}))
        ours = [row for row in found if row.get("task_id") == task_id]
        return task_of(ours[0]) if ours else None

    async def consumptions(self, since: datetime) -> AsyncIterator[Task]:
        """Yield the consumptions that are not older; Unavailable if they are too many."""
        for page in range(1, _PAGES + 1):
            # Each generation knows one of the two names of the filter and drops the other.
            query = {"task_name": "consume_file", "task_type": "consume_file", "ordering": "-date_created"}
            paged = query | {"page": str(page), "page_size": str(_PAGE)}
            answer = await self._get("api/tasks/", "see its tasks", paged)
            fresh = [t for t in map(task_of, rows(answer)) if t.created_at is None or t.created_at >= since]
            for task in fresh:
                yield task
            if not fresh or not (isinstance(answer, dict) and answer.get("next")):
                return
        raise Unavailable("paperless-ngx has had so many tasks since that ours cannot be found")

    async def with_checksum(self, checksum: str) -> list[int]:
        """Return ids of documents whose original may have this checksum: a server may drop a filter it does not know.

        The filter is there since 1.16 (paperless-ngx pull request 3485); 3.x knows SHA-256, older ones MD5.
        """
        query = {"checksum__iexact": checksum, "fields": "id", "page_size": str(_TWINS)}
        found = rows(await self._get("api/documents/", "see documents", query))
        return [i for row in found[:_TWINS] if (i := number(row.get("id"))) is not None]

    async def original(self, document: int) -> Original | None:
        """Return what the server stores of a document; None if it does not show it, as one in the trash."""
        path = f"api/documents/{document}/metadata/"
        async with self.ask("GET", self._url(path), headers=self._accept()) as reply:
            self._learn(reply)
            if reply.status in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN):
                return None
            if reply.status != HTTPStatus.OK:
                raise self.refusal(reply)
            return original_of(parsed(await body(reply)))

    async def permissions(self) -> frozenset[str] | None:
        """Return what the token's user may do ("add_document"); None if the server does not tell this user."""
        try:
            answer = await self._get("api/ui_settings/", "see its own settings", {})
        except Rejected:
            return None
        told = answer.get("permissions") if isinstance(answer, dict) else None
        return frozenset(p for p in told if isinstance(p, str)) if isinstance(told, list) else None

    async def named(self, kind: str, name: str) -> int:
        """Return the id that a name has among "tags" or "correspondents" (`kind`); a missing one is made."""
        if (found := await self._find(kind, name)) is not None:
            return found
        try:
            answer = await self._asked("POST", f"api/{kind}/", f"add {kind}", data={"name": name})
        except Rejected:
            # Somebody made it in between: then it is there now.
            if (found := await self._find(kind, name)) is not None:
                return found
            raise
        made = number(answer.get("id")) if isinstance(answer, dict) else None
        if made is None:
            raise Unavailable("the server does not answer like paperless-ngx")
        return made

    async def post(self, parcel: Parcel, form: Form, commit: Commit) -> str:
        """Upload a document; returns the id of its task. Refusals come as they are, ReplyLost after the commit."""
        held = _Held(commit)
        upload = Upload(parcel, commit=held, head=form.head, tail=form.tail, media_type=form.media_type)
        refusal: DestinationError | None = None
        answer = b""
        try:
            url = self._url("api/documents/post_document/")
            async with self.send("POST", url, upload, headers=self._accept()) as reply:
                if not held.released:
                    reply.close()  # the rest of the document is not sent, and the commit not asked for
                    refusal = self._early(reply)
                elif reply.status == HTTPStatus.OK:
                    answer = await body(reply)
                else:
                    refusal = await self._late(reply)
        except Unavailable as error:
            if held.released:
                raise ReplyLost(f"the document was sent, and {error}") from error
            raise
        if refusal is not None:
            raise refusal
        return _task_id(answer)

    def _early(self, reply: aiohttp.ClientResponse) -> DestinationError:
        if reply.status == HTTPStatus.OK:
            return Unavailable("the server answered before it had the document")
        return self.refusal(reply)

    async def _late(self, reply: aiohttp.ClientResponse) -> DestinationError:
        if reply.status in _UNDECIDED:
            return ReplyLost(f"the server had the whole document and answered HTTP {reply.status}")
        return await self._refused(reply, "add documents")

    async def _find(self, kind: str, name: str) -> int | None:
        query = {"name__iexact": name, "page_size": str(_PAGE)}
        found = rows(await self._get(f"api/{kind}/", f"see {kind}", query))
        named = [(row["name"], i) for row in found if isinstance(row.get("name"), str) and (i := number(row.get("id")))]
        same = [(n != name, i) for n, i in named if n.casefold() == name.casefold()]
        return min(same)[1] if same else None

    async def _get(self, path: str, right: str, query: Mapping[str, str]) -> Any:
        return await self._asked("GET", path, right, query=query)

    async def _asked(
        self,
        method: str,
        path: str,
        right: str,
        *,
        query: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
    ) -> Any:
        """Return what an answer holds; `right` is what a user needs for it, in words."""
        headers = self._accept() | ({} if data is None else {"Content-Type": "application/json"})
        sent = None if data is None else json.dumps(data).encode()
        url = self._url(path).with_query(query) if query else self._url(path)
        async with self.ask(method, url, data=sent, headers=headers) as reply:
            self._learn(reply)
            if reply.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
                raise await self._refused(reply, right)
            return parsed(await body(reply))

    async def _refused(self, reply: aiohttp.ClientResponse, right: str) -> DestinationError:
        if reply.status == HTTPStatus.FORBIDDEN:
            return Rejected(f"the user of the token has no right to {right} (HTTP 403)")
        if reply.status == HTTPStatus.BAD_REQUEST and (words := await _words(reply)):
            return Rejected(f"paperless-ngx refuses: {words} (HTTP 400)")
        return self.refusal(reply)

    def _url(self, path: str) -> URL:
        return self._base.join(URL(path))

    def _accept(self) -> dict[str, str]:
        version = f"; version={NEWEST}" if self.api_version >= NEWEST else ""
        return {"Accept": f"application/json{version}"}

    def _learn(self, reply: aiohttp.ClientResponse) -> None:
        self.api_version = number(reply.headers.get("X-Api-Version", "")) or self.api_version


class _Held:
    """A commit that remembers whether it let the end of the document go."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self.released = False

    async def __call__(self) -> None:
        await self._commit()
        self.released = True


async def _words(reply: aiohttp.ClientResponse) -> str:
    try:
        return complaint(await body(reply))
    except (DestinationError, aiohttp.ClientError, OSError):  # the status alone says that it is refused
        return ""


def _task_id(answer: bytes) -> str:
    """Return the task's id, which is all that the answer to an upload is: a JSON string."""
    try:
        value = parsed(answer)
    except Unavailable:
        value = None
    good = isinstance(value, str) and 0 < len(value) <= _TASK_ID_LIMIT and value.replace("-", "").isalnum()
    if not (good and value.isascii()):
        raise ReplyLost("the document was sent, and the server does not answer like paperless-ngx")
    return str(value)
