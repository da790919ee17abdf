"""A directory of Markdown files: a memory for each section below one of the top headings.

What is above the first heading is a section too. A file's front matter gives its tags, its date
and metadata; of YAML only names with texts and lists of texts are understood, which is what such
files hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aimem_node.gateways.cli.mining.chats import NO_TEXT, Item
from aimem_node.gateways.cli.mining.found import (
    Found,
    Unfit,
    Unreadable,
    facts_of,
    moment,
    plain,
    tags_of,
    text_of,
)
from aimem_node.gateways.cli.mining.sources import Tree, whole_text

SUFFIXES = (".md", ".markdown", ".mdx")
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_PAIR = re.compile(r"([A-Za-z_][\w .-]*):(?:[ \t]+(.*))?")
TAG_NAMES = ("tags", "tag", "keywords", "categories")
TIME_NAMES = ("date", "created", "created_at", "updated", "timestamp")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading ("" for what is above the first) and the text with it."""

    heading: str
    text: str


def find(tree: Tree) -> Iterator[Item]:
    """Every section of every file."""
    names = tree.names()
    for name in names:
        if len(names) == 1 or name.lower().endswith(SUFFIXES):
            yield from sections_of(tree, name)


def sections_of(tree: Tree, name: str, whole: bool = False) -> Iterator[Item]:
    """The sections of one file; with `whole` all of it as one."""
    try:
        front, body = front_matter(whole_text(tree, name))
    except Unreadable as error:
        yield Unfit(name, str(error))
        return
    stem = name.rpartition("/")[2].rpartition(".")[0] or name
    own_title = text_of(front.get("title")) or text_of(front.get("name"))
    parts = [Section("", body)] if whole else sections(body)
    parts = [part for part in parts if plain(part.text)]
    if not parts:
        yield Unfit(name, NO_TEXT, broken=False)
    used: dict[str, int] = {}
    for part in parts:
        used[part.heading] = used.get(part.heading, 0) + 1
        times = used[part.heading]
        heading = part.heading or own_title or stem
        yield Found(
            where=f"{name}#{part.heading}" if part.heading else name,
            key="\n".join([name, part.heading, str(times)]),
            title=heading,
            text=part.text,
            session=name,
            at_us=next(filter(None, (moment(front.get(one)) for one in TIME_NAMES)), None),
            tags=tags_of(*(tag for one in TAG_NAMES for tag in _words(front.get(one)))),
            metadata=facts_of({key: value for key, value in front.items() if key not in TAG_NAMES}),
            is_note=True,
        )


def sections(text: str) -> list[Section]:
    """A text cut at its headings of the highest level that it has."""
    lines = text.split("\n")
    found: list[tuple[int, int, str]] = []
    fence = ""
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if mark:
            if not fence:
                fence = mark.group(1)
            elif mark.group(1).startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
            continue
        heading = None if fence else _HEADING.fullmatch(line)
        if heading:
            found.append((number, len(heading.group(1)), heading.group(2)))
    top = min((level for _, level, _ in found), default=0)
    starts = [(number, said) for number, level, said in found if level == top]
    first = starts[0][0] if starts else len(lines)
    cut = [Section("", "\n".join(lines[:first]))]
    for index, (number, said) in enumerate(starts):
        end = starts[index + 1][0] if index + 1 < len(starts) else len(lines)
        cut.append(Section(said, "\n".join(lines[number:end])))
    return cut


def front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The front matter, {} if there is none, and the text below it."""
    text = text.replace("\r\n", "\n")
    if not text.startswith("---\n"):
        return {}, text
    lines = text.split("\n")
    end = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() in ("---", "...")), 0)
    if not end:
        return {}, text
    read: dict[str, Any] = {}
    last = ""
    for line in lines[1:end]:
        pair = _PAIR.fullmatch(line.rstrip())
        if pair:
            last = pair.group(1).strip()
            read[last] = _value(pair.group(2) or "")
        elif last and line.strip().startswith("- "):
            kept = read[last] if isinstance(read[last], list) else []
            read[last] = [*kept, _unquoted(line.strip()[2:])]
        elif last and line[:1] in (" ", "\t") and isinstance(read[last], str) and line.strip():
            read[last] = f"{read[last]} {line.strip()}".strip()
    return read, "\n".join(lines[end + 1 :])


def _value(text: str) -> Any:
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return [_unquoted(part) for part in text[1:-1].split(",") if part.strip()]
    if text in ("|", ">", "|-", ">-"):
        return ""
    return _unquoted(text)


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text


def _words(value: Any) -> list[str]:
    if isinstance(value, list):
        return [str(one) for one in value]
    return [one for one in re.split(r"[,\s]+", text_of(value)) if one]
