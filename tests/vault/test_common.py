"""Common passwords are refused, also lengthened; sentences pass."""

import pytest

from gateway.vault import common, keys


def test_the_list_has_a_hundred_thousand_at_least() -> None:
    assert common.count() >= 100_000


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "PASSWORD",
        "passwordpassword",
        "Password12345678",
        "iloveyou!!!!!!!!!",
        "12345678901234567890",
        "1qaz2wsx3edc4rfv",
        "qwertyuiopasdfghjkl",
        "!!!2024dragondragon2024!!!",
    ],
)
def test_famous_ones_are_common_however_they_are_lengthened(password: str) -> None:
    assert common.is_common(password)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "otter lantern quiet harbour",
        "Der Zug nach Bern ist 7 min zu früh",
        "aB1!aB1!aB1!aB1!",
        "0" * 5 + "!" * 10 + "1",
        "\ud800 a lone surrogate is no reason to fail",
        "",
    ],
)
def test_sentences_pass(password: str) -> None:
    assert not common.is_common(password)


def test_a_new_password_is_held_against_the_list() -> None:
    assert keys.password_fault("Password12345678", "you@example.org") == "This password is on a list of common ones."
    assert keys.password_fault("correct horse battery staple", "you@example.org") is None
