"""Slack's export: a directory for each channel, in it a file for each day.

A thread is a memory of its own, however many days it takes; what is said outside of threads is
one memory for each channel and day. Joins, topics and bots are left out.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aimem_node.gateways.cli.mining.chats import Item, finished, values_in
from aimem_node.gateways.cli.mining.found import Found, Message, Unfit, moment, one_line, text_of
from aimem_node.gateways.cli.mining.sources import Tree

SAID = frozenset({"", "thread_broadcast", "file_share", "me_message"})
"""Subtypes under which a person says something."""

_DAY = re.compile(r"(?:^|.*/)([^/]+)/(\d{4}-\d\d-\d\d)\.json")
_MARKUP = re.compile(r"<([^<>]*)>")


@dataclass(slots=True)
class _Names:
    """Who and what the ids stand for."""

    people: dict[str, str] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)
    "Ids by name: a channel that is renamed stays the same one."


def find(tree: Tree) -> Iterator[Item]:
    """Every thread and every day of every channel."""
    names = _Names()
    channels: dict[str, list[tuple[str, str]]] = {}
    for name in tree.names():
        base = name.rpartition("/")[2]
        if base == "users.json":
            for user in _objects(tree, name):
                names.people[text_of(user.get("id"))] = _person(user)
        elif base in ("channels.json", "groups.json", "mpims.json"):
            for one in _objects(tree, name):
                names.channels[text_of(one.get("name"))] = text_of(one.get("id"))
        elif found := _DAY.fullmatch(name):
            channels.setdefault(found.group(1), []).append((found.group(2), name))
    for channel, days in channels.items():
        yield from _channel(tree, channel, sorted(days), names)


def _objects(tree: Tree, name: str) -> Iterator[dict[str, Any]]:
    """Without names the ids are shown: that is no reason to stop."""
    for one in values_in(tree, name):
        if not isinstance(one, Unfit) and isinstance(one[1], dict):
            yield one[1]


def _person(user: dict[str, Any]) -> str:
    profile = user.get("profile")
    named = profile if isinstance(profile, dict) else {}
    for name in (named.get("display_name"), named.get("real_name"), user.get("real_name"),
                 user.get("name")):  # fmt: skip
        if text_of(name).strip():
            return one_line(text_of(name), 64)
    return text_of(user.get("id"))


def _channel(
    tree: Tree, channel: str, days: list[tuple[str, str]], names: _Names
) -> Iterator[Item]:
    threads: dict[str, list[tuple[str, Message]]] = {}
    began: dict[str, str] = {}
    channel_id = names.channels.get(channel) or channel
    for day, name in days:
        said: list[tuple[str, Message]] = []
        for one in values_in(tree, name):
            if isinstance(one, Unfit):
                yield one
                continue
            where, value = one
            message = _message(value, names)
            if message is None:
                continue
            thread = text_of(value.get("thread_ts"))
            if thread:
                threads.setdefault(thread, []).append((text_of(value.get("ts")), message))
                began.setdefault(thread, where)
            else:
                said.append((text_of(value.get("ts")), message))
        if said:
            yield _found(f"#{channel} {day}", f"{channel_id}/{day}", name, channel, said)
    for thread, said in threads.items():
        said.sort(key=lambda one: moment(one[0]) or 0)
        title = f"#{channel}: {one_line(said[0][1].text)}"
        yield _found(title, f"{channel_id}/{thread}", began[thread], channel, said)


def _found(title: str, key: str, where: str, channel: str, said: list[tuple[str, Message]]) -> Item:
    said.sort(key=lambda one: moment(one[0]) or 0)
    messages = tuple(message for _, message in said)
    return finished(
        Found(where=where, key=key, title=title, messages=messages, tags=(f"#{channel}",),
              metadata={"channel": channel})
    )  # fmt: skip


def _message(value: Any, names: _Names) -> Message | None:
    if not isinstance(value, dict) or value.get("type", "message") != "message":
        return None
    if text_of(value.get("subtype")) not in SAID or value.get("bot_id"):
        return None
    text = _shown(text_of(value.get("text")), names)
    files = value.get("files")
    for file in files if isinstance(files, list) else []:
        if isinstance(file, dict) and text_of(file.get("name")):
            text += f"\n[{text_of(file.get('name'))}]"
    if not text.strip():
        return None
    user = text_of(value.get("user"))
    own = value.get("user_profile")
    name = names.people.get(user) or (_person(own) if isinstance(own, dict) else "") or user
    return Message(name or "unknown", text, moment(value.get("ts")))


def _shown(text: str, names: _Names) -> str:
    """Text as its reader saw it: names for ids, labels for links."""

    def one(found: re.Match[str]) -> str:
        target, _, label = found.group(1).partition("|")
        if target.startswith("@"):
            return "@" + (names.people.get(target[1:]) or label or target[1:])
        if target.startswith("#"):
            return "#" + (label or target[1:])
        if target.startswith("!"):
            return "@" + (label.lstrip("@") or target[1:].partition("^")[0])
        return f"{label} ({target})" if label and label != target else target

    return html.unescape(_MARKUP.sub(one, text))
