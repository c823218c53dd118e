"""Short notices by mail (aiosmtpd), webhook and ntfy (simulated receivers with their own decoding)."""

import json
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.destinations.kinds import Surroundings, Values
from gateway.destinations.net import Guard
from gateway.destinations.port import DestinationError, Rejected, ReplyLost, Unavailable
from gateway.destinations.push import CHANNELS, Note, Pusher, build, check
from simulator.sinks import Fault, NtfySink, Trouble, WebhookSink, ntfy_sink, webhook_sink
from tests.destinations.mailbox import PASSWORD, USERNAME, Mailbox, certificate, mailbox

LOCAL = Surroundings(Guard(("127.0.0.0/8",), ()))
NOWHERE = Surroundings(Guard((), ()))
AT = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
NOTE = Note("n/1", "Scan held: é 領収書 🧾", "Sign in to send it.\nIt rests sealed.", "https://gw.test/scans/7", AT)
URGENT = Note("n/2", "Disk almost full", "New scans will be refused.", "", AT, urgent=True)
SECRET = "whsec_" + "A" * 32


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with mailbox() as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookSink]:
    async with webhook_sink() as sink:
        yield sink


@pytest.fixture
async def ntfy() -> AsyncIterator[NtfySink]:
    async with ntfy_sink(token="tk_right") as sink:
        yield sink


def mail_values(port: int, **more: str) -> dict[str, str]:
    base = {"host": "127.0.0.1", "port": str(port), "security": "none"}
    return base | {"sender": "scanner@example.org", "recipient": "anna@example.org"} | more


def by_mail(box: Mailbox) -> Pusher:
    return build("mail", mail_values(box.port), {}, LOCAL)


def by_webhook(receiver: WebhookSink, secret: str | None = None) -> Pusher:
    return build("webhook", {"url": receiver.url}, {"secret": secret or receiver.secret}, LOCAL)


def by_ntfy(ntfy: NtfySink, token: str = "tk_right") -> Pusher:
    return build("ntfy", {"url": f"{ntfy.url}anna-scans"}, {"token": token} if token else {}, LOCAL)


async def test_a_mail_says_title_text_page_and_time(box: Mailbox) -> None:
    await by_mail(box).push(NOTE)
    message = box.last
    assert message["Subject"] == NOTE.title
    assert message["Date"].datetime == AT
    assert message["Importance"] is None
    assert message.get_content().splitlines() == [*NOTE.text.splitlines(), "", NOTE.url]
    assert not message.is_multipart()


async def test_an_urgent_mail_is_marked(box: Mailbox) -> None:
    await by_mail(box).push(URGENT)
    assert box.last["Importance"] == "high"


async def test_a_second_mail_of_the_same_notice_has_the_same_message_id(box: Mailbox) -> None:
    pusher = by_mail(box)
    for note in (NOTE, NOTE, URGENT):
        await pusher.push(note)
    assert box.messages[0] == box.messages[1]
    assert box.messages[1] != box.messages[2]


@pytest.mark.parametrize("text", [".\n.\nQUIT", "\r\n.\r\nMAIL FROM:<eve@evil.example>\r\n", "bare\rreturn", "é" * 900])
async def test_no_text_ends_the_message_or_becomes_a_command(box: Mailbox, text: str) -> None:
    await by_mail(box).push(Note("k", "t\r\nBcc: eve@evil.example", text, "", AT))
    assert [v.split()[0] for v in box.verbs] == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]
    assert box.last["Bcc"] is None
    assert box.last.get_content().split() == text.split()


async def test_a_title_that_looks_encoded_is_read_in_a_mail_as_it_is(box: Mailbox) -> None:
    title = "=?utf-8?b?QQ0KQmNjOiBlQHgueQ0KDQpCb2R5?="  # "A", a Bcc and a body, with their line breaks
    await by_mail(box).push(Note("k", title, "text", "", AT))
    assert set(box.last.keys()).isdisjoint({"Bcc", "Cc"})
    assert box.last["Subject"] == title
    assert box.last.get_content().split() == ["text"]


async def test_a_mail_that_is_not_answered_is_uncertain(box: Mailbox) -> None:
    box.refuse["."] = ""
    with pytest.raises(ReplyLost):
        await by_mail(box).push(NOTE)


