"""Make memories of what was found: whole messages together, as long as a memory can be.

A long conversation becomes several memories, and nothing of it is dropped. Parts are filled one
after the other, so a conversation that grows changes its last part and adds more. The id of a
memory is made from what it is a part of, never from what it says: mining once more, or on another
node, names the same record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aimem_node.contract.times import show_time
from aimem_node.gateways.cli.mining.found import Found, Message, one_line, plain, tags_of

PART_BYTES_MAX = 60_000
"""A memory holds 65,536 bytes; the rest is room for people to add to it."""
ID_PREFIX = "mine-"
HASH = "mined_hash"
"""Metadata: what the source said when it was mined, so that a change here is not one there."""
AUTHOR = "imported_from_agent_id"
"""Metadata: who said it there. The author here is whoever mines (promise D10)."""
SESSION_BYTES_MAX = 256
CONVERSATION_CONFIDENCE = 0.8
"""What was said in a conversation is less certain than what somebody wrote down as a note."""
PRIORITY = 5
LIFE_S = {"short": 6 * 3600, "mid": 7 * 86400, "long": None}
"""As the contract promises of each tier; a test compares it with the node's own figures."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A memory to be."""

    where: str
    memory: dict[str, Any]
    "As the contract's JSON has it, with its id."
    content_hash: str


@dataclass(frozen=True, slots=True)
class Maker:
    """What all memories of one run have in common."""

    format: str
    namespace: str
    "Where to put what does not say so itself."
    tier: str
    who: str
    "Who mines. Two people who mine the same source have memories of their own."
    now_us: int
    namespace_given: bool = False
    "It was asked for, so it wins over what the source says."

    def drafts(self, found: Found) -> Iterator[Draft]:
        """The memories of one conversation or note, one for each part."""
        if found.is_note:
            texts = [(text, found.at_us) for text in split_text(plain(found.text))]
        else:
            texts = parts_of(found.messages)
        for number, (text, at_us) in enumerate(texts, 1):
            yield self._draft(found, number, len(texts), text, at_us)

    def _draft(self, found: Found, number: int, parts: int, text: str, at_us: int | None) -> Draft:
        fields = dict(found.fields)
        tier = fields.pop("tier", self.tier)
        namespace = fields.pop("namespace", self.namespace)
        if self.namespace_given:
            namespace = self.namespace
        content_hash = sha256(text, str(number), str(parts))
        metadata: dict[str, Any] = dict(found.metadata)
        metadata |= {"mined_from": found.where, "part": number, "parts": parts}
        metadata[HASH] = content_hash
        title = one_line(found.title, 480) or one_line(text) or found.key[:100]
        memory: dict[str, Any] = {
            "id": ID_PREFIX
            + sha256(namespace, self.who, self.format, found.key, str(number), length=32),
            "title": title if number == 1 else f"{title} (part {number})",
            "content": text,
            "namespace": namespace,
            "tier": tier,
            "priority": PRIORITY,
            "confidence": 1.0 if found.is_note else CONVERSATION_CONFIDENCE,
            "source": "import",
            "tags": list(tags_of(f"mine-{self.format}", *found.tags))[:50],
            "session": session_of(found.session or found.key),
            "metadata": metadata,
        }
        at_us = found.at_us if at_us is None else at_us
        if at_us is not None:
            memory["happened_at"] = show_time(at_us)
        life_s = LIFE_S.get(tier)
        if life_s is not None:
            memory["expires_at"] = show_time(self.now_us + life_s * 1_000_000)
        return Draft(found.where, memory | fields, content_hash)


def parts_of(messages: tuple[Message, ...]) -> list[tuple[str, int | None]]:
    """`[role]: text` lines in parts of at most PART_BYTES_MAX, each with its first time.

    Parts end where messages end, except for a message that is too long for a part.
    """
    parts: list[tuple[str, int | None]] = []
    lines: list[str] = []
    at_us: int | None = None
    size = 0

    def close() -> None:
        nonlocal size, at_us
        if lines:
            parts.append(("\n".join(lines), at_us))
        lines.clear()
        size, at_us = 0, None

    for message in messages:
        role = one_line(message.role, 64) or "unknown"
        for piece in split_text(plain(message.text), PART_BYTES_MAX - len(role.encode()) - 4):
            line = f"[{role}]: {piece}"
            line_bytes = len(line.encode()) + 1
            if size + line_bytes > PART_BYTES_MAX + 1:
                close()
            if at_us is None:
                at_us = message.at_us
            lines.append(line)
            size += line_bytes
    close()
    return parts


def split_text(text: str, bytes_max: int = PART_BYTES_MAX) -> list[str]:
    """The text in pieces of at most so many bytes: between paragraphs if possible, else between
    lines, else anywhere between characters. Only spaces and line breaks at the ends are lost."""
    pieces: list[str] = []
    raw = text.encode()
    begin = 0
    while begin < len(raw):
        window = raw[begin : begin + bytes_max].decode(errors="ignore")
        if begin + bytes_max < len(raw):
            for border in ("\n\n", "\n", " "):
                at = window.rfind(border)
                if at > len(window) // 2:
                    window = window[:at]
                    break
        begin += len(window.encode())
        while raw[begin : begin + 1] in (b"\n", b" "):
            begin += 1
        if window.strip():
            pieces.append(window.rstrip("\n "))
    return pieces


def session_of(key: str) -> str:
    """A key as a session's name: on one line, and replaced by its hash when it is too long."""
    name = one_line(key, 4 * SESSION_BYTES_MAX)
    return name if len(name.encode()) <= SESSION_BYTES_MAX else sha256(key, length=32)


def sha256(*parts: str, length: int = 32) -> str:
    """A hash of texts of which none can run into the next."""
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        total.update(b"%d:" % len(raw) + raw)
    return total.hexdigest()[:length]
