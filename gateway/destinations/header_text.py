"""Text of ours in a header: one line of ASCII that reads as it was typed. No I/O.

Nothing that looks like an encoded word (RFC 2047, section 2) goes out as it is: whoever reads the header, or a library
that writes it, would decode it, and line breaks in it would begin headers that are not ours.
"""

from email.header import Header
from urllib.parse import quote

_SECTION_CHARACTERS = 50  # of a parameter's value: with its name and number far below the 78 of a line
_IN_QUOTES = frozenset('"\\')  # what a quoted string would need another sign for


def one_line(text: str) -> str:
    """Return a text that cannot begin a header of its own, nor break one by half a surrogate pair."""
    return "".join(c if c.isprintable() else " " for c in text)


def is_plain(line: str) -> bool:
    """Tell whether a line can stand in a header as it is."""
    return line.isascii() and line.isprintable() and "=?" not in line


def encoded_words(line: str) -> list[str]:
    """Return a line as encoded words; between two of them a reader drops the space, or the fold (RFC 2047, 6.2)."""
    return Header(line, "utf-8", header_name="Subject").encode().split()


def parameter(name: str, value: str) -> list[str]:
    """Return a parameter of a MIME header, in as many sections as its length needs (RFC 2231, sections 3 and 4)."""
    if is_plain(value) and len(value) <= _SECTION_CHARACTERS and _IN_QUOTES.isdisjoint(value):
        return [f'{name}="{value}"']
    sections = ["utf-8''"]
    for character in (quote(c, safe="") for c in value):
        if len(sections[-1]) + len(character) > _SECTION_CHARACTERS:
            sections.append("")
        sections[-1] += character
    if len(sections) == 1:
        return [f"{name}*={sections[0]}"]
    return [f"{name}*{number}*={section}" for number, section in enumerate(sections)]
