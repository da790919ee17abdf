"""Let a language model on this machine say other words for a question, where one is configured.

It is asked for nothing else, and nothing depends on it: what it says only adds words to look for,
and when it is slow or talks nonsense the question stays as it is.
"""

from __future__ import annotations

import re
from typing import Final

from aimem_node.operations.call import ReadCall
from aimem_node.store.words import STOP_WORDS, spelled

WORDS_MAX: Final = 16
WORD_CHARS_MIN: Final = 2
WORD_CHARS_MAX: Final = 40
QUERY_CHARS: Final = 1_000
"""Of the question, what the model is shown."""
ANSWER_CHARS: Final = 4_000
_THOUGHT: Final = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
"""What some models say to themselves before they answer."""


def expand(call: ReadCall, query: str, budget_s: float) -> tuple[tuple[str, ...], str]:
    """Words that notes on the question may use, the likeliest first and none of the question's own;
    and why there are none, if the model could not be asked."""
    told, unavailable = ask(call, _prompt(query), budget_s)
    if unavailable:
        return (), unavailable
    own = set(spelled(query))
    words = [word for word in spelled(told) if word not in own and _is_word(word)]
    if not words:
        return (), "the language model named no other words"
    return tuple(words[:WORDS_MAX]), ""


def ask(call: ReadCall, prompt: str, budget_s: float) -> tuple[str, str]:
    """What the language model answers, without its thoughts; and why it does not, if so."""
    told = call.embedding.llm(prompt, budget_s)
    return _THOUGHT.sub("", told.text)[:ANSWER_CHARS].strip(), told.unavailable


def _prompt(query: str) -> str:
    shown = " ".join(query[:QUERY_CHARS].split())
    return (
        "Somebody looks for a note by a question. Which other single words may stand in a note that"
        f" answers it: synonyms, and names of what it is about? Give at most {WORDS_MAX} words in"
        " the language of the question, the likeliest first, joined by commas, and nothing else."
        f"\n\nQuestion: {shown}\n\nWords:"
    )


def _is_word(word: str) -> bool:
    return word not in STOP_WORDS and WORD_CHARS_MIN <= len(word) <= WORD_CHARS_MAX
