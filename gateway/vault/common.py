"""Common passwords: a bundled list, and the ways in which people lengthen one of it.

`common-passwords.txt.xz` has the 100,000 most used ones, and of the first million those of 15 characters and more,
folded and sorted, one a line. They are Mark Burnett's ten million passwords as SecLists publishes them (MIT licence).
"""

import hashlib
import lzma
import unicodedata
from array import array
from bisect import bisect_left
from functools import cache
from importlib import resources

_LIST = "common-passwords.txt.xz"
_SHORTEST_CORE = 4  # what is left of "aB1!" + digits says nothing


@cache
def _digests() -> "array[int]":
    """Return the sorted 8-byte digests of the list: under 1 MB in memory, where the words would take ten."""
    packed = resources.files("gateway.vault").joinpath(_LIST).read_bytes()
    return array("Q", sorted(_digest(line) for line in lzma.decompress(packed).decode().splitlines()))


def _digest(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(errors="surrogatepass"), digest_size=8).digest(), "big")


def count() -> int:
    """Return how many passwords are on the list."""
    return len(_digests())


def _listed(word: str) -> bool:
    digests, digest = _digests(), _digest(word)
    at = bisect_left(digests, digest)
    return at < len(digests) and digests[at] == digest


def is_common(password: str) -> bool:
    """Tell whether a password is on the list, or is one of it repeated, or with digits and signs before or after it."""
    folded = unicodedata.normalize("NFC", password).casefold()
    core = folded.strip("".join({c for c in folded if not c.isalpha()}))
    return any(
        _listed(word) for whole in {folded, core} if len(whole) >= _SHORTEST_CORE for word in {whole, _once(whole)}
    )


def _once(text: str) -> str:
    """Return what a text is a whole repetition of; the text itself if it is none."""
    at = (text + text).find(text, 1)
    return text[:at]
