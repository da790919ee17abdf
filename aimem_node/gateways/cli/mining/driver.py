"""Take what a reader finds to the node: in pages, once, and with an account of all of it.

New memories go in pages through Import, which takes ids, so a page that is sent twice and two
minings at once make nothing double. One that has changed is updated in its text alone: tags,
tier, title and place may have been changed by people since.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from aimem_node.gateways.cli import importing
from aimem_node.gateways.cli.call import KEY, Caller
from aimem_node.gateways.cli.failures import CallFailure
from aimem_node.gateways.cli.mining.chats import Item
from aimem_node.gateways.cli.mining.composing import Draft, Maker
from aimem_node.gateways.cli.mining.found import Found, Unfit
from aimem_node.gateways.cli.mining.known import Fate, Known
from aimem_node.gateways.cli.mining.tally import Tally
from aimem_node.gateways.cli.proof import canonical


class Sender:
    """Sends drafts to the node."""

    def __init__(
        self, caller: Caller, operations: dict[str, dict[str, Any]], tally: Tally,
        values: dict[str, Any],
    ) -> None:  # fmt: skip
        self._caller = caller
        self._operations = operations
        self._tally = tally
        self._values = values
        self._counts = importing.Tally()
        # Of this run and not of the content: what was deleted here comes back when it is mined
        # again, and the ids see to it that nothing is there twice.
        self._key = "mine-" + os.urandom(12).hex()
        self._importer = importing.Importer(
            caller, operations["import"], values | {KEY: self._key}, self._counts
        )
        self._page: list[tuple[str, str, dict[str, Any]]] = []
        self._page_bytes = 0
        self._updates = 0

    def add(self, draft: Draft) -> None:
        """Put a new memory on the page, and send the page when it is full. Raises CallFailure."""
        size = len(canonical(draft.memory)) + 1
        is_full = len(self._page) == importing.RECORDS_PER_PAGE
        if self._page and (is_full or self._page_bytes + size > importing.PAGE_BYTES_MAX):
            self.flush()
        self._page.append(("memory", draft.where, draft.memory))
        self._page_bytes += size

    def flush(self) -> None:
        """Send what is on the page. Raises CallFailure; then it is not known to be stored."""
        page, self._page, self._page_bytes = self._page, [], 0
        if not page:
            return
        refused_before = len(self._counts.refused)
        before = dict(self._counts.done)
        self._importer.send("memories", page)
        for where, title, failure in self._counts.refused[refused_before:]:
            self._tally.refuse(where, title, failure)
        gained = {name: self._counts.done[name] - before[name] for name in before}
        self._tally.stored += gained["imported"]
        # Known to the node although nobody was told: deleted here, or mined by two at once.
        self._tally.updated += gained["updated"]
        self._tally.unchanged += gained["unchanged"]
        self._tally.waiting_pages = self._counts.waiting
        self._tally.unaccounted = self._counts.unaccounted
        self._tally.pending = self._counts.pending or self._tally.pending

    def update(self, draft: Draft) -> None:
        """Give a memory that is there its new text. Raises CallFailure."""
        self._updates += 1
        record_id = draft.memory["id"]
        try:
            said = self._caller.call(self._operations["get"], {"id": record_id})
            there = json.loads(said).get("memory") or {}
            values = {
                "id": record_id,
                "content": draft.memory["content"],
                "metadata": (there.get("metadata") or {}) | draft.memory["metadata"],
                KEY: f"{self._key}:u{self._updates}",
            }
            if self._values.get("agent_id"):
                values["agent_id"] = self._values["agent_id"]
            answer = importing.answered(self._caller, self._operations["update"], values)
        except CallFailure as failure:
            if failure.code not in ("NOT_FOUND", "CONFLICT", "PERMISSION_DENIED",
                                    "INVALID_ARGUMENT"):  # fmt: skip
                raise
            self._tally.refuse(draft.where, draft.memory["title"], failure)
            return
        write = json.loads(answer).get("write")
        if isinstance(write, dict) and write.get("outcome", "committed") != "committed":
            self._tally.pending = write
            if write["outcome"] == "awaiting_approval":
                self._tally.waiting_updates += 1
                return
        self._tally.updated += 1


class Driver:
    """One run."""

    def __init__(
        self, maker: Maker, known: Known, sender: Sender, tally: Tally, *, min_messages: int,
        strict: bool,
    ) -> None:  # fmt: skip
        self._maker = maker
        self._known = known
        self._sender = sender
        self._tally = tally
        self._min_messages = min_messages
        self._strict = strict

    def run(self, items: Iterable[Item], moved: Callable[[], None]) -> None:
        """Take in everything that a reader yields; `moved` is told after each.

        What ends it early stands in the tally.
        """
        tally = self._tally
        try:
            for item in items:
                self._take(item)
                moved()
            self._sender.flush()
        except CallFailure as failure:
            tally.stopped = failure
        except KeyboardInterrupt:
            tally.interrupted = True

    def _take(self, item: Item) -> None:
        tally = self._tally
        if isinstance(item, Unfit):
            tally.leave_out(item)
            if self._strict and item.broken:
                self._sender.flush()
                raise CallFailure(
                    "CORRUPT", f"{item.where}: {item.reason}",
                    next_step="Mend it, or mine without --strict: then it is left out and named.",
                )  # fmt: skip
            return
        if not item.is_note and len(item.messages) < self._min_messages:
            reason = f"fewer than {self._min_messages} messages"
            tally.leave_out(Unfit(item.where, reason, broken=False))
            return
        self._store(item)

    def _store(self, found: Found) -> None:
        tally = self._tally
        tally.found += 1
        for draft in self._maker.drafts(found):
            tally.memories += 1
            match self._known.fate(draft):
                case Fate.NEW:
                    if tally.dry_run:
                        tally.stored += 1
                    else:
                        self._sender.add(draft)
                case Fate.CHANGED:
                    if tally.dry_run:
                        tally.updated += 1
                    else:
                        self._sender.update(draft)
                case Fate.UNCHANGED:
                    tally.unchanged += 1
                case Fate.ARCHIVED:
                    tally.archived += 1
                case Fate.TWIN:
                    tally.twins += 1
                case Fate.AGAIN:
                    tally.skipped["another version of one that came before it"] += 1
