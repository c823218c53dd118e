"""Forwarded and X-Forwarded-*, read strictly."""

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.web import forwarded
from gateway.web.forwarded import Told, UnclearError


def told(*headers: tuple[str, str]) -> Told | None:
    return forwarded.told(CIMultiDictProxy(CIMultiDict(headers)), lambda address: address.startswith("10."))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("for=192.0.2.60;proto=http;by=203.0.113.43", Told("192.0.2.60", "http")),  # RFC 7239, 4
        ('For="[2001:db8:cafe::17]:4711";Proto=HTTPS', Told("2001:db8:cafe::17", "https")),
        ("for=192.0.2.43, for=198.51.100.17", Told("198.51.100.17")),
        ("for=192.0.2.43, for=10.0.0.1;proto=https;host=a.example", Told("192.0.2.43", "", ("a.example",))),
        ("for=unknown;proto=https", Told("", "https")),
        ("for=_gazonk;proto=https", Told("", "https")),
        ('for="_hidden";host="a.example:8443"', Told("", "", ("a.example:8443",))),
        ("for=192.0.2.1;;proto=https,,", Told("192.0.2.1", "https")),
        ('for="::ffff:192.0.2.1"', Told("192.0.2.1")),
    ],
)
def test_the_standard_header(value: str, found: Told) -> None:
    assert told(("Forwarded", value)) == found


@pytest.mark.parametrize(
    "value",
    [
        'for="192.0.2.1',
        "for=192.0.2.1;for=192.0.2.2",
        "for=1.2.3",
        "for=192.0.2.1 proto=https",
        "192.0.2.1",
        "for=192.0.2.1;proto=https\x7f",
    ],
)
def test_what_is_no_such_header_is_refused(value: str) -> None:
    with pytest.raises(UnclearError):
        told(("Forwarded", value))


def test_the_customary_headers() -> None:
    chain = ("X-Forwarded-For", "198.51.100.1, 192.0.2.7, 10.0.0.2")
    assert told(chain, ("X-Forwarded-Proto", "https")) == Told("192.0.2.7", "https")
    assert told(chain, ("X-Forwarded-Proto", "https, http")) == Told("192.0.2.7", "http")
    assert told(("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-For", "192.0.2.7")) == Told("192.0.2.7")
    assert told(("X-Forwarded-For", "10.0.0.1, 10.0.0.2")) == Told("10.0.0.1")  # all are ours: the first asked
    assert told() is None


def test_both_kinds_must_agree() -> None:
    one = ("Forwarded", "for=192.0.2.7;proto=https")
    assert told(one, ("X-Forwarded-For", "192.0.2.7")) == Told("192.0.2.7", "https")
    with pytest.raises(UnclearError):
        told(one, ("X-Forwarded-For", "192.0.2.8"))
    with pytest.raises(UnclearError):
        told(one, ("X-Forwarded-Proto", "http"))
