"""Markup that cannot forget to escape: only what `element` made counts as markup.

Whatever comes from a history is text, and a client may have stored a <script>.
"""

from __future__ import annotations

import html
from collections.abc import Collection, Iterable, Sequence
from typing import Final, TypeAlias

VOID: Final = frozenset({"meta", "br", "hr"})
"""Elements of HTML that have no end."""


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


Inside: TypeAlias = str | int | float | Markup | Iterable["Inside"] | None


def element(name: str, /, *inside: Inside, **attributes: str | float | None) -> Markup:
    """One element. Trailing underscores of attributes are dropped, others become hyphens; an
    attribute that is None is left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        assert not inside, name
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(inside)}</{name}>")


def joined(inside: Inside) -> Markup:
    """Everything one after the other; what is no markup is escaped, None is nothing."""
    if inside is None:
        return Markup("")
    if isinstance(inside, Markup):
        return inside
    if isinstance(inside, str | int | float):
        return Markup(html.escape(_number(inside)))
    return Markup("".join(joined(one) for one in inside))


def _number(value: str | float) -> str:
    """Places on a page need no more than a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def table(
    heads: Sequence[str], rows: Iterable[Iterable[Markup]], numbers: Collection[int] = ()
) -> Markup:
    """A table from cells; `rows` are of whole <td> elements. `numbers`: columns whose heads stand
    to the right, as their cells do."""
    head = [
        element("th", one, scope="col", class_="number" if at in numbers else None)
        for at, one in enumerate(heads)
    ]
    body = [element("tr", row) for row in rows]
    return element("table", element("thead", element("tr", head)), element("tbody", body))


def cell(*inside: Inside, number: bool = False, kind: str = "") -> Markup:
    """One cell. `number`: aligned to the right. `kind`: another class."""
    classes = " ".join(filter(None, ("number" if number else "", kind)))
    return element("td", *inside, class_=classes or None)


def document(title: str, style: str, *body: Inside) -> str:
    """A whole page that loads nothing from anywhere."""
    # Not escaped, as a style is no text to a browser. It is ours.
    head = (
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Markup(style)),
    )
    whole = element("html", element("head", *head), "\n", element("body", *body), lang="en")
    return f"<!doctype html>\n{whole}\n"
