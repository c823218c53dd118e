"""The steps of the customer's procedure, as a person takes them in a browser: links and forms only."""

import re
from typing import Any

import zxingcpp
from PIL import Image

from tests.web.browser import Browser, Page
from tests.web.conftest import EMAIL, PASSWORD, House, until
from tests.web.html_tree import Node

ENABLE = "Enable two-factor authentication"
DISABLE = "Disable two-factor authentication"
PIXELS_PER_MODULE = 4


async def set_up(house: House, person: Browser) -> None:
    await person.get("/")
    assert person.now.title == "Set up this gateway"
    await person.submit("Create account", token=house.setup_token(), email=EMAIL, password=PASSWORD, again=PASSWORD)
    await keep_paper(house, person)
    assert (person.now.status, person.now.title) == (200, "Scans")
    # The fixture's own questions (is the unit polled?) go through a session of their own.
    await house.password()


async def keep_paper(house: House, person: Browser) -> None:
    """Note what the page shows once, and type the rescue key back."""
    page = person.now
    house.rescue_key = page.tree.one("p", id="rescue-key").text
    house.codes = [n.text for codes in page.tree.all("ol") for n in codes.all("li")]
    await person.follow("I have printed or saved it")
    await person.submit("Check", rescue_key=house.rescue_key.lower().replace("-", " "))
    assert person.now.notice == "The rescue key is right. Keep the paper safe."


async def to_account_management(person: Browser) -> Page:
    await person.get("/")
    await person.follow("Settings")
    await person.get(next(a.attrs["href"] for a in person.now.tree.all("a") if a.text.startswith("Account")))
    assert person.now.title == "Account"
    await person.follow("Show the account management page")
    assert (person.now.path, person.now.title) == ("/account", "Account management")
    assert next(iter(person.now.tree.all("h2"))).text == "Account setting"
    return person.now


async def add_scanner(house: House, person: Browser) -> None:
    await person.get("/")
    await house.sighting()
    await person.get(person.now.link("Add a scanner").attrs["href"])
    offered = next(b for b in person.now.tree.all("button") if b.text == "Add this scanner")
    await person.submit(offered.attrs["aria-label"])
    assert person.now.path.startswith("/claims/")
    assert "Press Scan now" in person.now.text
    await house.press_for_claim()

    async def added() -> bool:
        return "Scanner added" in (await person.get(person.now.path)).text

    await until("the page to say so", added)
    await person.follow("To the main screen")
    assert "ScanSnap iX500" in person.now.text


async def enable(house: House, person: Browser) -> None:
    await to_account_management(person)
    await person.follow(ENABLE)
    await person.submit("Continue", password=PASSWORD)
    house.secret = person.now.tree.one("span", id="secret").text.replace(" ", "")
    await person.submit(ENABLE, code=house.code())
    assert person.now.title == "Two-factor authentication is enabled"
    await keep_paper(house, person)
    assert person.now.title == "Account management"


async def add_folder(house: House, person: Browser) -> None:
    await person.get("/destinations")
    await person.follow("Folder on the gateway")
    await person.submit("Save", label="Archive", path=str(house.archive))
    assert person.now.notice == "The destination was saved. Test it to be sure."


async def ready_without_destination(house: House, person: Browser) -> None:
    await set_up(house, person)
    await add_scanner(house, person)
    await enable(house, person)


async def ready(house: House, person: Browser) -> None:
    await ready_without_destination(house, person)
    await add_folder(house, person)


async def sign_out(person: Browser) -> None:
    await person.get("/")
    await person.follow("Sign out")
    await person.submit("Sign out")
    assert (person.now.path, person.now.notice) == ("/sign-in?done=signed_out", "You are signed out.")


async def give_password(person: Browser) -> None:
    await person.get("/")
    assert person.now.title == "Sign in"
    await person.submit("Sign in", email=EMAIL, password=PASSWORD)


async def delivered(person: Browser, count: int) -> Page:
    async def arrived() -> Any:
        page = await person.get("/")
        receipts = [n for n in page.tree.all("details") if "receipt" in n.classes]
        return page if len(receipts) >= count else None

    page = await until("the receipt on the page", arrived)
    assert isinstance(page, Page)
    return page


def qr_text(svg: Node) -> str:
    """Read the QR code as a phone would: draw its modules, decode the picture."""
    size = int(svg.attrs["viewbox"].split()[2])
    strokes = next(path.attrs["d"] for path in svg.all("path") if "stroke" in path.attrs)
    picture = Image.new("L", (size, size), 255)
    x, y = 0.0, 0.0
    for command, first, second in re.findall(r"([Mmh])(-?[\d.]+)(?:[ ,]?(-?[\d.]+))?", strokes):
        if command == "h":
            for step in range(int(first)):
                picture.putpixel((int(x) + step, int(y)), 0)
            x += float(first)
        else:
            x, y = (float(first), float(second)) if command == "M" else (x + float(first), y + float(second))
    large = picture.resize((size * PIXELS_PER_MODULE,) * 2, Image.Resampling.NEAREST)
    [found] = zxingcpp.read_barcodes(large)
    return str(found.text)


def another(code: str) -> str:
    """Return six digits that are not this code."""
    return f"{(int(code) + 1) % 1_000_000:06d}"
