"""The tables that some models must be sent before a batch: gamma and JPEG quantisation. Bytes only."""

from drivers.octets import u16

_LUT_OUTPUTS = 0x0100

_LUMA = bytes.fromhex(
    "04 03 03 04 03 03 04 04 03 04 05 05 04 05 07 0c 07 07 06 06 07 0e 0a 0b 08 0c 11 0f 12 12 11 0f"
    "10 10 13 15 1b 17 13 14 1a 14 10 10 18 20 18 1a 1c 1d 1e 1f 1e 12 17 21 24 21 1e 24 1b 1e 1e 1d"
)
_CHROMA = bytes.fromhex("05 05 05 07 06 07 0e 07 07 0e 1d 13 10 13") + b"\x1d" * 50


def lut(entries: int) -> bytes:
    """Write the neutral lookup table: 10-byte header and one byte per entry, as SANE sends it.

    00 00 10 00 01 00 01 00 00 00 + 00 00 01 02 .. fe   256 entries (iX500)
    00 00 10 00 04 00 01 00 00 00 + 00*6 01*4 .. ff ff  1024 entries (S1500)
    """
    header = b"\0\0\x10\0" + u16(entries) + u16(_LUT_OUTPUTS) + b"\0\0"
    return header + bytes(min(255, max(0, (512 * i - entries) // (2 * entries))) for i in range(entries))


def q_table() -> bytes:
    """Write SANE's quantisation tables in zig-zag order: 10-byte header, 64 luma, 64 chroma."""
    return bytes.fromhex("00 00 00 00 00 40 00 40 00 00") + _LUMA + _CHROMA
