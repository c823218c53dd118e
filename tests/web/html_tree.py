"""A page as a tree: strict about nesting, so that a page with a missing end tag does not pass as one."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})


@dataclass(eq=False)
class Node:
    """One element."""

    tag: str
    attrs: dict[str, str] = field(default_factory=dict)
    children: list["Node | str"] = field(default_factory=list)
    line: int = 0

    def all(self, *tags: str) -> Iterator["Node"]:
        """Give the elements below this one, in the order of the page; all of them without names."""
        for child in self.children:
            if isinstance(child, Node):
                if not tags or child.tag in tags:
                    yield child
                yield from child.all(*tags)

    def one(self, tag: str, **attrs: str) -> "Node":
        """Return the only element with this name and these attributes."""
        wanted = {name.rstrip("_"): value for name, value in attrs.items()}
        found = [n for n in self.all(tag) if all(n.attrs.get(k) == v for k, v in wanted.items())]
        assert len(found) == 1, (tag, attrs, len(found))
        return found[0]

    @property
    def classes(self) -> list[str]:
        """Return the element's classes."""
        return self.attrs.get("class", "").split()

    @property
    def text(self) -> str:
        """Return what a person reads, with white space as one space."""
        return " ".join("".join(self._pieces()).split())

    def _pieces(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            else:
                yield from child._pieces()
                if child.tag not in ("span", "a", "strong", "time"):
                    yield " "


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("#page")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        node = Node(tag, {name: value or "" for name, value in attrs}, line=self.getpos()[0])
        self._open[-1].children.append(node)
        if tag not in VOID:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"line {self.getpos()[0]}: </{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)

    def tree(self) -> Node:
        self.close()
        assert self._open == [self.root], f"<{self._open[-1].tag}> is never closed"
        return self.root


def parse(html: str) -> Node:
    """Return the page; AssertionError if its elements do not nest."""
    builder = _Builder()
    builder.feed(html)
    return builder.tree()
