"""Text of ours in a header: one line of ASCII that reads as it was typed. No I/O.

Nothing that looks like an encoded word (RFC 2047, section 2) goes out as it is: whoever reads the header, or a library
that writes it, would decode it, and line breaks in it would begin headers that are not ours.
"""

from base64 import b64encode
from collections.abc import Callable
from urllib.parse import quote

_WORD_BYTES = 39  # of UTF-8: 64 characters as a word, so that "Subject: " fits before it in 76 (RFC 2047, section 2)
_SECTION_CHARACTERS = 50  # of a parameter's value: with its name and number far below the 78 of a line
_IN_QUOTES = frozenset('"\\')  # what a quoted string would need another sign for


def one_line(text: str) -> str:
    """Return a text that cannot begin a header of its own, nor break one by half a surrogate pair."""
    return "".join(c if c.isprintable() else " " for c in text)


def is_plain(line: str) -> bool:
    """Tell whether a line can stand in a header as it is."""
    return line.isascii() and line.isprintable() and "=?" not in line


def encoded_words(line: str) -> list[str]:
    """Return a line as encoded words; between two of them a reader drops the space, or the fold (section 6.2)."""
    pieces = _pieces(line, _WORD_BYTES, lambda c: len(c.encode()))
    return [f"=?UTF-8?B?{b64encode(piece.encode()).decode('ascii')}?=" for piece in pieces]


def parameter(name: str, value: str) -> list[str]:
    """Return a parameter of a MIME header, in as many sections as its length needs (RFC 2231, sections 3 and 4)."""
    if is_plain(value) and len(value) <= _SECTION_CHARACTERS and _IN_QUOTES.isdisjoint(value):
        return [f'{name}="{value}"']
    pieces = _pieces(value, _SECTION_CHARACTERS, lambda c: len(quote(c, safe="")))
    sections = [f"utf-8''{quote(pieces[0], safe='')}", *(quote(piece, safe="") for piece in pieces[1:])]
    if len(sections) == 1:
        return [f"{name}*={sections[0]}"]
    return [f"{name}*{number}*={section}" for number, section in enumerate(sections)]


def _pieces(text: str, limit: int, size: Callable[[str], int]) -> list[str]:
    """Cut a text between characters."""
    pieces, room = [""], limit
    for character in text:
        room -= size(character)
        if room < 0:
            pieces.append("")
            room = limit - size(character)
        pieces[-1] += character
    return pieces
