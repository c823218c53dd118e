"""How a unit scans is its owner's to set, by the API and by the page alike."""

from typing import Any

import pytest

from tests.web import journey
from tests.web.conftest import House

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_is_set_is_what_is_told_and_the_rest_has_its_default(shared: House) -> None:
    path = f"/units/{shared.unit_id}/settings"
    answer = await shared.call("PUT", path, {"resolution_dpi": 200, "colour": "gray", "duplex": False})
    assert answer["settings"] == (await _unit(shared))["settings"]
    assert answer["settings"]["resolution_dpi"] == 200
    assert answer["settings"]["paper"] == "automatic"
    assert (await shared.call("PUT", path, {}))["settings"]["resolution_dpi"] == 300


async def test_a_unit_that_was_open_says_what_it_can(shared: House) -> None:
    able = (await _unit(shared))["able"]
    assert able["resolutions_dpi"] == [150, 200, 300, 600]
    assert able["duplex"]


@pytest.mark.parametrize(
    "settings",
    [{"resolution_dpi": 1200}, {"colour": "sepia"}, {"jpeg_quality": 0}, {"brightness": 200}, {"paper": "a3"}],
)
async def test_what_no_unit_can_do_is_refused(shared: House, settings: dict[str, Any]) -> None:
    before = await _unit(shared)
    answer = await shared.raw("PUT", f"/units/{shared.unit_id}/settings", settings)
    assert (answer.status, answer.reason) == (422, "invalid")
    assert await _unit(shared) == before


@pytest.mark.asyncio(loop_scope="function")
async def test_the_page_sets_the_same_and_an_empty_switch_is_off(house: House) -> None:
    person = await house.browser()
    await journey.set_up(house, person)
    await journey.add_scanner(house, person)
    await person.get("/")
    await person.follow("ScanSnap iX500")
    page = person.now.path
    await person.submit("Save", colour="lineart", resolution_dpi="600", on_paper="on", duplex="")
    assert person.now.notice == "Saved. It holds from the next scan on."
    settings = (await _unit(house))["settings"]
    assert (settings["colour"], settings["resolution_dpi"]) == ("lineart", 600)
    assert (settings["on_paper"], settings["duplex"], settings["double_feed"]) == (True, False, True)
    await person.get(page)
    await person.submit("Save", resolution_dpi="9600")
    assert person.now.status == 422
    assert "resolution_dpi" in person.now.error
    assert (await _unit(house))["settings"] == settings


async def _unit(house: House) -> dict[str, Any]:
    return dict((await house.call("GET", "/units"))["items"][0])
