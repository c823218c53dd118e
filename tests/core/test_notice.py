"""What of a delivery is told to its owner, and for how long its cause counts as the same."""

from datetime import UTC, datetime

import pytest

from gateway.core.model import AccountId, Delivery, DeliveryId, DeliveryState, DestinationId, ScanId
from gateway.core.notice import TROUBLE_ATTEMPTS, of_delivery

NOW = datetime(2024, 5, 1, tzinfo=UTC)


def a_delivery(state: DeliveryState, attempts: int, reason: str) -> Delivery:
    ids = (DeliveryId("d"), ScanId("s"), AccountId("a"), DestinationId("cloud"))
    return Delivery(*ids, 1, "scan.pdf", state, attempts, NOW, reason, None, NOW)


def test_a_destination_is_told_of_after_some_tries_and_not_before() -> None:
    for attempts in range(1, TROUBLE_ATTEMPTS + 2):
        cause = of_delivery(a_delivery(DeliveryState.WAITING, attempts, "the server is busy"), "Cloud", held=False)
        assert cause is not None
        assert cause.begins == (attempts >= TROUBLE_ATTEMPTS)


@pytest.mark.parametrize("attempts", [1, TROUBLE_ATTEMPTS, 20])
def test_a_shut_gate_neither_ends_nor_begins_a_destinations_trouble(attempts: int) -> None:
    failing = of_delivery(a_delivery(DeliveryState.WAITING, attempts, "the server is busy"), "Cloud", held=False)
    held = of_delivery(a_delivery(DeliveryState.WAITING, attempts, "sign_in"), "Cloud", held=True)
    assert failing is not None
    assert held is not None
    assert (held.key, held.begins) == (failing.key, False)


def test_what_was_never_tried_says_nothing_of_its_destination() -> None:
    assert of_delivery(a_delivery(DeliveryState.WAITING, 0, "sign_in"), "Cloud", held=True) is None
    assert of_delivery(a_delivery(DeliveryState.WAITING, 0, ""), "Cloud", held=False) is None
