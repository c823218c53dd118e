"""What a JPEG says of itself in its markers (ITU-T T.81, annex B). Nothing is decoded here."""

_SOI = b"\xff\xd8"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0..15; C4, C8, CC are DHT, JPG, DAC
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM and RSTn stand without a length


class NotJpeg(Exception):
    """The bytes are not the beginning of a JPEG."""


def components(head: bytes) -> int | None:
    """Return the number of colour components (1: gray, 3: colour) from the first bytes of a JPEG.

    None: the frame header lies beyond `head`, ask again with more. NotJpeg if it cannot be one.
    """
    if not _SOI.startswith(head[:2]):
        raise NotJpeg("the page does not begin like a JPEG")
    at = 2
    while at + 4 <= len(head):
        if head[at] != 0xFF:
            raise NotJpeg(f"no marker where one is due, at byte {at}")
        marker = head[at + 1]
        if marker == 0xFF or marker in _BARE:  # fill byte, or a marker without a segment
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES:
            # FF C0 | length 2 | precision 1 | height 2 | width 2 | components 1
            return head[at + 9] if at + 10 <= len(head) else None
        if marker in (0xD9, 0xDA):
            raise NotJpeg("the picture begins or ends before its frame header")
        length = int.from_bytes(head[at + 2 : at + 4], "big")
        if length < 2:
            raise NotJpeg(f"a segment of {length} bytes at byte {at}")
        at += 2 + length
    return None
