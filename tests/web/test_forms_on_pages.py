"""Forms of the pages: what each field means is said beside it, and what was typed survives a refusal."""

from typing import Any

import pytest

from gateway.destinations.registry import KINDS
from tests.web.browser import Browser, values
from tests.web.conftest import EMAIL, PASSWORD, House

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def signed_in(house: House) -> Browser:
    person = await house.browser()
    await person.get("/")
    await person.submit("Sign in", email=EMAIL, password=PASSWORD)
    await person.submit("Sign in", code=house.code())
    return person


async def rules(house: House) -> list[dict[str, Any]]:
    return list((await house.call("GET", "/rules"))["items"])


@pytest.mark.parametrize("name", KINDS)
async def test_every_field_of_a_destination_is_explained_beside_it(shared: House, name: str) -> None:
    person = await signed_in(shared)
    page = await person.get(f"/destinations/add/{name}")
    for field in KINDS[name].fields:
        [control] = [n for n in page.tree.all("input", "select", "textarea") if n.attrs.get("name") == field.name]
        help_id = control.attrs["aria-describedby"]
        assert field.help in next(p.text for p in page.tree.all("p") if p.attrs.get("id") == help_id)


async def test_a_rule_refused_for_its_time_comes_back_as_it_was_typed(shared: House) -> None:
    person = await signed_in(shared)
    await shared.sign_in()
    [destination] = (await shared.call("GET", "/destinations"))["items"]
    typed = {f"destination.{destination['id']}": "on", "colour.colour": "on", "weekday.2": "on"}
    typed |= {
        "from_time": "08:30",
        "to_time": "25:00",
        "title": "{unit}",
        "correspondent": "Bank",
        "tags": "post, 2024",
    }
    await person.get("/rules/add")
    await person.submit("Save", **typed)
    assert person.now.status == 422
    assert person.now.error == "A time is written as 07:30."
    kept = values(person.now.form("Save"))
    assert {name: kept.get(name) for name in typed} == typed
    await person.submit("Save", to_time="17:00")
    assert person.now.notice == "The rules are saved."
    [rule] = [row for row in await rules(shared) if row["tags"] == ["post", "2024"]]
    assert (rule["from_minute"], rule["to_minute"]) == (510, 1020)
    await person.get(f"/rules/{rule['id']}")
    await person.submit("Save", from_time="8", correspondent="Tax office")
    kept = values(person.now.form("Save"))
    assert (kept["from_time"], kept["to_time"], kept["correspondent"]) == ("8", "17:00", "Tax office")
    assert rule in await rules(shared), "nothing was saved"
