"""The simulator's codec held against the same pinned bytes as the drivers': no vector is left out."""

import pytest

from simulator.faults import FaultKind
from simulator.models import BY_NAME
from simulator.scsi import blocks, replies
from simulator.scsi.window import Composition, Compression, Window, parse_windows
from simulator.scsi.wire import Sense, Status, parse_envelope, status_frame
from tests.drivers.vectors import FUJITSU, vector
from tests.treaty.target import Bench, command

IX500 = BY_NAME["iX500"]

# name: opcode, bytes of data out, bytes of data in
COMMANDS: dict[str, tuple[int, int, int]] = {
    "inquiry": (0x12, 0, 0x60),
    "vpd": (0x12, 0, 0xCC),
    "send-device-id": (0x1D, 0x10, 0),
    "read-device-id": (0x1C, 0, 0x0A),
    "request-sense": (0x03, 0, 0x12),
    "pre-read": (0x1D, 0x20, 0),
    "mode-page": (0x15, 0x0C, 0),
    "mode-page-39": (0x15, 0x0E, 0),
    "set-window-duplex": (0x24, 0x88, 0),
    "lut-256": (0x2A, 0x10A, 0),
    "lut-1024": (0x2A, 0x40A, 0),
    "q-table": (0x2A, 0x8A, 0),
    "lamp-on": (0xF1, 0, 0),
    "hardware-status": (0xC2, 0, 0x0C),
    "feed": (0x31, 0, 0),
    "scan-duplex": (0x1B, 2, 0),
    "pixel-size-front": (0x28, 0, 0x20),
    "pixel-size-back": (0x28, 0, 0x20),
    "ric-front": (0xF1, 0, 0),
    "ric-back": (0xF1, 0, 0),
    "read-front": (0x28, 0, 0xFD0E),
    "read-back": (0x28, 0, 0xFD0E),
    "cancel": (0xF1, 0, 0),
}
ENVELOPES: dict[str, tuple[int, int]] = {"test-unit-ready": (0x00, 0), "inquiry": (0x12, 0x60)}
STATUSES = {"good": Status.GOOD, "check": Status.CHECK, "busy": Status.BUSY}
SENSES: dict[str, Sense] = {
    "no-data-yet": replies.NO_DATA,
    "hopper-empty": replies.TROUBLE[FaultKind.EMPTY],
    "bad-cdb": replies.BAD_CDB,
    "end-of-page": Sense(0, eom=True, ili=True, information=0x036A19),
    "last-front-block": Sense(0, eom=True, ili=True, information=11682),
    "eom-only": Sense(0, eom=True),
}
MODE_PAGES: dict[str, tuple[int, bytes]] = {
    "3c-off": (0x3C, bytes(6)),
    "3c-length": (0x3C, b"\x00\x80" + bytes(4)),
    "38-default": (0x38, bytes(6)),
    "39-none": (0x39, bytes(8)),
    "3a-off-clear": (0x3A, b"\x80\xc0" + bytes(4)),
    "3a-on-clear": (0x3A, b"\xc0\xc0" + bytes(4)),
    "38-stop": (0x38, b"\x90" + bytes(5)),
    "38-continue": (0x38, b"\xd0" + bytes(5)),
    "3c-overscan": (0x3C, bytes.fromhex("008000c00000")),
    "37-black": (0x37, b"\xb8" + bytes(5)),
    "33-on": (0x33, b"\xc0" + bytes(5)),
}


def window(id_: int, dpi: int, size: tuple[int, int], paper_width: int, compression: Compression) -> Window:
    """Return a colour window at the paper's corner, dot by dot in RGB, with a lookup table; lengths in 1/1200 inch."""
    return Window(
        id=id_,
        dpi=dpi,
        left=0,
        top=0,
        width=size[0],
        length=size[1],
        composition=Composition.COLOUR,
        compression=compression,
        quality=0,
        lut=True,
        planar=False,
        bgr=False,
        paper_width=paper_width,
    )


