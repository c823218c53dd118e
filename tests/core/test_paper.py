"""Keys on paper: as they are written, and as people type them."""

import pytest

from gateway.core import paper


def test_a_key_has_120_bits_in_24_characters_of_crockfords_alphabet() -> None:
    assert paper.BYTES * 8 == 120
    assert paper.written(bytes(15)) == "0" * 24
    assert paper.written(b"\xff" * 15) == "Z" * 24
    assert {paper.written(bytes([n << 3]) + bytes(14))[0] for n in range(32)} == set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


@pytest.mark.parametrize(
    "typed",
    [
        "0123-4567-89AB-CDEF-GHJK-1110",
        "0123456789abcdefghjk1110",
        " 0123 4567 89ab cdef ghjk 1110 ",
        "O123-4567-89AB-CDEF-GHJK-ILlo",
    ],
)
def test_what_people_type_is_the_same_key(typed: str) -> None:
    assert paper.read(typed) == "0123456789ABCDEFGHJK1110"


@pytest.mark.parametrize("typed", ["", "0" * 23, "0" * 25, "U" * 24, "é" * 24, "٠" * 24, "0" * 10_000])
def test_what_is_no_key_is_none(typed: str) -> None:
    assert paper.read(typed) is None
