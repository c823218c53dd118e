"""A browser without scripts: it keeps cookies, follows links, fills forms and sends what a form says, nothing else."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

from tests.web.html_tree import Node, parse


@dataclass
class Page:
    """One answer as a person sees it."""

    status: int
    path: str
    html: str
    headers: dict[str, str] = field(repr=False)
    tree: Node = field(repr=False)

    @property
    def title(self) -> str:
        return self.tree.one("h1").text

    @property
    def text(self) -> str:
        return self.tree.one("main").text

    @property
    def error(self) -> str:
        """Return the page's error sentence, or ""."""
        found = [n for n in self.tree.all("p") if n.attrs.get("role") == "alert"]
        assert len(found) <= 1
        return found[0].text if found else ""

    @property
    def notice(self) -> str:
        found = [n for n in self.tree.all("p") if n.attrs.get("role") == "status"]
        return found[0].text if found else ""

    def button(self, label: str) -> Node:
        return self._labelled(label, "button")

    def link(self, label: str) -> Node:
        return self._labelled(label, "a")

    def _labelled(self, label: str, tag: str) -> Node:
        found = [n for n in self.tree.all(tag) if label in (n.text, n.attrs.get("aria-label"))]
        places = {n.attrs.get("href", str(id(n))) for n in found}
        assert len(places) == 1, (label, self.path, [n.text for n in self.tree.all(tag)])
        return found[0]

    def form(self, label: str) -> Node:
        """Return the form that the button with this label sends."""
        button = self.button(label)
        return next(form for form in self.tree.all("form") if button in form.all("button"))


FIELDS = ("input", "select", "textarea")


def values(form: Node) -> dict[str, str]:
    """Return what a browser would send of an untouched form."""
    sent: dict[str, str] = {}
    for node in form.all(*FIELDS):
        name, kind = node.attrs.get("name", ""), node.attrs.get("type", "text")
        if not name or "disabled" in node.attrs:
            continue
        if node.tag == "select":
            options = list(node.all("option"))
            chosen = next((o for o in options if "selected" in o.attrs), options[0])
            sent[name] = chosen.attrs["value"]
        elif node.tag == "textarea":
            sent[name] = node.text
        elif kind not in ("radio", "checkbox") or "checked" in node.attrs:
            sent[name] = node.attrs.get("value", "")
    return sent


@dataclass
class Browser:
    """One person's browser. `page` is what it shows now."""

    url: str
    http: aiohttp.ClientSession
    page: Page | None = None

    @property
    def now(self) -> Page:
        assert self.page is not None
        return self.page

    async def get(self, path: str) -> Page:
        async with self.http.get(self.url + path) as answer:
            return await self._show(answer)

    async def post(self, path: str, data: dict[str, str]) -> Page:
        async with self.http.post(self.url + path, data=data, headers={"Origin": self.url}) as answer:
            return await self._show(answer)

    async def _show(self, answer: aiohttp.ClientResponse) -> Page:
        html = await answer.text()
        assert answer.content_type == "text/html", (answer.url, answer.status, answer.content_type)
        self.page = Page(answer.status, answer.url.path_qs, html, dict(answer.headers), parse(html))
        return self.page

    async def follow(self, label: str) -> Page:
        """Click a link."""
        return await self.get(self.now.link(label).attrs["href"])

    async def submit(self, button: str, /, **typed: str) -> Page:
        """Fill a form and press its button: hidden fields and defaults go along, as in every browser."""
        form = self.now.form(button)
        assert form.attrs["method"] == "post"
        names = {n.attrs.get("name") for n in form.all(*FIELDS) if n.attrs.get("type") != "hidden"}
        assert set(typed) <= names, (typed.keys(), names)
        sent = values(form) | typed
        empty = [n.attrs["name"] for n in form.all("input") if "required" in n.attrs and not sent.get(n.attrs["name"])]
        assert not empty, f"a browser would ask for {empty}"
        return await self.post(urlsplit(form.attrs["action"]).path, sent)