RAW, JPEG = (600, (0x26C0, 0x36D0)), (100, (0x2760, 0x3360))
WINDOWS: dict[str, tuple[Window, Window]] = {
    "ix500-600dpi-raw": (window(0x00, *RAW, 0x26C3, Compression.NONE), window(0x80, *RAW, 0, Compression.NONE)),
    "jpeg-100dpi": (window(0x00, *JPEG, 0x27AF, Compression.JPEG), window(0x80, *JPEG, 0, Compression.JPEG)),
}
PIXELS = {"ix500-600dpi-raw": (4960, 7016), "jpeg-100dpi": (840, 1096)}


# name: model, composition, pixels, and what else differs from the default
RAW_WINDOWS: dict[str, tuple[str, Composition, tuple[int, int], dict[str, object]]] = {
    "s1500-lineart-150dpi": ("S1500", Composition.LINEART, (1240, 1754), {"lut": True}),
    "s1500-gray-150dpi": ("S1500", Composition.GRAY, (1240, 1754), {"lut": True}),
    "s510m-bgr-150dpi": (
        "S510M",
        Composition.COLOUR,
        (1240, 1754),
        {"lut": True, "bgr": True, "brightness": 0x80, "contrast": 0x80},
    ),
    "ix1600-lineart-150dpi": ("iX1600", Composition.LINEART, (1272, 2100), {"lut": False}),
}


def test_every_vector_is_held_against_the_simulator() -> None:
    held = {
        *(f"cdb-{name}" for name in COMMANDS),
        *(f"envelope-{name}" for name in ENVELOPES),
        *(f"status-{name}" for name in STATUSES),
        *(f"sense-{name}" for name in SENSES),
        *(f"mode-{name}" for name in MODE_PAGES),
        *(f"window-{name}" for name in (*WINDOWS, *RAW_WINDOWS)),
        *(f"hardware-{name}" for name in ("s1500-idle", "s1500-button", "s1500-released", "s1500-paper")),
        *("hardware-ix500-paper", "inquiry-ix500", "vpd-ix500-start", "vpd-ix500", "pixel-size-ix500"),
        *("device-id-request", "device-id-700", "pre-read-ix500", "lut-256-header", "lut-1024-header", "q-table"),
    }
    assert held == {path.stem for path in FUJITSU.glob("*.hex")}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_phases_of_every_recorded_command_are_known(name: str) -> None:
    cdb = vector(f"cdb-{name}")
    found = command(cdb)
    assert (found.op, found.out_length, found.in_length) == COMMANDS[name]
    assert found.cdb == cdb
    assert found.violations == ()


@pytest.mark.parametrize("name", ENVELOPES)
def test_recorded_envelopes_are_understood(name: str) -> None:
    found = parse_envelope(vector(f"envelope-{name}"))
    assert (found.op, found.in_length, found.out_length, found.violations) == (*ENVELOPES[name], 0, ())


@pytest.mark.parametrize("name", STATUSES)
def test_status_frames(name: str) -> None:
    assert status_frame(STATUSES[name]) == vector(f"status-{name}")


@pytest.mark.parametrize("name", SENSES)
def test_sense(name: str) -> None:
    assert SENSES[name].encode() == vector(f"sense-{name}")


@pytest.mark.parametrize("name", MODE_PAGES)
def test_mode_pages(name: str) -> None:
    assert blocks.parse_mode_page(vector(f"mode-{name}")) == MODE_PAGES[name]


@pytest.mark.parametrize("name", WINDOWS)
def test_windows(name: str) -> None:
    found = parse_windows(vector(f"window-{name}"), IX500)
    assert found == WINDOWS[name]
    assert {(side.width_px, side.height_px) for side in found} == {PIXELS[name]}


