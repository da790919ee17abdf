"""What each deed is: one operation with its fields, said once for all three transports.

A deed that lacks its material (nothing is archived, nobody has asked for anything) becomes the one
that makes some. Titles and contents are never used twice, so that whoever finds one knows whose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from chaos.workload.draws import Draw
from chaos.workload.knowing import Board, Known, Own, Stated, Waiting, pick

LIVE_MIN: Final = 3
"""A client that deletes and archives everything has nothing left to edit."""
TAGS: Final = ("red", "green", "blue", "round", "square", "late")
RELATIONS: Final = ("related_to", "supersedes", "contradicts", "derived_from")
COLOURS: Final = ("river", "stone", "cloud", "meadow", "harbour", "lantern", "orchard", "valley")
HURRIED_MS: Final = 100
READ_ONLY: Final = frozenset({"read", "count"})
"""Deeds that wait for no disk, and have no request key."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a deed has come to, as far as other deeds build on it."""

    id: str
    "Of the record it is about."
    node: str
    token: str


def _nothing(_answer: Answer) -> None:
    """Of a deed that no other builds on."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing to ask for, the same however often and wherever it is asked."""

    f: str
    operation: str
    fields: Mapping[str, Any]
    key: str
    "The record's id, or what we call it until we are told."
    value: Any
    idem: str = ""
    "The request key; empty for what does not write."
    learn: Callable[[Answer], None] = _nothing
    "Called once, when it is known to be done."
    hears: str = ""
    "The token of somebody else's session, without which it might not be possible yet."


def deed_of(draw: Draw, own: Own, board: Board, node: str) -> Deed:
    """What a draw comes to, given what is there, for a session that is at this node."""
    own.asked += 1
    return _MAKERS[draw.f](_Making(draw, own, board, node))


@dataclass(slots=True)
class _Making:
    draw: Draw
    own: Own
    board: Board
    node: str = ""

    @property
    def word(self) -> str:
        """Ends in a letter, so that none is the beginning of another one."""
        return f"{self.own.label}n{self.own.asked}z"

    def write(
        self, f: str, operation: str, key: str, value: Any, fields: Mapping[str, Any],
        learn: Callable[[Answer], None] = _nothing, hears: str = "",
    ) -> Deed:  # fmt: skip
        """A deed with a request key of its own."""
        idem = f"{self.board.root}/{self.own.label}/{self.own.asked}"
        options: dict[str, Any] = {"request_key": idem}
        if self.draw.pending_allowed:
            options["allow_pending"] = True
        if self.draw.hurried:
            options["deadline_ms"] = HURRIED_MS
        return Deed(f, operation, {**fields, "options": options}, key, value, idem, learn, hears)

    def one(self) -> Known | None:
        """A record to edit: often one that others edit too."""
        live = self.own.those("live")
        if self.board.shared and (self.draw.shared or not live):
            return pick(self.board.shared, self.draw.which)
        return pick(live, self.draw.which) if live else None

    def spare(self) -> Known | None:
        """A live record that may be taken away."""
        live = self.own.those("live")
        return pick(live, self.draw.which) if len(live) > LIVE_MIN else None


def _put(it: _Making) -> Deed:
    word = it.word
    title = f"{word} {pick(COLOURS, it.draw.which)}"
    content = f"What {it.own.label} said, number {it.own.asked}: {pick(COLOURS, it.draw.other)}."
    return _store(it, title, content, word)


def stored(own: Own, board: Board, title: str, content: str, word: str) -> Deed:
    """A put into a namespace, for the records that are there before anyone draws."""
    own.asked += 1
    plain = Draw(
        "put", 0, 0, shared=False, hops=False, pending_allowed=False, hurried=False, pause=0
    )
    return _store(_Making(plain, own, board), title, content, word)


def _store(it: _Making, title: str, content: str, word: str) -> Deed:
    own = it.own
    fields = {
        "title": title, "content": content, "namespace": own.namespace, "on_conflict": "new",
        "source": "chaos",
    }  # fmt: skip
    value = {"title": title, "content": content, "namespace": own.namespace}
    return it.write(
        "put", "Store", title, value, fields, lambda told: own.known.append(Known(told.id, word))
    )


def _update(it: _Making) -> Deed:
    one = it.one()
    if one is None:
        return _put(it)
    said: dict[str, Any] = {"content": f"Edited by {it.own.label}, number {it.own.asked}."}
    if it.draw.other < 0.3:
        said["priority"] = 1 + int(it.draw.other * 30)
    return it.write("update", "Update", one.id, said, {"id": one.id, **said})


def _tag(it: _Making) -> Deed:
    one = it.one()
    if one is None:
        return _put(it)
    tags = [pick(TAGS, it.draw.other)]
    return it.write("tag", "Update", one.id, {"add": tags}, {"id": one.id, "tags": tags})


