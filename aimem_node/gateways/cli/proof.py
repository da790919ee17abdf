"""Whether an export is whole: counts and a hash over the canonical lines, against its last line."""

from __future__ import annotations

import hashlib
import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KINDS = ("header", "memory", "link", "trailer")
FORMAT = "aimem-export"
FORMAT_VERSION = 1


class Proof:
    """What has passed so far of one export."""

    def __init__(self) -> None:
        self.memories = 0
        self.links = 0
        self.header: dict[str, Any] | None = None
        self.trailer: dict[str, Any] | None = None
        self.after_trailer = 0
        self.unreadable: list[int] = []
        """Numbers of lines that are no record."""
        self._lines = 0
        self._sha = hashlib.sha256()

    def take(self, line: bytes) -> tuple[str, Any]:
        """Count one line in. Its kind ("" for what is no record) and its content."""
        self._lines += 1
        try:
            record = json.loads(line)
            kind = next(kind for kind in KINDS if record.get(kind) is not None)
        except (ValueError, AttributeError, StopIteration):
            self.unreadable.append(self._lines)
            return "", None
        if self.trailer is not None:
            self.after_trailer += 1
        if kind == "header":
            self.header = record[kind]
        elif kind == "trailer":
            self.trailer = record[kind]
        else:
            self._sha.update(canonical(record) + b"\n")
            self.memories += kind == "memory"
            self.links += kind == "link"
        return kind, record[kind]

    def hex(self) -> str:
        """The hash of the memory and link lines so far."""
        return self._sha.hexdigest()

    def problems(self) -> list[str]:
        """What is wrong with the whole, after its last line; empty if nothing is."""
        wrong = [f"line {number} is no record" for number in self.unreadable[:3]]
        if len(self.unreadable) > 3:
            wrong.append(f"{len(self.unreadable) - 3} more lines are no records")
        if self.header is not None and self.header.get("format") != FORMAT:
            wrong.append(f"its format is {self.header.get('format')!r} and not {FORMAT!r}")
        elif self.header is not None and int(self.header.get("version") or 0) > FORMAT_VERSION:
            wrong.append(f"its version {self.header.get('version')} is newer than this program")
        if self.trailer is None:
            return [*wrong, f"it ends early, after {self.memories} memories and {self.links} links"]
        for name, counted in (("memories", self.memories), ("links", self.links)):
            said = self.trailer.get(name)
            if said != counted:
                wrong.append(f"its last line says {said} {name}, there are {counted}")
        if not wrong and self.trailer.get("sha256") != self.hex():
            wrong.append("its content is not what was exported (sha256 differs)")
        if self.after_trailer:
            wrong.append(f"{self.after_trailer} lines follow its last line")
        return wrong


def canonical(value: Any) -> bytes:
    """The contract's canonical JSON text."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")