@pytest.mark.parametrize("name", RAW_WINDOWS)
def test_raw_windows(name: str) -> None:
    model, composition, pixels, more = RAW_WINDOWS[name]
    found = parse_windows(vector(f"window-{name}"), BY_NAME[model])
    assert {(side.width_px, side.height_px) for side in found} == {pixels}
    assert {(side.composition, side.compression, side.dpi) for side in found} == {(composition, Compression.NONE, 150)}
    assert [{key: getattr(side, key) for key in more} for side in found] == [more] * len(found)


def test_blue_first_is_what_an_s510m_asks_for_and_red_first_is_refused() -> None:
    window = bytearray(vector("window-s510m-bgr-150dpi"))
    window[8 + 0x2B] = 0
    with pytest.raises(blocks.FieldError) as raised:
        parse_windows(bytes(window), BY_NAME["S510M"])
    assert (raised.value.at, raised.value.wrong) == (8 + 0x2B, False)


@pytest.mark.parametrize("entries", [256, 1024])
def test_the_tables_of_either_size_have_their_header(entries: int) -> None:
    table = bytes(n % 256 for n in range(entries))
    assert blocks.parse_lut(vector(f"lut-{entries}-header") + table) == table


def test_the_quantisation_tables_are_luma_then_chroma() -> None:
    luma, chroma = blocks.parse_q_table(vector("q-table"))
    assert luma[:6] == (4, 3, 3, 4, 3, 3)
    assert chroma[:6] == (5, 5, 5, 7, 6, 7)
    assert bytes((*luma, *chroma)) == vector("q-table")[10:]


def test_the_pixel_size_of_an_ix500() -> None:
    assert blocks.pixel_size(4960, 7016, paper=IX500.tells_paper) == vector("pixel-size-ix500")


async def test_an_ix500_says_what_the_captured_one_said() -> None:
    bench = Bench()
    assert (await bench.ask(vector("cdb-inquiry"))).data == vector("inquiry-ix500")
    vital = (await bench.ask(vector("cdb-vpd"))).data
    assert vital.startswith(vector("vpd-ix500-start"))
    assert vital == vector("vpd-ix500")
    await bench.ask(vector("cdb-send-device-id"), vector("device-id-request"))
    assert (await bench.ask(vector("cdb-read-device-id"))).data == vector("device-id-700")
    bench.scanner.load(1)
    assert (await bench.ask(vector("cdb-hardware-status"))).data == vector("hardware-ix500-paper")
    assert bench.scanner.errors == []


async def test_an_s1500_shows_its_button_as_the_captured_one() -> None:
    bench = Bench("S1500")

    async def status() -> bytes:
        return (await bench.ask(vector("cdb-hardware-status"))).data

    assert await status() == vector("hardware-s1500-idle")
    bench.scanner.press()
    assert await status() == vector("hardware-s1500-button")
    assert await status() == vector("hardware-s1500-released")
    bench.scanner.load(1)
    assert await status() == vector("hardware-s1500-paper")


async def test_the_settings_of_a_recorded_batch_are_taken() -> None:
    bench = Bench()
    steps = [
        ("pre-read", vector("pre-read-ix500")),
        *(("mode-page-39" if name.startswith("39") else "mode-page", vector(f"mode-{name}")) for name in MODE_PAGES),
        ("set-window-duplex", vector("window-ix500-600dpi-raw")),
        ("set-window-duplex", vector("window-jpeg-100dpi")),
        ("lut-256", vector("lut-256-header") + bytes(range(256))),
        ("q-table", vector("q-table")),
        ("lamp-on", b""),
    ]
    answers = [await bench.ask(vector(f"cdb-{name}"), data) for name, data in steps]
    assert {answer.status for answer in answers} == {Status.GOOD}
    assert bench.scanner.errors == []


async def test_a_feed_of_nothing_gives_the_captured_sense() -> None:
    bench = Bench()
    await bench.ask(vector("cdb-set-window-duplex"), vector("window-jpeg-100dpi"))
    assert (await bench.ask(vector("cdb-feed"))).status is Status.CHECK
    assert (await bench.ask(vector("cdb-request-sense"))).data == vector("sense-hopper-empty")
