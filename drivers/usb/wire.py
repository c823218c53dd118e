"""The USB envelope around a CDB and the status frame after it. Bytes only.

A transaction is: envelope out, [data out], [data in], status in. Nothing numbers it, so there is one at a time.
Sources: SANE fujitsu 1.2.1, scan2drive's captures.
"""

from drivers.errors import MisuseError, PeerError
from drivers.octets import Reader
from drivers.scsi.wire import ScsiStatus

ENVELOPE_LENGTH = 31
STATUS_LENGTH = 13
_CDB_AT = 0x13
_STATUS_AT = 0x09
_KNOWN = {0x00: ScsiStatus.GOOD, 0x08: ScsiStatus.BUSY}  # SANE asks for sense after anything else


def envelope(cdb: bytes) -> bytes:
    """Wrap a CDB of 6, 10 or 12 bytes into 31.

    43 00*18 | 12 00 00 00 60 00 | 00*6
    """
    if not 6 <= len(cdb) <= ENVELOPE_LENGTH - _CDB_AT:
        raise MisuseError(f"a CDB of {len(cdb)} bytes")
    return (b"\x43" + bytes(_CDB_AT - 1) + cdb).ljust(ENVELOPE_LENGTH, b"\0")


def decode_status(frame: bytes) -> ScsiStatus:
    """Read the 13 bytes after a command; PeerError if they are none.

    53 00 00 00 00 00 00 00 00 02 00 00 00   check condition
                               9
    """
    if len(frame) != STATUS_LENGTH or frame[0] != 0x53:
        raise PeerError(f"No status frame but {len(frame)} bytes: {frame[:STATUS_LENGTH].hex(' ')}")
    return _KNOWN.get(Reader(frame, "status").seek(_STATUS_AT).u8(), ScsiStatus.CHECK)


def early_status(data: bytes, asked: int) -> ScsiStatus | None:
    """Recognise a status frame in the place of data: some firmware skips the data-in phase of a failed command.

    None if it is data. All 13 bytes must fit, as 13 bytes of image may begin with 53, too.
    """
    if asked <= STATUS_LENGTH or len(data) != STATUS_LENGTH or data[0] != 0x53:
        return None
    if any(data[1:_STATUS_AT]) or any(data[_STATUS_AT + 1 :]) or data[_STATUS_AT] not in set(ScsiStatus):
        return None
    return decode_status(data)
