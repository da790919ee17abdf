"""Memories and questions to measure with, in words that people use.

Words drawn evenly from a list would be a gift to a full-text index: every term rare, every
posting list short. Here sentences of real conversations are put together, so that the
frequent words are as frequent as in speech, and each memory gets an invented name, most of
them rare, as ticket numbers and surnames are. One seed: two runs store the same text.
"""

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from aimem_node.contract.values import StoreRequest, Tier
from aimem_node.gateways.demo.conversation import Conversation

SEED = 20_240
NAMES = 20_000
FREQUENT_WORDS = 60
NAMESPACE = "bench/spoken"

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_WORD = re.compile(r"[^\W\d_]{3,}")
_SYLLABLES = ("ba", "del", "fi", "gor", "hu", "jen", "ka", "lum", "mi", "nor", "pe", "quo",
              "ras", "sil", "tav", "ul", "vex", "wim", "yar", "zo")  # fmt: skip


class Words:
    """An endless supply of memories and of questions about them."""

    def __init__(self, conversations: Sequence[Conversation]) -> None:
        """Take the vocabulary of the conversations; they must hold something."""
        self._chance = random.Random(SEED)  # noqa: S311 - text to measure with, not secrets
        texts = [turn.text for each in conversations for turn in each.turns]
        self.sentences = [part for text in texts for part in _SENTENCE.split(text) if part.strip()]
        assert self.sentences, "a conversation without a sentence"
        self._questions = [asked.text for each in conversations for asked in each.questions]
        self._unasked = self._shuffled()
        counted = Counter(word.lower() for text in texts for word in _WORD.findall(text))
        self.frequent = [word for word, _ in counted.most_common(FREQUENT_WORDS)]
        self._made = 0

    def memories(self, count: int, namespace: str = NAMESPACE) -> Iterator[StoreRequest]:
        """The next `count` memories, each with a title of its own."""
        for _ in range(count):
            self._made += 1
            name = self._name()
            said = " ".join(self._chance.choices(self.sentences, k=self._chance.randint(1, 3)))
            title = f"{name.capitalize()} {self._made}: {' '.join(said.split()[:6])}"
            yield StoreRequest(
                title=title[:200],
                content=f"{said} ({name})",
                namespace=namespace,
                tier=Tier.LONG,
                priority=self._chance.randint(3, 8),
            )

    def questions(self, count: int) -> list[str]:
        """Questions as people ask them; sentences when the conversations come without."""
        return self._chance.choices(self._questions or self.sentences, k=count)

    def new_questions(self, count: int) -> list[str]:
        """Questions that were not given before, so that nothing can have kept their answers; when
        all were given, sentences, and then all of them again."""
        found: list[str] = []
        while len(found) < count:
            if not self._unasked:
                self._unasked = self._shuffled()
            found.append(self._unasked.pop())
        return found

    def _shuffled(self) -> list[str]:
        """Every question and, to be taken after them, every sentence; each text once."""
        chance = random.Random(SEED)  # noqa: S311 - its own, so that memories stay the same
        questions = list(dict.fromkeys(self._questions))
        others = [one for one in dict.fromkeys(self.sentences) if one not in set(questions)]
        chance.shuffle(questions)
        chance.shuffle(others)
        return [*others, *questions]

    def frequent_queries(self, count: int) -> list[str]:
        """Five words each, all among the most frequent there are: the worst case of a recall."""
        return [
            " ".join(self._chance.sample(self.frequent, min(5, len(self.frequent))))
            for _ in range(count)
        ]

    def pairs(self, count: int) -> list[str]:
        """Two neighbouring words of a sentence, as people search."""
        found: list[str] = []
        while len(found) < count:
            words = _WORD.findall(self._chance.choice(self.sentences))
            if len(words) >= 2:
                at = self._chance.randrange(len(words) - 1)
                found.append(f"{words[at]} {words[at + 1]}")
        return found

    def _name(self) -> str:
        """Few names often, most of them hardly ever."""
        number = int(self._chance.paretovariate(0.7)) % NAMES
        parts = []
        for _ in range(4):
            number, part = divmod(number, len(_SYLLABLES))
            parts.append(_SYLLABLES[part])
        return "".join(parts)
