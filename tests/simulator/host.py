"""A host that speaks raw transactions through pyusb, with bytes from the protocol description."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import usb.core
import usb.util

from simulator import Simulation

Result = TypeVar("Result")

GOOD, CHECK = 0x00, 0x02
TIMEOUT_MS = 5000

# The published JPEG window: 100 dpi, 840 x 1096 pixels, colour, both sides.
_SIDE = (
    "{id} 00 0064 0064 00000000 00000000 00002760 00003360 00 00 00 05 08 00 00 00 0000 81 00 000000000000"
    " c1 80 01 00 00 00 00 00 0000000000 {paper} 00 00"
)
WINDOW = bytes.fromhex(
    "0000000000000040"
    + _SIDE.format(id="00", paper="c0 000027af 0000337f")
    + _SIDE.format(id="80", paper="00 00000000 00000000")
)
LUT = bytes.fromhex("00001000010001000000") + bytes(range(256))
LUMA = bytes.fromhex(
    "0403030403030404030405050405070c07070606070e0a0b080c110f1212110f"
    "101013151b1713141a1410101820181a1c1d1e1f1e12172124211e241b1e1e1d"
)
CHROMA = bytes.fromhex("0505050706070e07070e1d131013") + bytes([0x1D]) * 50
Q_TABLE = bytes.fromhex("00000000004000400000") + LUMA + CHROMA
BLOCK = 0xFFEE


@dataclass(frozen=True)
class Answer:
    status: int
    data: bytes
    sense: bytes = b""

    @property
    def code(self) -> tuple[int, int, int]:
        return self.sense[2] & 0x0F, self.sense[12], self.sense[13]


@dataclass
class Host:
    device: Any

    def plain(self, cdb: str, out: bytes = b"", asked: int = 0) -> tuple[int, bytes]:
        envelope = b"C" + bytes(18) + bytes.fromhex(cdb)
        self.device.write(0x02, envelope.ljust(31, b"\0"), TIMEOUT_MS)
        if out:
            self.device.write(0x02, out, TIMEOUT_MS)
        data = bytes(self.device.read(0x81, asked, TIMEOUT_MS)) if asked else b""
        frame = bytes(self.device.read(0x81, 13, TIMEOUT_MS))
        assert len(frame) == 13
        assert frame[0] == 0x53
        return frame[9], data

    def ask(self, cdb: str, out: bytes = b"", asked: int = 0) -> Answer:
        status, data = self.plain(cdb, out, asked)
        if status != CHECK:
            return Answer(status, data)
        asked_again, sense = self.plain("03 00 00 00 12 00", asked=18)
        assert asked_again == GOOD
        return Answer(status, data, sense)

    def good(self, cdb: str, out: bytes = b"", asked: int = 0) -> bytes:
        answer = self.ask(cdb, out, asked)
        assert answer.status == GOOD, answer
        return answer.data

    def begin(self, window: bytes = WINDOW) -> None:
        """Everything before the first sheet, in the order of a captured iX500 batch."""
        pre_read = b"SET PRE READMODE" + bytes.fromhex("00640064 000027af 0000337f 05 000000")
        self.good("1d 00 00 00 20 00", pre_read)
        for page in ("3c06 000000000000", "3806 000000000000", "3706 000000000000", "3a06 c0c000000000"):
            self.good("15 10 00 00 0c 00", bytes.fromhex("00000000" + page))
        self.good("15 10 00 00 0e 00", bytes.fromhex("00000000 3908 0000000000000000"))
        self.good(f"24 00 00 00 00 00 00 00 {len(window):02x} 00", window)
        self.good("2a 00 83 00 00 00 00 01 0a 00", LUT)
        self.good("2a 00 88 00 00 00 00 00 8a 00", Q_TABLE)
        self.good("f1 05 00 00 00 00 00 00 00 00")

    def feed(self) -> Answer:
        return self.ask("31 01 00 00 00 00 00 00 00 00")

    def scan(self, sides: str = "00 80") -> Answer:
        ids = bytes.fromhex(sides)
        return self.ask(f"1b 00 00 00 {len(ids):02x} 00", ids)

    def image_ready(self, side: int, length: int = BLOCK) -> Answer:
        return self.ask(f"f1 10 {side:02x} 00 00 00 {length:06x} 00")

    def read(self, side: int, length: int = BLOCK) -> Answer:
        return self.ask(f"28 00 00 00 00 {side:02x} {length:06x} 00", asked=length)

    def side(self, side: int, length: int = BLOCK) -> bytes:
        """Read a side to its end, as the residual of the last block says."""
        image = b""
        while True:
            answer = self.read(side, length)
            image += answer.data
            if answer.status == CHECK:
                assert answer.code == (0, 0, 0), answer.sense.hex(" ")
                assert answer.sense[2] & 0x40, "end of medium"
                assert int.from_bytes(answer.sense[3:7], "big") == length - len(answer.data)
                return image

    def cancel(self) -> None:
        self.good("f1 04 00 00 00 00 00 00 00 00")

    def close(self) -> None:
        usb.util.dispose_resources(self.device)


def open_host(backend: Any, product_id: int = 0x132B) -> Host:
    """Find the unit through pyusb and open it."""
    device = usb.core.find(backend=backend, idVendor=0x04C5, idProduct=product_id)
    assert device is not None
    assert device.get_active_configuration().bConfigurationValue == 1
    return Host(device)


class Talk(Protocol):
    """Run a function with the host in a thread, as programs that use pyusb do."""

    async def __call__(self, function: Callable[[Host], Result], /) -> Result: ...


class TalkTo(Protocol):
    """Return what runs functions with one host of a simulation."""

    def __call__(self, simulation: Simulation, product_id: int = ..., /) -> Talk: ...
