"""The description of the API: valid OpenAPI 3.1, complete against the table, and true of the answers."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gateway.core.model import Level
from gateway.web.api.refusals import refusals
from gateway.web.routes import API
from tests.web.conftest import House
from tests.web.description import DOCUMENT, undocumented
from tests.web.rows import address

pytestmark = pytest.mark.asyncio(loop_scope="module")

METHODS = {"get", "put", "post", "delete", "patch"}
TYPES = {"string", "integer", "number", "boolean", "object", "array", "null"}


async def described(house: House) -> dict[str, Any]:
    answer = await house.raw("GET", "/openapi.json", token="")
    assert (answer.status, answer.media_type) == (200, "application/json")
    assert isinstance(answer.json, dict)
    return answer.json


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Give every object of the document."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


async def test_it_has_the_form_of_openapi_3_1(shared: House) -> None:
    document = await described(shared)
    assert re.fullmatch(r"3\.1\.[0-9]+", document["openapi"])
    assert {"title", "version"} <= set(document["info"])
    assert document["servers"] == [{"url": "/api/v1"}]
    operations = [op for item in document["paths"].values() for op in item.values()]
    assert all(set(item) <= METHODS for item in document["paths"].values())
    names = [op["operationId"] for op in operations]
    assert len(set(names)) == len(names)
    schemes = document["components"]["securitySchemes"]
    for operation in operations:
        assert operation["summary"].endswith(".")
        assert all(re.fullmatch(r"[1-5][0-9]{2}", status) for status in operation["responses"])
        assert all("description" in answer or "$ref" in answer for answer in operation["responses"].values())
        assert all(set(need) <= set(schemes) for need in operation["security"])
        for parameter in operation["parameters"]:
            assert parameter["in"] in ("path", "query", "header")
            assert parameter["schema"]["type"] in TYPES
            assert parameter.get("required", False) is (parameter["in"] == "path")


async def test_every_reference_leads_to_a_schema_and_every_schema_is_used(shared: House) -> None:
    document = await described(shared)
    schemas, responses = document["components"]["schemas"], document["components"]["responses"]
    used = {node["$ref"] for node in nodes(document) if "$ref" in node}
    there = {f"#/components/schemas/{name}" for name in schemas}
    assert used == there | {f"#/components/responses/{name}" for name in responses}
    for node in nodes(schemas):
        if isinstance(node.get("type"), str):
            assert node["type"] in TYPES
        if isinstance(node.get("required"), list):
            assert set(node["required"]) <= set(node["properties"])


async def test_it_describes_each_row_and_nothing_else(shared: House) -> None:
    document = await described(shared)
    there = {(method.upper(), "/api/v1" + path) for path, item in document["paths"].items() for method in item}
    assert there == {(row.method, row.path) for row in API}
    for row in API:
        operation = document["paths"][row.path.removeprefix("/api/v1")][row.method.lower()]
        assert {str(row.status), *(str(refused.status) for refused in refusals(row))} <= set(operation["responses"])
        assert ("304" in operation["responses"]) == (row.method == "GET" and row.answer is not None)
        assert ("requestBody" in operation) == (row.body is not None)
        assert (operation["security"] == []) == (Level.L0 in row.levels)
        inside = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert inside == set(re.findall(r"{(\w+)}", row.path))


async def test_secrets_have_no_field_in_what_lists_and_shows(shared: House) -> None:
    schemas = (await described(shared))["components"]["schemas"]
    once = {"SessionAnswer": {"token"}, "EnrolmentAnswer": {"secret", "uri", "qr_svg"}}
    asked = {row.body.__name__ for row in API if row.body}
    for name, schema in schemas.items():
        if name not in asked:
            telling = {"token", "secret", "secrets", "password", "uri", "qr_svg"} & set(schema.get("properties", {}))
            assert telling == once.get(name, set()), name


async def test_answers_are_what_they_are_described_as(shared: House) -> None:
    await shared.scan(1)
    claim_path = "/claims/unknown"
    assert (await shared.raw("GET", claim_path)).status == 404
    [scan] = (await shared.call("GET", "/scans"))["items"]
    [unit] = (await shared.call("GET", "/units"))["items"]
    known = {"/units/{id}": unit["id"], "/units/{id}/settings": unit["id"], "/scans/{id}": scan["id"]}
    known["/scans/{id}/pages"] = scan["id"]
    for row in API:
        if row.method == "GET" and row.answer and "claims" not in row.path:
            one = known.get(row.path.removeprefix("/api/v1"), "x")
            strictly(row, await shared.raw("GET", address(row, one).removeprefix("/api/v1")))
    for row in API:
        if (row.method, row.path) == ("PATCH", "/api/v1/units/{id}"):
            strictly(row, await shared.raw("PATCH", f"/units/{unit['id']}", {"label": "Upstairs"}))


PROBLEM = '{"type": "/problems/%s", "title": "T", "status": %d, "detail": "D"}'


@pytest.mark.parametrize(
    ("status", "media", "content", "fault"),
    [
        (200, "application/json", '{"items": [], "newcomers": []}', ""),
        (200, "application/json", "{}", "required"),
        (200, "application/json", '{"items": [{}]}', "required"),
        (200, "text/html", "<p>", "text/html"),
        (304, "application/octet-stream", "", ""),
        (304, "application/octet-stream", "x", "body"),
        (401, "application/problem+json", PROBLEM % ("sign_in", 401), ""),
        (401, "application/problem+json", PROBLEM % ("code_wrong", 401), "code_wrong"),
        (401, "application/problem+json", PROBLEM % ("sign_in", 403), "status"),
        (401, "text/plain", "no", "text/plain"),
        (418, "application/problem+json", PROBLEM % ("teapot", 418), "418"),
    ],
)
async def test_what_is_not_described_does_not_pass_the_judge(status: int, media: str, content: str, fault: str) -> None:
    found = undocumented("GET", "/api/v1/units", status, media, content.encode())
    assert bool(found) == bool(fault)
    assert fault in found


async def test_the_judge_sees_every_answer_of_a_test(shared: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(DOCUMENT["paths"]["/units"]["get"]["responses"], "401")
    assert (await shared.raw("GET", "/units")).status == 200
    with pytest.raises(AssertionError, match="401 is not described"):
        await shared.raw("GET", "/units", token="")


def strictly(row: Any, answer: Any) -> None:
    """Check that an answer holds exactly the fields of its Struct, each of its type."""
    assert answer.status == row.status, answer.content
    decoded = msgspec.json.decode(answer.content, type=row.answer, strict=True)
    assert msgspec.json.decode(msgspec.json.encode(decoded)) == answer.json, row.path
