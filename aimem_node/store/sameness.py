"""Which memories say the same, and which speak of the same.

Both are kept with a memory's row and looked up by an index, so that a second copy is found among a
million at the price of one step, however common its words are. What is computed here stands in
files: to change it takes a migration that computes it again.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

TOPIC_CHARS_MAX: Final = 512
"""As long as a title may be. A topic in metadata may be longer and is then known by its start."""


def normalised(text: str) -> str:
    """A text without what readers pass over: case, spacing, width of letters, invisible marks."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = "".join(one for one in text if unicodedata.category(one) != "Cf")
    return " ".join(text.casefold().split())


def fingerprint(title: str, content: str) -> int:
    """A number that all memories of one normalised text share; 64 bits with a sign.

    Others may share it too, by chance or by somebody's art: compare the texts with `is_same`.
    """
    said = f"{normalised(title)}\n{normalised(content)}"  # no normalised text holds a new line
    hashed = hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(hashed, "big", signed=True)


def is_same(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two (title, content) are one text, normalised."""
    return all(normalised(a) == normalised(b) for a, b in zip(one, other, strict=True))


def topic_of(title: str, metadata: Mapping[str, Any]) -> str:
    """What a memory speaks of, normalised: the topic in its metadata, else its title."""
    topic = metadata.get("topic")
    said = normalised(topic[: 2 * TOPIC_CHARS_MAX]) if isinstance(topic, str) else ""
    return (said or normalised(title))[:TOPIC_CHARS_MAX]
