"""The records of an export file, ours or ai-memory's, one after the other.

A file is read twice: once to see whether it is whole, once to send it. What comes from a pipe
is put into a file first, since half of an export must not go in before the other half has been
seen to be missing.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile

from aimem_node.gateways.cli import failures
from aimem_node.gateways.cli.proof import KINDS, Proof

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

    Item = tuple[str, str, dict[str, Any]]
    """Kind ("memory" or "link"), where it stands ("line 7"), content."""

AI_MEMORY_FIELDS = (
    "id", "tier", "namespace", "title", "content", "tags", "priority", "confidence", "source",
    "access_count", "created_at", "updated_at", "last_accessed_at", "expires_at", "metadata",
)  # fmt: skip
AI_MEMORY_LINK_FIELDS = (
    "source_id", "target_id", "relation", "created_at", "valid_from", "valid_until", "observed_by",
)  # fmt: skip
SCOPES = ("private", "team", "unit", "org", "collective")


class Records:
    """One export, opened."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.problems: list[str] = []
        """Why it is not whole; empty if it is."""
        self.memories = 0
        self.links = 0
        self.left_out: dict[str, int] = {}
        """Fields of ai-memory that have no place here, with how often they were set."""
        self._foreign = self._read_foreign()
        if self._foreign is None:
            self._check()
        else:
            self.memories = len(self._foreign["memories"])
            self.links = len(self._foreign.get("links") or [])
            self._check_foreign()

    @classmethod
    def open(cls, name: str) -> Records:
        """From a file, or from stdin if the name is "-". Raises CallFailure."""
        if name == "-":
            return cls(_spooled(sys.stdin.buffer))
        try:
            return cls(open(os.path.expanduser(name), "rb"))
        except OSError as error:
            raise failures.CallFailure(
                "NOT_FOUND", f"cannot read {name}: {error.strerror or error}",
                next_step="Name an export, or - for standard input.",
            ) from None  # fmt: skip

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def memory_items(self) -> Iterator[Item]:
        """Every memory, with where it stands."""
        return self._items("memory")

    def link_items(self) -> Iterator[Item]:
        """Every link, with where it stands."""
        return self._items("link")

    def _items(self, wanted: str) -> Iterator[Item]:
        if self._foreign is not None:
            rows = self._foreign["memories" if wanted == "memory" else "links"] or []
            translate = self._memory if wanted == "memory" else self._link
            for number, row in enumerate(rows, 1):
                yield wanted, f"{wanted} {number}", translate(row)
            return
        self._file.seek(0)
        proof = Proof()
        for number, line in enumerate(self._file, 1):
            if not line.strip():
                continue
            kind, content = proof.take(line)
            if kind == wanted and isinstance(content, dict):
                yield kind, f"line {number}", content

    def _check(self) -> None:
        proof = Proof()
        self._file.seek(0)
        for line in self._file:
            if line.strip():
                proof.take(line)
        self.memories, self.links = proof.memories, proof.links
        self.problems = proof.problems()
        if proof.header is None and proof.trailer is None and not (proof.memories or proof.links):
            raise failures.usage(
                "this is neither an export of aimem nor of ai-memory",
                "Make one with: aimem export FILE (or ai-memory export)",
            )

    def _read_foreign(self) -> dict[str, Any] | None:
        """The one JSON object that an ai-memory export is, or None for JSON lines."""
        self._file.seek(0)
        first = b""
        for line in self._file:
            first = line.strip()
            if first:
                break
        try:
            record = json.loads(first)
            if not isinstance(record, dict) or any(kind in record for kind in KINDS):
                return None
        except ValueError:
            if not first.startswith(b"{"):
                return None
        self._file.seek(0)
        try:
            whole = json.loads(self._file.read())
        except ValueError:
            return None
        ours = isinstance(whole, dict) and isinstance(whole.get("memories"), list)
        return whole if ours else None

    def _check_foreign(self) -> None:
        assert self._foreign is not None
        said = self._foreign.get("count")
        if isinstance(said, int) and said != self.memories:
            self.problems.append(f"it says {said} memories, there are {self.memories}")
        for name in ("memories", "links"):
            rows = self._foreign.get(name) or []
            if not all(isinstance(row, dict) for row in rows):
                raise failures.usage(f"its {name} are not all JSON objects", path=f"$.{name}")

    def _memory(self, row: dict[str, Any]) -> dict[str, Any]:
        """An ai-memory memory as ours: who said it and who may see it leave the metadata."""
        memory = {name: row[name] for name in AI_MEMORY_FIELDS if row.get(name) is not None}
        for name in row:
            if name not in AI_MEMORY_FIELDS:
                self.left_out[name] = self.left_out.get(name, 0) + 1
        metadata = memory.get("metadata")
        if isinstance(metadata, dict):
            metadata = dict(metadata)
            agent_id = metadata.get("agent_id")
            if isinstance(agent_id, str) and agent_id:
                memory["agent_id"] = metadata.pop("agent_id")
            if metadata.get("scope") in SCOPES:
                memory["scope"] = metadata.pop("scope")
            memory["metadata"] = metadata
        return memory

    def _link(self, row: dict[str, Any]) -> dict[str, Any]:
        for name in row:
            if name not in AI_MEMORY_LINK_FIELDS:
                self.left_out[name] = self.left_out.get(name, 0) + 1
        return {name: row[name] for name in AI_MEMORY_LINK_FIELDS if row.get(name) is not None}


def _spooled(source: BinaryIO) -> BinaryIO:
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed by Records.close()
    while chunk := source.read(1 << 20):
        spool.write(chunk)
    return spool
