"""The pages on a phone: installable, light, and there before any script."""

import io
import json
import re

from PIL import Image

from gateway.core.model import Scan, ScanId, ScanState, UnitId
from tests.web.conftest import House


async def test_the_page_can_be_installed(house: House) -> None:
    async with house.http.get(house.url + "/static/manifest.webmanifest") as answer:
        assert (answer.status, answer.content_type) == (200, "application/manifest+json")
        manifest = json.loads(await answer.text())
    assert (manifest["display"], manifest["start_url"]) == ("standalone", "/")
    for icon in manifest["icons"]:
        async with house.http.get(house.url + icon["src"]) as answer:
            assert (answer.status, answer.content_type) == (200, icon["type"])
            content = await answer.read()
        if icon["type"] == "image/png":
            assert Image.open(io.BytesIO(content)).size == tuple(int(n) for n in icon["sizes"].split("x"))


async def test_the_main_screen_with_fifty_scans_weighs_under_100_kb_and_waits_for_no_script(house: House) -> None:
    await house.set_up()
    await house.register()
    await house.enable()
    await house.add_folder()
    account = (await house.daemon.services.store.accounts.all())[0]
    began = house.clock.now().utc
    for i in range(50):
        scan = Scan(ScanId(f"{i:032x}"), account.id, UnitId(house.unit_id), "iX500", ScanState.RECEIVING, began)
        await house.daemon.services.store.scans.begin(scan)
        await house.daemon.services.store.scans.move(scan.id, ScanState.RECEIVING, ScanState.STORED, at=began)
    headers = {"Cookie": f"sid={house.token}"}
    weight = 0
    for path in ("/", "/static/style.css", "/static/app.js", "/static/favicon.svg"):
        async with house.http.get(house.url + path, headers=headers) as answer:
            assert answer.status == 200
            text = await answer.text()
            weight += len(text.encode())
        if path == "/":
            assert text.count("iX500") >= 50
            scripts = re.findall("<script[^>]*>", text)
            assert all(" defer" in script for script in scripts)
    assert weight < 100_000
