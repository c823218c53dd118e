"""Ways to push a short notice to an owner: mail, webhook, ntfy. A notice holds no page and nothing read from one."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from yarl import URL

from gateway.destinations.header_text import encoded_words, is_plain, one_line
from gateway.destinations.http import SENTENCES, Http, Sentences
from gateway.destinations.kinds import Field, Surroundings, Values, check_url, values_of
from gateway.destinations.letter import Envelope, of_text
from gateway.destinations.mail import ACCOUNT, check_server, envelope_of, server_of
from gateway.destinations.net import Guard
from gateway.destinations.port import Rejected
from gateway.destinations.signing import signed
from gateway.destinations.smtp import MailServer
from gateway.destinations.webhook import RECEIVER, REFUSALS, address_of, identifier, now_utc, secret_of

_NTFY_TEXT_BYTES = 4000  # ntfy turns a text of more than 4,096 bytes into an attachment
_NTFY_TITLE_CHARACTERS = 200  # what a phone shows of it is far less
_TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")  # docs.ntfy.sh/publish, "Picking a topic"
_TOKEN = re.compile(r"[\x21-\x7e]{0,200}")

_NTFY_REFUSALS: dict[int, tuple[bool, str]] = SENTENCES | {
    401: (True, "the server refuses the access token"),
    403: (True, "the server does not let this access token write to the topic"),
    413: (True, "the notice is too large for the server"),
}


@dataclass(frozen=True, slots=True)
class Note:
    """A notice. `key`: the same for every attempt to push it; `url`: the page to open, "" for none."""

    key: str
    title: str
    text: str
    url: str
    at: datetime
    urgent: bool = False


class Pusher(Protocol):
    """One configured way to reach an owner."""

    async def push(self, notice: Note) -> None:
        """Send a notice; DestinationError. The receiver can tell a second copy by the key, except on ntfy."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to push, as a row; `make` and `check` are those of a destination's Kind."""

    label: str
    fields: tuple[Field, ...]
    make: Callable[[Values, Surroundings], Pusher]
    check: Callable[[Values, Surroundings], Awaitable[None]]


class MailPusher:
    """Sends an e-mail whose Message-ID is made of the key."""

    def __init__(self, server: MailServer, envelope: Envelope) -> None:
        """Take the submission server and both addresses."""
        self._server = server
        self._envelope = envelope

    async def push(self, notice: Note) -> None:
        """Send one message of plain text; DestinationError."""
        text = "\n\n".join(filter(None, (notice.text, notice.url)))
        letter = of_text(self._envelope, notice.title, text, notice.key, notice.at, urgent=notice.urgent)
        async with self._server.session() as session:
            await session.address(self._envelope, letter.byte_count)
            await session.send(letter)


class WebhookPusher:
    """POSTs JSON with type "notice", title, text, url, at and urgent, signed as Standard Webhooks 1.0.0 wants it."""

    def __init__(self, url: URL, key: bytes, guard: Guard, *, now: Callable[[], datetime] = now_utc) -> None:
        """Take the address and the key that the receiver has too."""
        self._url, self._key, self._guard, self._now = url, key, guard, now

    async def push(self, notice: Note) -> None:
        """POST the notice under an id made of its key; DestinationError."""
        about = {
            "type": "notice",
            "title": notice.title,
            "text": notice.text,
            "url": notice.url,
            "at": notice.at.astimezone(UTC).isoformat(timespec="seconds"),
            "urgent": notice.urgent,
        }
        body = json.dumps(about).encode("ascii")
        headers = signed(self._key, identifier(notice.key), self._now(), body) | {"Content-Type": "application/json"}
        await _post(self._guard, self._url, body, headers, REFUSALS)


class NtfyPusher:
    """Publishes to a topic of ntfy (docs.ntfy.sh/publish). ntfy knows no key: a second attempt rings twice."""

    def __init__(self, topic: URL, token: str, guard: Guard) -> None:
        """Take the topic's address, and an access token, "" for a topic that anybody may write to."""
        self._topic, self._guard = topic, guard
        self._access = {"Authorization": f"Bearer {token}"} if token else {}

    async def push(self, notice: Note) -> None:
        """POST the text, all else in headers; DestinationError."""
        # The long names: "Priority" is also a header of HTTP itself (RFC 9218), and proxies rewrite that one.
        headers = {
            "X-Title": _header(notice.title[:_NTFY_TITLE_CHARACTERS]),
            "X-Priority": "urgent" if notice.urgent else "default",
            "X-Tags": "warning" if notice.urgent else "page_facing_up",
            "Content-Type": "text/plain; charset=utf-8",
        }
        if notice.url:
            headers["X-Click"] = _header(notice.url)
        body = (notice.text or notice.title).encode(errors="replace")[:_NTFY_TEXT_BYTES]
        whole_characters = body.decode(errors="ignore").encode()
        await _post(self._guard, self._topic, whole_characters, headers | self._access, _NTFY_REFUSALS)


async def _post(guard: Guard, url: URL, body: bytes, headers: Mapping[str, str], refusals: Sentences) -> None:
    async with (
        Http(guard, url, {"Accept-Encoding": "identity"}, refusals) as http,
        http.ask("POST", url, data=body, headers=headers) as reply,
    ):
        if not 200 <= reply.status < 300:
            raise http.refusal(reply)


def _header(text: str) -> str:
    """A value as ntfy reads it: plain ASCII as it is, anything else as words of RFC 2047."""
    line = one_line(text)
    return line if is_plain(line) else " ".join(encoded_words(line))


def _mail(values: Values, around: Surroundings) -> MailPusher:
    return MailPusher(server_of(values, around), envelope_of(values))


def _webhook(values: Values, around: Surroundings) -> WebhookPusher:
    return WebhookPusher(address_of(values), secret_of(values), around.guard)


def _ntfy(values: Values, around: Surroundings) -> NtfyPusher:
    topic = address_of(values)
    if _TOPIC.fullmatch(topic.name) is None:
        raise Rejected("url: the address ends with the name of the topic: letters, digits, '-' and '_', at most 64")
    if _TOKEN.fullmatch(values["token"]) is None:
        raise Rejected("token: an access token such as tk_... is needed, or nothing")
    return NtfyPusher(topic, values["token"], around.guard)


CHANNELS: dict[str, Channel] = {
    "mail": Channel("E-mail", ACCOUNT, _mail, check_server),
    "webhook": Channel("Webhook", RECEIVER, _webhook, check_url),
    "ntfy": Channel(
        "ntfy",
        (
            Field("url", "Topic", False, "https://ntfy.sh/a-name-that-nobody-guesses; who knows it can read along"),
            Field("token", "Access token", True, "Where the topic is protected: tk_...", required=False),
        ),
        _ntfy,
        check_url,
    ),
}


def build(channel: str, config: Values, secrets: Values, around: Surroundings) -> Pusher:
    """Make a channel from its saved values; Rejected names the field that does not fit. No I/O."""
    row = _channel(channel)
    return row.make(values_of(row, config, secrets), around)


async def check(channel: str, config: Values, secrets: Values, around: Surroundings) -> None:
    """Check values before they are saved, the address included; Rejected, or Unavailable for an unknown name."""
    row = _channel(channel)
    values = values_of(row, config, secrets)
    row.make(values, around)
    await row.check(values, around)


def _channel(name: str) -> Channel:
    if name not in CHANNELS:
        raise Rejected(f"channel: {name!r} is no way to push a notice; there are: {', '.join(CHANNELS)}")
    return CHANNELS[name]
