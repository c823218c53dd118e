"""What HTTP says of waiting."""

import pytest

from gateway.destinations.http import retry_after_s

DATE = "Mon, 30 Nov 2026 16:00:00 GMT"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 5 ", 5.0),
        ("Mon, 30 Nov 2026 16:02:00 GMT", 120.0),
        ("Mon, 30 Nov 2026 15:00:00 GMT", 0.0),
        ("Mon, 30 Nov 2026 16:02:00", None),
        ("soon", None),
        ("", None),
        ("9" * 40, None),
        ("²", None),
    ],
)
def test_a_wait_is_in_seconds_or_a_time_by_the_servers_own_clock(value: str, seconds: float | None) -> None:
    assert retry_after_s(value, DATE) == seconds


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_a_time_without_a_clock_to_read_it_by_says_nothing(date: str) -> None:
    assert retry_after_s("Mon, 30 Nov 2026 16:02:00 GMT", date) is None