async def test_a_mail_login_goes_over_an_encrypted_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, pem = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    async with mailbox(starttls=context) as box:
        values = mail_values(box.port, security="starttls", username=USERNAME)
        await build("mail", values, {"password": PASSWORD}, LOCAL).push(NOTE)
        assert box.logins == [(USERNAME.encode(), PASSWORD.encode())]
        assert len(box.messages) == 1


async def test_a_mail_server_with_a_bad_certificate_learns_nothing(tmp_path: Path) -> None:
    context: ssl.SSLContext = certificate(tmp_path)[0]
    async with mailbox(tls=context) as box:
        values = mail_values(box.port, security="tls", username=USERNAME)
        with pytest.raises(Rejected, match="certificate"):
            await build("mail", values, {"password": PASSWORD}, LOCAL).push(NOTE)
        assert box.verbs == []


async def test_a_webhook_gets_signed_json(receiver: WebhookSink) -> None:
    await by_webhook(receiver).push(NOTE)
    (taken,) = receiver.taken.values()
    assert json.loads(taken.body) == {
        "type": "notice",
        "title": NOTE.title,
        "text": NOTE.text,
        "url": NOTE.url,
        "at": "2024-05-06T07:08:09+00:00",
        "urgent": False,
    }
    assert taken.media_type == "application/json"
    assert "webhook-payload" not in taken.headers


async def test_a_second_webhook_of_the_same_notice_has_the_same_id(receiver: WebhookSink) -> None:
    pusher = by_webhook(receiver)
    for note in (NOTE, NOTE, URGENT):
        await pusher.push(note)
    assert len(receiver.requests) == 3
    assert len(receiver.taken) == 2


async def test_a_webhook_with_another_secret_is_told_in_words(receiver: WebhookSink) -> None:
    with pytest.raises(Rejected, match="same secret"):
        await by_webhook(receiver, SECRET).push(NOTE)
    assert receiver.taken == {}


async def test_ntfy_shows_title_text_page_and_priority(ntfy: NtfySink) -> None:
    await by_ntfy(ntfy).push(NOTE)
    await by_ntfy(ntfy).push(URGENT)
    calm, urgent = ntfy.messages
    assert (calm.topic, calm.title, calm.text, calm.click) == ("anna-scans", NOTE.title, NOTE.text, NOTE.url)
    assert (calm.priority, calm.tags) == (3, ("page_facing_up",))
    assert (urgent.title, urgent.priority, urgent.tags, urgent.click) == (URGENT.title, 5, ("warning",), "")


async def test_a_proxy_that_writes_the_priority_of_http_does_not_change_that_of_the_notice(ntfy: NtfySink) -> None:
    await by_ntfy(ntfy).push(URGENT)
    assert "priority" not in ntfy.requests[0].headers


@pytest.mark.parametrize("title", ["x\r\nX-Priority: min", "=?UTF-8?B?ZXZpbA==?=", "\u2028line", "é" * 300])
async def test_a_title_stays_one_header_and_reads_as_it_was(ntfy: NtfySink, title: str) -> None:
    await by_ntfy(ntfy).push(Note("k", title, "t", "", AT, urgent=True))
    (message,) = ntfy.messages
    assert message.priority == 5
    assert message.title == "".join(c if c.isprintable() else " " for c in title[:200]).strip()


async def test_a_long_text_is_cut_between_characters_before_ntfy_makes_a_file_of_it(ntfy: NtfySink) -> None:
    await by_ntfy(ntfy).push(Note("k", "t", "x" + "領" * 3000, "", AT))
    (message,) = ntfy.messages
    assert not message.attached
    assert message.text == "x" + "領" * 1333


@pytest.mark.parametrize("token", ["tk_wrong", ""])
async def test_a_protected_topic_without_the_right_token_is_told_in_words(ntfy: NtfySink, token: str) -> None:
    with pytest.raises(Rejected, match="access token"):
        await by_ntfy(ntfy, token).push(NOTE)
    assert ntfy.messages == []


async def test_an_open_topic_needs_no_token() -> None:
    async with ntfy_sink() as ntfy:
        await by_ntfy(ntfy, "").push(NOTE)
        assert len(ntfy.messages) == 1
        assert "authorization" not in ntfy.requests[0].headers


