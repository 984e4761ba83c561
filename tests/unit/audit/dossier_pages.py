"""Reading pages that we write: strictly, and with an eye on anything that would run or load."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "col"}
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "nav", "section", "article"),
    *("h1", "h2", "h3", "h4", "p", "a", "ul", "li", "dl", "dt", "dd", "div", "span", "small", "code", "pre"),
    *("figcaption", "details", "summary", "table", "caption", "thead", "tbody", "tr", "th", "td", "mark"),
    *(
        "svg",
        "g",
        "defs",
        "marker",
        "path",
        "rect",
        "line",
        "polyline",
        "polygon",
        "circle",
        "text",
        "figure",
    ),
}


class Reading(HTMLParser):
    """Reads a page strictly: every element is closed in its order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    def all(self, tag: str, name: str) -> list[str]:
        return [value or "" for t, n, value in self.attributes if (t, n) == (tag, name)]

    @property
    def text(self) -> str:
        return "".join(self.texts)


def check_harmless(page: Reading, *, links: bool = True) -> None:
    """Nothing on the page runs, loads or sends anything, and its own links lead somewhere."""
    assert page.tags <= TAGS
    names = {name for _, name, _ in page.attributes}
    assert not {name for name in names if name.startswith("on")} | (names & {"src", "style", "srcset"})
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(set(ids)) == len(ids)
    targets = [value for _, name, value in page.attributes if name == "href"]
    assert bool(targets) == links
    assert {link and link[1:] for link in targets} <= set(ids)
    assert {link and link[0] for link in targets} <= {"#"}
    (policy,) = [value for value in page.all("meta", "content") if "default-src" in value]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
