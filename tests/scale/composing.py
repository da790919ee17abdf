"""Vectors for a million memories without a day of embedding: each is put together from the vectors
that the model gives the sentences of the memory.

A memory of the bench is one to three sentences out of some thousand, so each of these is embedded
once. The sum of a text's sentences, at length 1, lies near the text's own vector; a little noise,
the same for the same row, keeps equal texts from having equal vectors.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

NOISE = 0.05
"""Length of what is added to a vector of length 1: a cosine of 0.9987 to itself without."""
EMBED_AT_ONCE = 16
TOLD_EVERY = 1_000

Matrix = Any
"""float32, (count, dimension), rows of length 1."""
Embed = Callable[[Sequence[str]], Matrix]

_NAME = re.compile(r"\s*\([a-z]+\)$")
_END = re.compile(r"(?<=[.!?])\s+")


class Sentences:
    """Texts taken apart into the sentences that they were put together from."""

    def __init__(self, known: Iterable[str]) -> None:
        self.known = sorted({one.strip() for one in known if one.strip()})
        self._by_start: dict[str, list[str]] = {}
        for one in sorted(self.known, key=len, reverse=True):
            self._by_start.setdefault(one.split(maxsplit=1)[0], []).append(one)

    def of(self, content: str) -> list[str]:
        """The sentences of a memory, without its invented name. What is none of the known ones is
        split where sentences end."""
        rest = _NAME.sub("", content).strip()
        found = []
        while rest:
            first = next((one for one in self._starting(rest) if _begins(rest, one)), None)
            if first is None:
                first = _END.split(rest, maxsplit=1)[0]
            found.append(first)
            rest = rest[len(first) :].strip()
        return found

    def _starting(self, text: str) -> list[str]:
        return self._by_start.get(text.split(maxsplit=1)[0], [])


def _begins(text: str, sentence: str) -> bool:
    after = text[len(sentence) : len(sentence) + 1]
    return text.startswith(sentence) and (not after or after.isspace())


class Composer:
    """Makes the vectors of memories from those of their sentences."""

    def __init__(self, sentences: Sentences, embed: Embed) -> None:
        self._sentences = sentences
        self._embed = embed
        self._vectors: dict[str, Matrix] = {}

    def learn(self, say: Callable[[str], None], cache: Path | None = None) -> None:
        """Embed every known sentence, or read what was embedded before from the cache."""
        known = self._sentences.known
        mark = hashlib.sha256("\n".join(known).encode()).hexdigest()[:16]
        kept = cache.with_name(f"{cache.name}-{mark}.npy") if cache is not None else None
        if kept is not None and kept.is_file():
            self._vectors = dict(zip(known, np.load(kept), strict=True))
            return
        # Texts of one length together: the model pads each lot to its longest.
        waiting = sorted(known, key=len)
        for at in range(0, len(waiting), EMBED_AT_ONCE):
            self._take(waiting[at : at + EMBED_AT_ONCE])
            if at % TOLD_EVERY < EMBED_AT_ONCE:
                say(f"{at:,} of {len(waiting):,} sentences embedded")
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.save(kept, np.stack([self._vectors[one] for one in known]))

    def vector(self, content: str, seed: int) -> Matrix:
        """The vector of one memory; the same for the same content and seed. (dimension,)"""
        parts = self._sentences.of(content)
        missing = [one for one in parts if one not in self._vectors]
        if missing:
            self._take(missing)
        total = np.sum([self._vectors[one] for one in parts], axis=0)
        total /= np.linalg.norm(total)
        noise = np.random.default_rng(seed).standard_normal(total.shape, dtype=np.float32)
        found = total + noise * (NOISE / np.sqrt(total.shape[0]))
        return (found / np.linalg.norm(found)).astype(np.float32)

    def _take(self, texts: Sequence[str]) -> None:
        self._vectors.update(zip(texts, self._embed(texts), strict=True))
