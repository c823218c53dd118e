"""What clients call themselves, as a person reads it."""

import pytest

from gateway.web.clients import client_name

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (CHROME, "Chrome on Linux"),
        (CHROME + " Edg/131.0", "Edge on Linux"),
        (SAFARI, "Safari on iPhone"),
        ("Mozilla/5.0 (Android 15; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0", "Firefox on Android"),
        ("ScanSnapCloud/1.7 (iOS)", "ScanSnap Cloud 1.7"),
        ("curl/8.9", "curl/8.9"),
        ("x" * 200, "x" * 60),
        ("", ""),
    ],
)
def test_a_client_has_a_name(text: str, name: str) -> None:
    assert client_name(text) == name