@pytest.mark.parametrize(
    ("status", "error"), [(301, Rejected), (413, Rejected), (429, Unavailable), (500, Unavailable)]
)
async def test_a_refusal_is_told_by_its_status(
    receiver: WebhookSink, ntfy: NtfySink, status: int, error: type[DestinationError]
) -> None:
    for sink, pusher in ((receiver, by_webhook(receiver)), (ntfy, by_ntfy(ntfy))):
        sink.misbehave(Fault("POST", Trouble.STATUS, status))
        with pytest.raises(error, match=str(status)):
            await pusher.push(NOTE)
    assert (receiver.taken, ntfy.messages) == ({}, [])


async def test_a_lost_connection_is_told(receiver: WebhookSink, ntfy: NtfySink) -> None:
    for sink, pusher in ((receiver, by_webhook(receiver)), (ntfy, by_ntfy(ntfy))):
        sink.misbehave(Fault("POST", Trouble.DROP))
        with pytest.raises(Unavailable, match="connection"):
            await pusher.push(NOTE)


async def test_an_address_inside_is_refused_when_saved_and_when_used(
    box: Mailbox, receiver: WebhookSink, ntfy: NtfySink
) -> None:
    rows: list[tuple[str, str, Values, Values]] = [
        ("mail", "host", mail_values(box.port), {}),
        ("webhook", "url", {"url": receiver.url}, {"secret": SECRET}),
        ("ntfy", "url", {"url": f"{ntfy.url}topic"}, {}),
    ]
    for channel, named, config, secrets in rows:
        with pytest.raises(Rejected, match=f"^{named}: .*allow ="):
            await check(channel, config, secrets, NOWHERE)
        with pytest.raises(Rejected, match="allow ="):
            await build(channel, config, secrets, NOWHERE).push(NOTE)
        await check(channel, config, secrets, LOCAL)
    assert (box.connections, receiver.requests, ntfy.requests) == (0, [], [])


MAIL = mail_values(465, host="93.184.216.34", security="tls")


@pytest.mark.parametrize(
    ("channel", "config", "secrets", "named"),
    [
        ("pigeon", {}, {}, "channel"),
        ("mail", MAIL | {"host": ""}, {}, "host"),
        ("mail", MAIL | {"host": "93.184.216.34:465"}, {}, "host"),
        ("mail", MAIL | {"host": "smtp example"}, {}, "host"),
        ("mail", MAIL | {"port": "0"}, {}, "port"),
        ("mail", MAIL | {"port": "70000"}, {}, "port"),
        ("mail", MAIL | {"port": "²"}, {}, "port"),
        ("mail", MAIL | {"security": "ssl"}, {}, "security"),
        ("mail", MAIL | {"security": "none"}, {}, "host"),
        ("mail", MAIL | {"security": "none", "username": "u"}, {"password": "p"}, "security"),
        ("mail", MAIL | {"username": "u"}, {}, "password"),
        ("mail", MAIL, {"password": "p"}, "username"),
        ("mail", MAIL | {"sender": "Anna <anna@example.org>"}, {}, "sender"),
        ("mail", MAIL | {"recipient": "a@example.org, b@example.org"}, {}, "recipient"),
        ("mail", MAIL | {"size_limit_mb": "5"}, {}, "size_limit_mb"),
        ("webhook", {"url": "https://93.184.216.34/"}, {"secret": "weak"}, "secret"),
        ("webhook", {"url": "http://93.184.216.34/"}, {"secret": SECRET}, "url"),
        ("webhook", {"url": "ftp://93.184.216.34/"}, {"secret": SECRET}, "url"),
        ("ntfy", {"url": "https://93.184.216.34/"}, {}, "url"),
        ("ntfy", {"url": "https://93.184.216.34/two words"}, {}, "url"),
        ("ntfy", {"url": "https://93.184.216.34/topic"}, {"token": "tk one"}, "token"),
    ],
)
async def test_a_refusal_names_the_field(
    channel: str, config: dict[str, str], secrets: dict[str, str], named: str
) -> None:
    with pytest.raises(Rejected, match=f"^{named}: "):
        await check(channel, config, secrets, NOWHERE)


def test_every_channel_explains_its_fields() -> None:
    for channel in CHANNELS.values():
        assert channel.label
        assert all(f.name and f.label and f.help for f in channel.fields)
