"""Every page in every state that a person can see, collected on one walk through the house."""

from dataclasses import dataclass, field
from typing import Any

from gateway.web import copies
from gateway.web.routes import PAGES
from tests.web.browser import Browser, Page
from tests.web.conftest import EMAIL, PASSWORD, House
from tests.web.journey import another, delivered, give_password, sign_out

HOSTILE_UNIT = "<script>alert(1)</script>"
HOSTILE_DESTINATION = '"><img src=x onerror=alert(1)>'
SHOWN = [row for row in PAGES if row.method == "GET" and row.handler not in (copies.document, copies.page)]


@dataclass
class Gallery:
    """The pages by what they show, the ids for the addresses of the table, and the browser as it ended: at L2."""

    house: House
    person: Browser
    pages: dict[str, Page] = field(default_factory=dict)
    unit: str = ""
    claim: str = ""
    destination: str = ""
    scan: str = ""
    rule: str = ""

    def keep(self, name: str) -> None:
        self.pages[name] = self.person.now

    def address(self, row: Any) -> str:
        """Return a row's path with ids that exist."""
        one = {"units": self.unit, "claims": self.claim, "fragments": self.claim, "destinations": self.destination}
        one |= {"scans": self.scan, "rules": self.rule}
        first = "scans" if "/scans/" in row.path else row.path.split("/")[1]
        kind = "mail" if "notices" in row.path else "webdav"
        path = str(row.path).replace("{kind}", kind).replace("{name}", "locked").replace("{page}", "1")
        return path.replace("{id}", one.get(first, "x"))


async def collect(house: House) -> Gallery:
    """Walk from the set-up to a delivered scan and keep what is shown on the way."""
    person = await house.browser()
    gallery = Gallery(house, person)
    await _first_account(gallery)
    await _scanner(gallery)
    await _two_factor(gallery)
    await _destinations_and_scans(gallery)
    await _every_address(gallery)
    return gallery


async def _first_account(gallery: Gallery) -> None:
    person, house = gallery.person, gallery.house
    await person.get("/")
    gallery.keep("set-up")
    typed = {"email": EMAIL, "password": PASSWORD, "again": PASSWORD}
    await person.submit("Create account", token="wrong", **typed)
    gallery.keep("set-up refused")
    await person.submit("Create account", token=house.setup_token(), **typed)
    gallery.keep("rescue key")
    await person.follow("I have printed or saved it")
    await person.submit("Check", rescue_key="wrong")
    gallery.keep("rescue key typed wrong")
    await person.get("/")
    gallery.keep("main screen, empty")
    await house.password()
    for path in (
        "/account",
        "/destinations",
        "/settings",
        "/settings/account",
        "/sign-out",
        "/destinations/add/folder",
    ):
        await person.get(path)
        gallery.keep(f"{path} without two-factor")


async def _scanner(gallery: Gallery) -> None:
    person, house = gallery.person, gallery.house
    await house.sighting()
    await person.get("/units/add")
    gallery.keep("a scanner in sight")
    await person.submit(next(b for b in person.now.tree.all("button")).attrs["aria-label"])
    gallery.keep("claim open")
    gallery.claim = person.now.path.rsplit("/", 1)[-1]
    house.unit_id = ""
    await house.register()
    [unit] = (await house.call("GET", "/units"))["items"]
    gallery.unit = unit["id"]
    await person.get(f"/claims/{gallery.claim}")
    gallery.keep("claim lapsed")
    await person.get("/units/add")
    gallery.keep("a scanner of one's own")
    await person.get(f"/units/{gallery.unit}")
    await person.submit("Rename", label=HOSTILE_UNIT)
    gallery.keep("scanner renamed")


async def _two_factor(gallery: Gallery) -> None:
    person, house = gallery.person, gallery.house
    await person.get("/account/two-factor")
    gallery.keep("enable")
    await person.submit("Continue", password=PASSWORD)
    gallery.keep("secret key")
    house.secret = person.now.tree.one("span", id="secret").text.replace(" ", "")
    await person.submit("Enable two-factor authentication", code=another(house.code()))
    gallery.keep("wrong code at enabling")
    await person.submit("Enable two-factor authentication", code=house.code())
    gallery.keep("two-factor enabled")
    await person.get("/account")
    gallery.keep("account management, enabled")


async def _destinations_and_scans(gallery: Gallery) -> None:
    person, house = gallery.person, gallery.house
    await house.scan(1)
    await person.get("/")
    gallery.keep("main screen, held for want of a destination")
    await person.get("/account/two-factor/disable")
    gallery.keep("disable with something held")
    await person.get("/destinations/add/folder")
    await person.submit("Save", label=HOSTILE_DESTINATION, path="/etc")
    gallery.keep("destination refused")
    await person.submit("Save", path=str(house.archive))
    gallery.keep("destinations")
    gallery.destination = next(
        f.attrs["action"].split("/")[2] for f in person.now.tree.all("form") if f.attrs["action"].endswith("/test")
    )
    hrefs = [a.attrs["href"] for a in person.now.tree.all("a")]
    gallery.rule = next(h.split("/")[2] for h in hrefs if h.startswith("/rules/") and h != "/rules/add")
    await person.get("/rules/add")
    await person.submit("Save", title="A title")
    gallery.keep("rule without a destination refused")
    await person.get("/")
    await delivered(person, 1)
    gallery.keep("main screen, delivered")
    [gallery.scan] = {
        a.attrs["href"].split("/")[2] for a in person.now.tree.all("a") if a.attrs["href"].startswith("/scans/")
    }
    await sign_out(person)
    gallery.keep("signed out")
    await give_password(person)
    gallery.keep("code")
    await person.submit("Sign in", code=house.code())
    await person.get("/nothing-here")
    gallery.keep("unknown address")
    await person.get("/units/unknown")
    gallery.keep("unknown scanner")


async def _every_address(gallery: Gallery) -> None:
    for row in SHOWN:
        await gallery.person.get(gallery.address(row))
        gallery.keep(f"GET {row.path}")
