"""Every operation of the description against the running daemon, with right and with wrong input made from it.

Nothing is fetched: the document is ours, its references are its own, and a guard lets no connection leave loopback.
"""

import asyncio
import socket
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi import checks

from tests.web.conftest import CLIENT, EMAIL, PASSWORD, House
from tests.web.description import DOCUMENT

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES = 20  # each kind, of each operation: the whole file stays under a minute
CHECKS: list[Any] = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
REFUSED = [*CHECKS, checks.negative_data_rejection]
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
# An event stream does not end while its session lives; tests/web/test_events.py reads it.
OPERATIONS: list[Any] = [found.ok() for found in SCHEMA.get_all_operations() if not found.ok().path.endswith("/events")]
KINDS = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no connection leave the machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        assert self.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1"), address
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


class Owner:
    """The owner's session, made anew when an operation ended it; known by its device, so that no guess locks it out."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.device = ""

    async def token(self) -> str:
        if not self.device or (await self.house.raw("GET", "/units")).status != 200:
            await self._sign_in()
        return self.house.token

    async def _sign_in(self) -> None:
        headers = {"ScanSnap-Device": self.device} if self.device else {}
        body = {"email": EMAIL, "password": PASSWORD}
        half = await self.house.raw("POST", "/session", body, token="", headers=headers)
        code = {"code": self.house.code(), "window_h": 24}
        grant = await self.house.raw("POST", "/session/code", code, token=half.json["token"], headers=headers)
        assert grant.status == 200, grant.content
        self.house.token, self.device = grant.json["token"], grant.json["device"]


@pytest.fixture(scope="module")
def owners() -> dict[int, Owner]:
    return {}


async def real_id(house: House, path: str) -> str:
    """Return an identifier that the path's kind of thing has, "" if it takes none or none is to spare."""
    for start, listed in (("/units/{id}", "/units"), ("/scans/{id}", "/scans")):
        if path.startswith(start):
            items = (await house.call("GET", listed))["items"]
            return str(items[0]["id"]) if items else ""
    return ""


def play(house: House, operation: Any, kind: Any, token: str, known: str) -> None:
    """Send what is generated and hold the answers against the description."""
    headers = {"Authorization": f"Bearer {token}", "User-Agent": CLIENT}
    right = kind is schemathesis.GenerationMode.POSITIVE
    fixed = {"path_parameters": {"id": known}} if known else {}

    @SETTINGS
    @given(case=operation.as_strategy(generation_mode=kind, **fixed))
    def each(case: Any) -> None:
        case.call_and_validate(
            base_url=f"{house.url}/api/v1", headers=headers, checks=CHECKS if right else REFUSED, timeout=20
        )

    each()


def name(operation: Any) -> str:
    return f"{operation.method.upper()} {operation.path}"


def can_be_wrong(operation: Any) -> bool:
    """Tell whether an operation takes anything of which some value is wrong."""
    raw = operation.definition.raw
    return "requestBody" in raw or any(set(p["schema"]) > {"type"} for p in raw["parameters"])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=name)
async def test_no_answer_fails_and_every_answer_is_described(
    shared: House, owners: dict[int, Owner], operation: Any, kind: Any
) -> None:
    if kind is schemathesis.GenerationMode.NEGATIVE and not can_be_wrong(operation):
        return
    owner = owners.setdefault(id(shared), Owner(shared))
    token = await owner.token()
    known = await real_id(shared, operation.path) if kind is schemathesis.GenerationMode.POSITIVE else ""
    await asyncio.to_thread(play, shared, operation, kind, token, known)
    assert (await shared.raw("GET", "/status", token="")).status == 200
