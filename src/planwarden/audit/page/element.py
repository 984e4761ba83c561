"""Elements of a page: whatever is put into one is text, unless it was made here. Pure.

The escaping is markupsafe's: a `Markup` is an element, any other string is escaped as it goes in. No template
language stands between: most of a page is computed (graphs, axes, tables of unequal rows), and functions are
typed, tested and split like the rest of the code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

Attribute = str | int | float | bool | None

_UNSEEN = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u00ad\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff"
    "\\ufff9-\\ufffb\\ufffe\\uffff\\ud800-\\udfff\\U000e0000-\\U000e0fff]"
)
"""Control characters, marks that reorder or hide text, halves of characters: a reader would not see them."""
MAX_SHOWN = 20_000
"""Characters of one value; the rest is in the JSON dossier."""
SHORT = 240
"""Characters up to which a value is shown without folding."""
_VOID = frozenset({"meta", "br", "hr", "col"})


def shown(text: str) -> str:
    """Write characters that cannot be seen, or that a viewer would obey, as `⟨U+202E⟩`."""
    return _UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def tag(name: str, /, *inside: str | None, **attributes: Attribute) -> Markup:
    """Make an element; None is left out, among children and attributes alike.

    Args:
        name: of the element.
        inside: elements as they are, texts escaped and made visible.
        attributes: `class_` is `class`, other underscores are hyphens; True stands without a value.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{written}>")  # noqa: S704 - the name is ours, the attributes are escaped
    return Markup(f"<{name}{written}>{joined(inside)}</{name}>")  # noqa: S704 - children are escaped


def joined(parts: Iterable[str | None]) -> Markup:
    """Put elements and texts one after the other."""
    return Markup("").join(_child(part) for part in parts if part is not None)


def _child(part: str) -> Markup:
    return part if isinstance(part, Markup) else escape(shown(part))


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    written = f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
    return f' {name}="{escape(shown(written))}"'


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, class_: str | None = None
) -> Markup:
    """Make a table with header cells and a caption that screen readers say."""
    header = tag("tr", *(tag("th", cell, scope="col") for cell in head))
    body = (tag("tr", *(tag("td", cell) for cell in row)) for row in rows)
    whole = tag("table", tag("caption", caption), tag("thead", header), tag("tbody", *body), class_=class_)
    return tag("div", whole, class_="wide", tabindex=0, role="region", aria_label=caption)


def value(text: str, label: str = "", *, short: int = SHORT) -> Markup:
    """Show a value of any length: a short one as it is, a long one folded behind its first words."""
    whole = tag("pre", _cut(text), dir="auto")
    if len(text) <= short and text.count("\n") < 8:
        return whole
    first = " ".join(text[:400].split())[:90]
    said = f"{label}, {_size(text)}" if label else f"{first}… ({_size(text)})"
    return tag("details", tag("summary", said, dir="auto"), whole)


def _cut(text: str) -> str:
    if len(text) <= MAX_SHOWN:
        return text
    return f"{text[:MAX_SHOWN]}\n… {len(text) - MAX_SHOWN:,} characters more: see the JSON dossier"


def _size(text: str) -> str:
    return f"{len(text):,} characters"


def code(text: str) -> Markup:
    """Show a name or an id as such."""
    return tag("code", text)


def short_digest(digest: str | None) -> Markup:
    """Show a digest by its first characters; the whole stands in its title."""
    if not digest:
        return tag("span", "–")
    return tag("code", f"{digest.rpartition(':')[2][:12]}…", title=digest)


def badge(word: str, tone: str) -> Markup:
    """Show a state as a word with a colour: the colour never says anything alone."""
    return tag("span", word, class_=f"badge {tone}")


def section(anchor: str, title: str, *inside: str | None) -> Markup:
    """Make a section with its heading."""
    return tag(
        "section",
        tag("h2", title, id=f"{anchor}-title"),
        *inside,
        id=anchor,
        aria_labelledby=f"{anchor}-title",
    )
