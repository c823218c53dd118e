"""avahi and we see each other by mDNS, in a network of their own."""

import pytest

from tests.conformance.conftest import need
from tests.conformance.peers import in_a_namespace, there

pytestmark = pytest.mark.conformance


@pytest.fixture(autouse=True)
def _avahi() -> None:
    for program, package in (
        ("avahi-daemon", "avahi-daemon"),
        ("avahi-browse", "avahi-utils"),
        ("dbus-daemon", "dbus"),
        ("ip", "iproute2"),
    ):
        need(there(program), package)


async def test_avahi_resolves_two_simulated_units() -> None:
    rows = [row.split(";") for row in (await in_a_namespace("announced"))["out"].splitlines()]
    found = {row[3]: row for row in rows if row[0] == "="}
    assert set(found) == {"left", "right"}
    for row in found.values():
        assert row[7] == "127.0.0.1"
        assert '"rs=eSCL"' in row[9]
        assert '"is=platen,adf"' in row[9]
    assert len({row[8] for row in found.values()}) == 2  # ports


async def test_avahi_sees_the_gateway_s_page_and_its_name() -> None:
    told = await in_a_namespace("page")
    [row] = [row.split(";") for row in told["out"].splitlines() if row.startswith("=")]
    assert row[3] == r"ScanSnap\032Gateway\032here"
    assert (row[6], row[7], row[8]) == ("scansnap-gateway.local", "127.0.0.1", "8710")
    assert '"path=/"' in row[9]
    assert told["named"].split() == ["scansnap-gateway.local", "127.0.0.1"]
    assert told["url"] == "http://scansnap-gateway.local:8710/"


async def test_we_see_a_scanner_that_avahi_publishes() -> None:
    identity, model, driven = await in_a_namespace("published")
    assert identity.startswith("escl:")
    assert (model, driven) == ("Simulated Office MFP", "")
