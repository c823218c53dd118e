"""What an agent's values say of the device, and the bytes of questions and answers."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import PeerError
from drivers.snmp import wire
from drivers.snmp.messages import MOST_BYTES, answer, get, get_bulk
from drivers.snmp.wire import Identification, Oid, Value, identification, mac, make, printable
from tests.drivers import fake_snmp
from tests.drivers.fake_snmp import Question, snmp_vector

VALUE = st.one_of(st.binary(max_size=300), st.integers(), st.lists(st.integers(0, 2**32 - 1), max_size=12).map(tuple))


def test_the_published_question_is_written_byte_for_byte() -> None:
    assert get(1, "public", [wire.SYS_DESCR, wire.SYS_OBJECT_ID]) == snmp_vector("get-system")


def test_the_published_answer_is_read() -> None:
    read = answer(snmp_vector("response-fi-7300nx"), "public")
    assert (read.request_id, read.refused) == (1, 0)
    assert read.values == {
        wire.SYS_DESCR: b"FUJITSU fi-7300NX",
        wire.SYS_OBJECT_ID: (1, 3, 6, 1, 4, 1, 211, 1),
    }
    told = identification(read.values, {}, {})
    assert told == Identification(make="Fujitsu", model="FUJITSU fi-7300NX", description="FUJITSU fi-7300NX")


def test_what_there_is_not_has_no_value_and_the_end_takes_none_away() -> None:
    rows = fake_snmp.row(wire.SYS_DESCR, fake_snmp.NO_SUCH_OBJECT) + fake_snmp.row(wire.SYS_NAME, fake_snmp.datum("me"))
    rows += fake_snmp.row(wire.SYS_NAME, fake_snmp.END_OF_MIB) + fake_snmp.row(wire.SYS_OBJECT_ID, b"\5\0")
    assert answer(fake_snmp.response(b"\2\1\1", rows), "public").values == {wire.SYS_NAME: b"me"}


def test_a_refusal_has_no_values() -> None:
    rows = fake_snmp.row(wire.SYS_DESCR, fake_snmp.datum("me"))
    read = answer(fake_snmp.response(b"\2\1\1", rows, error=2), "public")
    assert (read.refused, read.values) == (2, {})


def test_a_bulk_question_says_how_many_rows_after_what() -> None:
    question = Question(get_bulk(2**31 - 1, "public", wire.IF_TYPE, 16))
    assert (question.kind, question.most, question.oids) == (fake_snmp.GET_BULK, 16, [wire.IF_TYPE])


def test_the_name_of_the_device_goes_before_the_text_of_the_system() -> None:
    values: dict[Oid, Value] = {wire.SYS_DESCR: b"Linux 5.4", wire.HR_DEVICE_DESCR: b"RICOH MP C3003"}
    assert identification(values, {}, {}).model == "RICOH MP C3003"
    assert identification(values | {wire.HR_DEVICE_DESCR: b" \0"}, {}, {}).model == "Linux 5.4"


@pytest.mark.parametrize(
    ("object_id", "expected"),
    [
        ((1, 3, 6, 1, 4, 1, 211, 1, 2), "Fujitsu"),
        ((1, 3, 6, 1, 4, 1, 367, 1, 1), "Ricoh"),
        ((1, 3, 6, 1, 4, 1, 18886), "PFU"),
        ((1, 3, 6, 1, 4, 1, 8072, 3, 2, 10), ""),  # Net-SNMP: the program, not the device
        ((1, 3, 6, 1, 4, 1), ""),
        ((1, 3, 6, 1, 2, 1, 211), ""),
        (b"1.3.6.1.4.1.211", ""),
        (None, ""),
    ],
)
def test_the_enterprise_number_names_the_maker(object_id: Value | None, expected: str) -> None:
    assert make(object_id) == expected


def test_the_address_is_that_of_the_first_network_card_that_has_one() -> None:
    kinds: list[Value] = [24, 6, 6, 71, 6]
    addresses: list[Value] = [bytes(range(6)), bytes(6), b"\1\2\3", b"\x84\x25\x3f\1\2\3", b"\x00\x80\x92\1\2\3"]
    types = {(*wire.IF_TYPE, number): kind for number, kind in enumerate(kinds)}
    macs = {(*wire.IF_PHYS_ADDRESS, number): address for number, address in enumerate(addresses)}
    assert mac(types, macs) == "84:25:3f:01:02:03"
    assert mac({}, macs) == mac(types, {}) == ""


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"  two\r\nlines\0\0", "two lines"),
        (b"\x1b[31mred", "[31mred"),
        ("over\u202eride \u200b".encode(), "over ride"),
        ("Ger\u00e4t".encode(), "Ger\u00e4t"),
        ("Ger\u00e4t".encode("latin-1"), "Ger t"),
        (7, ""),
    ],
)
def test_text_from_the_network_is_one_printable_line(raw: Value, expected: str) -> None:
    assert printable(raw, 60) == expected


@given(st.dictionaries(st.sampled_from(wire.SYSTEM + wire.FURTHER), VALUE), VALUE, VALUE)
@settings(max_examples=100)
def test_whatever_is_said_is_printable_and_bounded(values: dict[Oid, Value], kind: Value, address: Value) -> None:
    told = identification(values, {(*wire.IF_TYPE, 1): kind}, {(*wire.IF_PHYS_ADDRESS, 1): address})
    for text, limit in (
        (told.make, 20),
        (told.model, 60),
        (told.serial, 40),
        (told.mac, 17),
        (told.name, 63),
        (told.description, 255),
    ):
        assert len(text) <= limit
        assert text.isprintable()


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_garbage_is_no_answer(data: bytes) -> None:
    with pytest.raises(PeerError):
        answer(data, "public")


@given(st.integers(0, 78), st.binary(max_size=6), st.integers(0, 6))
@settings(max_examples=400)
def test_a_damaged_answer_is_read_or_refused(at: int, put: bytes, cut: int) -> None:
    data = snmp_vector("response-fi-7300nx")
    with suppress(PeerError):
        answer(data[:at] + put + data[at + cut :], "public")


@pytest.mark.parametrize("length", [b"\x88" + b"\xaa" * 8, b"\x84\xff\xff\xff\xff", b"\xff"])
def test_a_length_beyond_all_bounds_is_refused(length: bytes) -> None:
    data = snmp_vector("response-fi-7300nx")
    for at in (1, 3, 6, 16):
        with pytest.raises(PeerError):
            answer(data[:at] + length + data[at + 1 :], "public")


def test_a_value_without_contents_is_read_or_refused() -> None:
    for tag in range(256):
        with suppress(PeerError):
            answer(fake_snmp.response(b"\2\1\1", fake_snmp.row(wire.SYS_DESCR, bytes((tag, 0)))), "public")


def test_an_answer_cut_anywhere_or_with_more_behind_it_is_none() -> None:
    data = snmp_vector("response-fi-7300nx")
    for wrong in [data[:end] for end in range(len(data))] + [data + b"\0", data + data]:
        with pytest.raises(PeerError):
            answer(wrong, "public")


def test_a_question_another_version_and_another_community_are_no_answers() -> None:
    data = snmp_vector("response-fi-7300nx")
    for wrong in (
        snmp_vector("get-system"),
        data.replace(b"\2\1\1\4\6", b"\2\1\0\4\6", 1),
        data.replace(b"pub", b"tub"),
    ):
        with pytest.raises(PeerError):
            answer(wrong, "public")


def test_a_huge_answer_is_not_decoded() -> None:
    with pytest.raises(PeerError, match="bytes"):
        answer(
            fake_snmp.response(b"\2\1\1", fake_snmp.row(wire.SYS_DESCR, fake_snmp.datum("x" * MOST_BYTES))), "public"
        )


@pytest.mark.parametrize("inner", [b"\x30\x80" * 500, b"\x30\x82\xff\xff" * 200, b"\x06\x82\x04\x00" + b"\xff" * 1024])
def test_deep_and_endless_elements_are_refused(inner: bytes) -> None:
    for data in (
        inner,
        fake_snmp.response(b"\2\1\1", inner),
        fake_snmp.response(b"\2\1\1", fake_snmp.tlv(0x30, inner)),
    ):
        with pytest.raises(PeerError):
            answer(data, "public")
