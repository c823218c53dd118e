"""Replies to PROPFIND are hostile input."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.destinations.propfind import BODY_LIMIT_BYTES, BadReply, Resource, parse


def reply(prop: str, status: str = "HTTP/1.1 200 OK") -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?><d:multistatus xmlns:d="DAV:"><d:response><d:href>/x</d:href>'
        f"<d:propstat><d:prop>{prop}</d:prop><d:status>{status}</d:status></d:propstat></d:response></d:multistatus>"
    ).encode()


def test_size_etag_and_kind_are_read() -> None:
    body = reply('<d:getcontentlength>123</d:getcontentlength><d:getetag>"abc"</d:getetag><d:resourcetype/>')
    assert parse(body) == Resource(123, '"abc"', is_collection=False)


def test_a_collection_is_told_apart() -> None:
    assert parse(reply("<d:resourcetype><d:collection/></d:resourcetype>")) == Resource(None, "", is_collection=True)


def test_properties_that_the_server_does_not_have_do_not_count() -> None:
    with pytest.raises(BadReply, match="no properties"):
        parse(reply("<d:getcontentlength>5</d:getcontentlength>", "HTTP/1.1 404 Not Found"))


@pytest.mark.parametrize("size", ["-1", "1e3", "0x10", "١٢", "9" * 19, "1 2"])
def test_a_size_that_is_no_number_is_refused(size: str) -> None:
    with pytest.raises(BadReply, match="size"):
        parse(reply(f"<d:getcontentlength>{size}</d:getcontentlength>"))


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]><x/>',
        b'<!doctype x [<!entity a "b">]><x/>',
        b"\xef\xbb\xbf<!DOCTYPE x><x/>",
        '<!DOCTYPE x [<!ENTITY a "b">]><x/>'.encode("utf-16"),
        '<!DOCTYPE x [<!ENTITY a "b">]><x/>'.encode("utf-16-le"),
        b'<?xml version="1.0" encoding="utf-7"?>+ADwAIQ-DOCTYPE x+AD4-',
        b"",
        b"<x/>",
        b"\x00",
        b"<d:multistatus xmlns:d='DAV:'/>",
        b"<d:multistatus xmlns:d='DAV:'>",
        b" " * (BODY_LIMIT_BYTES + 1),
    ],
)
def test_what_is_no_plain_multistatus_is_refused(body: bytes) -> None:
    with pytest.raises(BadReply):
        parse(body)


@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_resource_or_a_refusal(body: bytes) -> None:
    with contextlib.suppress(BadReply):
        parse(body)


@given(st.text(max_size=100), st.text(max_size=50))
def test_any_text_inside_a_reply_ends_in_a_resource_or_a_refusal(prop: str, status: str) -> None:
    with contextlib.suppress(BadReply, UnicodeEncodeError):
        parse(reply(prop, status))


@given(st.integers(0, 10**17), st.text('abc"-:<&>é', max_size=30))
def test_what_a_server_says_comes_out_as_it_was_said(size: int, etag: str) -> None:
    escaped = etag.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    body = reply(f"<d:getcontentlength>{size}</d:getcontentlength><d:getetag>{escaped}</d:getetag>")
    assert parse(body) == Resource(size, etag, is_collection=False)
