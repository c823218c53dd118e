"""What an iX500 answers, as a function for FakeUnit: enough of it for a driver's batch, with paper and one button."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.drivers.fake_usb import CHECK, GOOD, Answer, sense
from tests.drivers.vectors import vector


def jpeg(
    width_px: int,
    height_px: int,
    byte_count: int = 400,
    restart_rows: int = 0,
    fill: bytes = b"\x5a",
    row_px: int | None = None,
) -> bytes:
    """Return bytes with the markers of a JPEG around entropy data that mean nothing."""
    frame = struct.pack(">BHHB", 8, height_px, width_px, 3) + bytes((1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1))
    head = b"\xff\xd8" + _segment(0xDB, bytes(65)) + _segment(0xC0, frame)
    if restart_rows:
        head += _segment(0xDD, struct.pack(">H", -(-(row_px or width_px) // 16)))
    head += _segment(0xDA, bytes(10))
    restarts = b"".join(fill + b"\xff" + bytes((0xD0 + row % 8,)) for row in range(max(0, restart_rows - 1)))
    body = restarts + b"\xff\x00" + fill
    return head + body.ljust(max(byte_count - len(head) - 2, len(body)), fill) + b"\xff\xd9"


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


@dataclass
class FakeIx500:
    """The unit's state. `sheets` holds (front, back) images; `faults` overrides the answer to an opcode once."""

    sheets: list[tuple[bytes, bytes]] = field(default_factory=list)
    serial: int = 700
    inquiry: bytes = field(default_factory=lambda: vector("inquiry-ix500"))
    vpd: bytes = field(default_factory=lambda: vector("vpd-ix500"))
    button: int = 0
    faults: dict[int, list[Answer]] = field(default_factory=dict)
    before: Callable[[bytes], None] = lambda cdb: None
    sense: bytes = b""
    sides: dict[int, bytes] = field(default_factory=dict)
    pixels: bytes = field(default_factory=lambda: vector("pixel-size-ix500"))
    reads: list[tuple[int, int]] = field(default_factory=list)

    def answer(self, cdb: bytes, payload: bytes) -> Answer:
        self.before(cdb)
        if self.faults.get(cdb[0]):
            return self.faults[cdb[0]].pop(0)
        match cdb[0]:
            case 0x03:
                return [self.sense, GOOD]
            case 0x12:
                return [(self.vpd if cdb[1] else self.inquiry)[: cdb[4]], GOOD]
            case 0x1C:
                return [self.serial.to_bytes(4, "big") + bytes(6), GOOD]
            case 0x28:
                return self._read(cdb)
            case 0x31:
                return self._feed()
            case 0xC2:
                paper = 0x00 if self.sheets else 0x80
                return [bytes((0, 0, 0, paper, self.button, 1, 0, 0, 0, 0, 0, 0)), GOOD]
        return [GOOD]

    def check(self, key: int, asc: int = 0, ascq: int = 0, flags: int = 0, information: int = 0) -> Answer:
        self.sense = sense(key, asc, ascq, flags, information)
        return [CHECK]

    def _feed(self) -> Answer:
        if not self.sheets:
            return self.check(3, 0x80, 0x03)
        front, back = self.sheets.pop(0)
        self.sides = {0x00: front, 0x80: back}
        return [GOOD]

    def _read(self, cdb: bytes) -> Answer:
        length = int.from_bytes(cdb[6:9], "big")
        if cdb[2] == 0x80:
            return [self.pixels, GOOD]
        self.reads.append((cdb[5], length))
        rest = self.sides[cdb[5]]
        data, self.sides[cdb[5]] = rest[:length], rest[length:]
        if len(data) == length:
            return [data, GOOD]
        return [data, *self.check(0, flags=0x60, information=length - len(data))]
