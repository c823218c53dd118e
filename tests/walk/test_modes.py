"""A unit scans as its owner set it, whatever it sends: the document holds pages as they are wanted."""

from pathlib import Path
from typing import Any

import pikepdf
import pytest

from simulator.faults import Fault, FaultKind

CODECS = {
    "colour": ("/DCTDecode", "/DeviceRGB"),
    "gray": ("/DCTDecode", "/DeviceGray"),
    "lineart": ("/CCITTFaxDecode", "/DeviceGray"),
}


def images(document: Path) -> list[tuple[str, str]]:
    """Return filter and colour space of each page's image."""
    with pikepdf.open(document) as pdf:
        pictures = [page.obj["/Resources"]["/XObject"]["/Im0"] for page in pdf.pages]
        return [(str(picture["/Filter"]), str(picture["/ColorSpace"])) for picture in pictures]


async def settle(house: Any, **settings: Any) -> None:
    [unit] = (await house.call("GET", "/units"))["items"]
    await house.call("PUT", f"/units/{unit['id']}/settings", settings)


@pytest.mark.parametrize("colour", CODECS)
@pytest.mark.parametrize("model", ["iX500", "S1500", "S510M"])
async def test_each_mode_of_each_kind_of_unit_becomes_a_document(open_house: Any, model: str, colour: str) -> None:
    async with open_house(model=model) as house:
        await house.set_up()
        await house.register()
        await house.enable()
        await house.add_folder()
        await settle(house, colour=colour, resolution_dpi=150)
        await house.scan(1)
        [scan] = await house.delivered(1)
        assert scan["pages"] == 2
        [document] = house.archive.glob("*.pdf")
        assert images(document) == [CODECS[colour]] * 2
        assert not list(house.state.rglob("*.part")), "nothing of the encoding stays"
        assert house.unit.errors == []


async def test_a_unit_without_a_proven_button_scans_when_paper_is_put_in(open_house: Any) -> None:
    async with open_house(model="iX1600") as house:
        await house.set_up()
        sighting = await house.sighting()
        claim = await house.call("POST", "/claims", {"sighting": sighting["id"]})
        await house.ready()
        house.unit.load(1)

        async def registered() -> bool:
            return bool((await house.call("GET", f"/claims/{claim['id']}"))["state"] == "registered")

        await house.until("registration by paper", registered)
        [unit] = (await house.call("GET", "/units"))["items"]
        assert unit["settings"]["on_paper"]
        house.unit.unload()
        await house.enable()
        await house.add_folder()
        await house.ready()
        house.unit.load(2)
        [scan] = await house.delivered(1)
        assert scan["pages"] == 4


async def test_a_refusal_of_the_unit_is_told_in_a_sentence_and_makes_no_document(verified: Any) -> None:
    verified.unit.inject(Fault(FaultKind.WIFI, at_sheet=1))
    verified.unit.load(1)
    verified.unit.press()

    async def told() -> Any:
        return next((s for s in await verified.scans() if "Wi-Fi" in s["reason"]), None)

    scan = await verified.until("the sentence", told)
    assert scan["pages"] == 0
    assert verified.left() == 0
