"""The dialogue of a batch over Wi-Fi, driven by a list of replies: what is sent, and what every answer leads to."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import flow as flows
from drivers.errors import Busy, DriverError, MisuseError, PaperError, PaperFault, PeerError, Refused, Unreachable
from drivers.port import Profile, Status
from drivers.scsi.flow import Dialogue, Result
from drivers.scsi.wire import Command, Reply, ScsiStatus, Sense, WindowId
from drivers.vens import dialects, flow
from drivers.vens.batch import plan
from drivers.vens.wire import DeviceInfo
from tests.drivers.vectors import VENS, vector

INFO = DeviceInfo.decode(vector("device-info-ix500", folder=VENS))
BATCH = plan(dialects.of(INFO), Profile(resolution_dpi=200))
SMALL = replace(BATCH, block_bytes=100)
GOOD = Reply(ScsiStatus.GOOD)
BUSY = Reply(ScsiStatus.BUSY)
JOB = Reply(ScsiStatus.GOOD, bytes(8))
FRONT, BACK = WindowId.FRONT, WindowId.BACK


def hardware(paper: int = 0, button: int = 0) -> Reply:
    return Reply(ScsiStatus.GOOD, bytes((0, 0, 0, paper, button)).ljust(32, b"\0"))


def failed(key: int, asc: int = 0, ascq: int = 0, data: bytes = b"", *, eom: bool = False, ili: bool = False) -> Reply:
    return Reply(ScsiStatus.CHECK, data, Sense(key, asc, ascq, eom, ili, 0, None))


EMPTY = failed(3, 0x80, 0x03)
NO_DATA = failed(3, 0x80, 0x13)


def play(dialogue: Dialogue[Result], replies: Sequence[Reply | Exception]) -> tuple[Result, list[Command], float]:
    """Return the result, the commands that were sent, and the seconds that were waited."""
    rest = list(replies)
    sent: list[Command] = []
    waited: list[float] = []

    def exchange(command: Command) -> Reply:
        sent.append(command)
        reply = rest.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    result = flows.run(dialogue, exchange, sleep=waited.append)
    assert not rest
    return result, sent, sum(waited)


def names(*commands: str) -> list[bytes]:
    return [vector(f"cdb-{name}", folder=VENS) for name in commands]


def cdbs(sent: Sequence[Command]) -> list[bytes]:
    return [command.cdb for command in sent]


# --- asking


def test_identify_is_one_inquiry() -> None:
    inquiry, sent, _ = play(flow.identify(), [Reply(ScsiStatus.GOOD, vector("inquiry-ix500"))])
    assert inquiry.product == "ScanSnap iX500"
    assert cdbs(sent) == names("inquiry")


def test_who_is_no_fujitsu_is_refused() -> None:
    data = vector("inquiry-ix500").replace(b"FUJITSU", b"EPSON  ")
    with pytest.raises(Refused):
        play(flow.identify(), [Reply(ScsiStatus.GOOD, data)])


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (hardware(), Status(paper=True, button=False, cover_open=False)),
        (hardware(0x80), Status(paper=False, button=False, cover_open=False)),
        (hardware(0x20), Status(paper=True, button=False, cover_open=True)),
        (hardware(0xA0, 0x01), Status(paper=False, button=True, cover_open=True)),
        (hardware(0x5F, 0xDE), Status(paper=True, button=False, cover_open=False)),
    ],
)
def test_status_is_hopper_cover_and_button(reply: Reply, expected: Status) -> None:
    found, sent, _ = play(flow.status(), [reply])
    assert found == expected
    assert cdbs(sent) == names("hardware-status")


def test_the_bit_at_the_top_of_the_path_is_no_jam() -> None:
    reply = Reply(ScsiStatus.GOOD, b"\0\0\x80".ljust(32, b"\0"))
    assert play(flow.status(), [reply])[0] == Status(paper=True, button=False, cover_open=False)


@pytest.mark.parametrize("octets", range(5))
def test_a_status_that_is_cut_off_is_the_peers_fault(octets: int) -> None:
    with pytest.raises(PeerError):
        play(flow.status(), [Reply(ScsiStatus.GOOD, bytes(octets))])


# --- begin


def test_a_batch_begins_as_the_app_begins_it() -> None:
    _, sent, waited_s = play(flow.begin(BATCH), [GOOD, GOOD, JOB, hardware()])
    assert cdbs(sent) == names("cancel", "parameters", "start-job", "hardware-status")
    assert [command.data_out for command in sent] == [b"", BATCH.parameters, bytes(8), b""]
    assert [command.data_in_length for command in sent] == [0, 0, 8, 32]
    assert waited_s == 0


@pytest.mark.parametrize(
    ("paper", "kind"), [(0x80, PaperFault.EMPTY), (0x20, PaperFault.COVER_OPEN), (0xA0, PaperFault.COVER_OPEN)]
)
def test_what_the_unit_says_beforehand_stops_the_batch(paper: int, kind: PaperFault) -> None:
    with pytest.raises(PaperError) as caught:
        play(flow.begin(BATCH), [GOOD, GOOD, JOB, hardware(paper)])
    assert caught.value.kind is kind


def test_rejected_parameters_are_our_fault_and_nothing_is_started() -> None:
    with pytest.raises(MisuseError):
        play(flow.begin(BATCH), [GOOD, failed(5, 0x26)])


# --- feed


def test_the_first_sheet_is_fed_at_once_and_the_next_after_a_status() -> None:
    fed, sent, _ = play(flow.feed(first=True), [GOOD])
    assert (fed, cdbs(sent)) == (True, names("feed"))
    fed, sent, _ = play(flow.feed(first=False), [hardware(), GOOD])
    assert (fed, cdbs(sent)) == (True, names("hardware-status", "feed"))


def test_a_hopper_that_is_empty_now_is_the_end_of_the_batch() -> None:
    assert play(flow.feed(first=False), [hardware(0x80), EMPTY])[0] is False


@pytest.mark.parametrize(
    ("ascq", "kind"),
    [(0x01, PaperFault.JAM), (0x02, PaperFault.COVER_OPEN), (0x07, PaperFault.DOUBLE_FEED)],
)
def test_trouble_with_the_paper_is_told_while_feeding(ascq: int, kind: PaperFault) -> None:
    with pytest.raises(PaperError) as caught:
        play(flow.feed(first=True), [failed(3, 0x80, ascq)])
    assert caught.value.kind is kind


def test_a_unit_held_by_its_usb_side_is_refused() -> None:
    with pytest.raises(Refused):
        play(flow.feed(first=True), [failed(3, 0x80, 0x33)])


def test_feeding_waits_for_a_busy_unit_but_not_for_ever() -> None:
    fed, sent, waited_s = play(flow.feed(first=True), [BUSY, BUSY, GOOD])
    assert (fed, len(sent)) == (True, 3)
    assert waited_s > 0
    with pytest.raises(Busy):
        play(flow.feed(first=True), [BUSY] * 301)


# --- read


def read(*replies: Reply) -> tuple[tuple[bytes, bool], list[Command], float]:
    return play(flow.read_block(SMALL, FRONT, 0, 0), replies)


def test_a_read_names_side_page_and_block() -> None:
    _, sent, _ = play(flow.read_block(BATCH, BACK, 1, 2), [Reply(ScsiStatus.GOOD, b"x")])
    assert cdbs(sent) == [vector("read-back-block-2", folder=VENS)[0x30:0x3C]]
    assert sent[0].data_in_length == 0x40000


def test_page_and_block_numbers_wrap_at_256() -> None:
    _, sent, _ = play(flow.read_block(BATCH, FRONT, 256 + 7, 512 + 9), [Reply(ScsiStatus.GOOD, b"x")])
    assert sent[0].cdb[10:] == bytes((7, 9))


def test_a_good_block_is_not_the_last() -> None:
    assert read(Reply(ScsiStatus.GOOD, bytes(100)))[0] == (bytes(100), False)


@pytest.mark.parametrize(("eom", "ili"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("data", [b"", bytes(30), bytes(100)])
def test_end_of_page_is_told_by_either_flag_and_may_carry_data(data: bytes, eom: bool, ili: bool) -> None:
    assert read(failed(0, data=data, eom=eom, ili=ili))[0] == (data, True)


def test_the_published_sense_is_an_end_of_page() -> None:
    sense = Sense.decode(vector("sense-end-of-image", folder=VENS))
    assert read(Reply(ScsiStatus.CHECK, bytes(30), sense))[0] == (bytes(30), True)


def test_no_sense_without_a_flag_is_not_the_end() -> None:
    assert read(failed(0, data=bytes(30)))[0] == (bytes(30), False)


def test_a_busy_unit_is_asked_for_the_same_block_after_a_tenth_of_a_second() -> None:
    found, sent, waited_s = read(BUSY, NO_DATA, Reply(ScsiStatus.GOOD, bytes(9)))
    assert found == (bytes(9), False)
    assert len(set(cdbs(sent))) == 1
    assert waited_s == pytest.approx(0.2)


def test_a_unit_that_stays_busy_is_given_up_after_a_minute() -> None:
    with pytest.raises(Busy):
        read(*[NO_DATA] * 700)


@pytest.mark.parametrize("reply", [Reply(ScsiStatus.GOOD, bytes(101)), failed(0, data=bytes(101), eom=True)])
def test_more_than_was_asked_for_is_the_peers_fault(reply: Reply) -> None:
    with pytest.raises(PeerError):
        read(reply)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ((3, 0x80, 0x01), PaperError),
        ((3, 0x80, 0x07), PaperError),
        ((4, 0x80, 0x06), Refused),
        ((0xB, 0x80, 0x01), PeerError),
        ((9, 0x99, 0x99), PeerError),
    ],
)
def test_any_other_sense_breaks_the_page(code: tuple[int, int, int], error: type[DriverError]) -> None:
    with pytest.raises(error):
        read(failed(*code, data=bytes(20)))


def test_a_failure_without_sense_is_the_peers_fault() -> None:
    with pytest.raises(PeerError):
        read(Reply(ScsiStatus.CHECK, bytes(20)))


# --- end


def test_the_job_is_ended_with_d6() -> None:
    assert cdbs(play(flow.end(), [GOOD])[1]) == names("end-job")


def test_breaking_off_drops_the_page_and_ends_the_job() -> None:
    assert cdbs(play(flow.break_off(), [GOOD, GOOD])[1]) == names("cancel", "end-job")


@pytest.mark.parametrize("answer", [failed(5, 0x20), failed(4, 0x80, 0x05), PeerError("x"), Unreachable("x")])
def test_the_job_is_ended_although_the_page_could_not_be_dropped(answer: Reply | Exception) -> None:
    with pytest.raises(DriverError):
        play(flow.break_off(), [answer, GOOD])
    sent: list[bytes] = []

    def exchange(command: Command) -> Reply:
        sent.append(command.cdb)
        if len(sent) > 1:
            return GOOD
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(DriverError):
        flows.run(flow.break_off(), exchange, sleep=lambda _: None)
    assert sent == names("cancel", "end-job")


# --- rubbish

REPLIES = st.builds(
    Reply,
    status=st.sampled_from(ScsiStatus),
    data=st.binary(max_size=120),
    sense=st.none() | st.binary(min_size=18, max_size=18).map(Sense.decode),
)


@given(replies=st.lists(REPLIES, max_size=12))
def test_whatever_a_unit_answers_ends_in_a_result_or_a_driver_error(replies: list[Reply]) -> None:
    dialogues: tuple[Dialogue[object], ...] = (
        flow.identify(),
        flow.status(),
        flow.begin(BATCH),
        flow.feed(first=False),
        flow.read_block(SMALL, BACK, 0, 0),
        flow.break_off(),
    )
    for dialogue in dialogues:
        rest = iter(replies)

        def exchange(_: Command, rest: object = rest) -> Reply:
            reply: Reply | None = next(rest, None)  # type: ignore[call-overload]
            if reply is None:
                raise Unreachable("silent")
            return reply

        with suppress(DriverError):
            flows.run(dialogue, exchange, sleep=lambda _: None)