def _untag(it: _Making) -> Deed:
    one = it.one()
    if one is None:
        return _put(it)
    tags = [pick(TAGS, it.draw.other)]
    fields = {"id": one.id, "remove_tags": tags}
    return it.write("untag", "Update", one.id, {"remove": tags}, fields)


def _link(it: _Making) -> Deed:
    live = it.own.those("live")
    source = pick(live, it.draw.which) if live else None
    targets = [one for one in (*it.board.shared, *live) if one is not source]
    if source is None or not targets:
        return _put(it)
    target = pick(targets, it.draw.other)
    relation = pick(RELATIONS, it.draw.other)
    said = {"source_id": source.id, "target_id": target.id, "relation": relation}

    def learn(told: Answer) -> None:
        it.own.stated.append(Stated(told.id, source.id, target.id, relation))

    return it.write("link", "Link", f"link {it.word}", said, said, learn)


def _invalidate(it: _Making) -> Deed:
    if not it.own.stated:
        return _link(it)
    one = pick(it.own.stated, it.draw.which)
    said = {"source_id": one.source_id, "target_id": one.target_id, "relation": one.relation}

    def learn(_told: Answer) -> None:
        it.own.stated[:] = [each for each in it.own.stated if each.id != one.id]

    return it.write("invalidate", "KgInvalidate", one.id, said, said, learn)


def _delete(it: _Making) -> Deed:
    one = it.spare()
    if one is None:
        return _put(it)
    return it.write("delete", "Delete", one.id, None, {"id": one.id}, _becomes(one, "deleted"))


def _archive(it: _Making) -> Deed:
    one = it.spare()
    if one is None:
        return _put(it)
    fields = {"ids": [one.id], "reason": "chaos"}
    return it.write("archive", "Archive", one.id, None, fields, _becomes(one, "archived"))


def _restore(it: _Making) -> Deed:
    archived = it.own.those("archived")
    if not archived:
        return _archive(it)
    one = pick(archived, it.draw.which)
    return it.write(
        "restore", "ArchiveRestore", one.id, None, {"id": one.id}, _becomes(one, "live")
    )


def _becomes(one: Known, life: Any) -> Callable[[Answer], None]:
    def learn(_told: Answer) -> None:
        one.life = life

    return learn


def _promote(it: _Making) -> Deed:
    one = it.one()
    if one is None:
        return _put(it)
    return it.write("promote", "Promote", one.id, {"tier": "long"}, {"id": one.id})


def _vote(it: _Making) -> Deed:
    """Decide what somebody asked for on another node, or else ask for something."""
    others = [one for one in it.board.waiting if one.node != it.node]
    if not others:
        return _ask(it)
    one = pick(others, it.draw.which)
    it.board.waiting.remove(one)  # whatever comes of it: what was decided cannot be decided again
    rejects = it.draw.other < 0.2
    operation = "PendingReject" if rejects else "PendingApprove"
    said = {"reject" if rejects else "approve": one.id}
    return it.write("vote", operation, one.id, said, {"id": one.id}, hears=one.token)


def _ask(it: _Making) -> Deed:
    title = f"{it.word} proposal"
    fields = {
        "title": title, "content": f"Proposed by {it.own.label}.", "namespace": it.board.votes,
        "on_conflict": "new", "source": "chaos",
    }  # fmt: skip

    def learn(told: Answer) -> None:
        if told.id:  # else it was done at once: the rule had not come to that node
            it.board.waiting.append(Waiting(told.id, told.node, told.token))

    return it.write("vote", "Store", title, {"ask": title}, fields, learn)


def _count(it: _Making) -> Deed:
    one = it.one()
    if one is None:
        return _put(it)
    said = {"context": one.word, "namespace": f"{it.board.root}/*", "limit": 1, "mode": "keyword"}
    return Deed("count", "Recall", said, one.id, {"context": one.word})


def _read(it: _Making) -> Deed:
    """By id, by the namespace, or by a word."""
    known = [*it.own.known, *it.board.shared]
    if it.draw.other < 0.3 or not known:
        fields = {"namespace": it.own.namespace, "limit": 1000}
        return Deed("read", "List", fields, "", {"list": it.own.namespace})
    one = pick(known, it.draw.which)
    if it.draw.other < 0.45:
        fields = {"query": one.word, "namespace": f"{it.board.root}/*"}
        return Deed("read", "Search", fields, "", {"search": one.word})
    return got(one.id)


def got(record_id: str) -> Deed:
    """A read of one memory."""
    return Deed("read", "Get", {"id": record_id}, record_id, {"get": record_id})


_MAKERS: Final[Mapping[str, Callable[[_Making], Deed]]] = {
    "put": _put, "update": _update, "tag": _tag, "untag": _untag, "link": _link,
    "invalidate": _invalidate, "delete": _delete, "promote": _promote, "archive": _archive,
    "restore": _restore, "vote": _vote, "count": _count, "read": _read,
}  # fmt: skip
