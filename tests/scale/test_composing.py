"""Vectors put together from those of sentences, with a model that counts letters."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimem_node.gateways.demo import conversation
from aimem_node.gateways.operator.bench.words import Words
from tests.scale.composing import NOISE, Composer, Sentences

WORDS = Words(conversation.load(conversation.SAMPLE))


class Letters:
    """How often each letter occurs, at length 1."""

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def __call__(self, texts: Sequence[str]) -> Any:
        self.embedded.extend(texts)
        counts = [[1.0 + one.lower().count(chr(97 + at)) for at in range(26)] for one in texts]
        matrix = np.array(counts, dtype=np.float32)
        return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def test_a_memory_of_the_bench_is_taken_apart_into_the_sentences_it_was_made_of() -> None:
    known = {one.strip() for one in WORDS.sentences}
    sentences = Sentences(WORDS.sentences)
    for made in Words(conversation.load(conversation.SAMPLE)).memories(200):
        parts = sentences.of(made.content)
        assert set(parts) <= known
        assert " ".join(parts).split() == made.content.rsplit(" (", 1)[0].split()


def test_what_is_none_of_the_sentences_is_split_where_sentences_end() -> None:
    sentences = Sentences(["It is late."])
    assert sentences.of("It is late. Go home now! Please (baba)") == [
        "It is late.", "Go home now!", "Please",
    ]  # fmt: skip
    assert sentences.of("It is late.ish") == ["It is late.ish"]


def test_a_composed_vector_has_length_one_and_lies_at_the_sum_of_its_sentences() -> None:
    letters = Letters()
    composer = Composer(Sentences(["One day.", "Two zebras."]), letters)
    composer.learn(lambda _: None)
    found = composer.vector("One day. Two zebras. (baba)", 7)
    parts = letters(["One day.", "Two zebras."]).sum(axis=0)
    wanted = parts / np.linalg.norm(parts)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
    assert float(found @ wanted) > 1 - NOISE**2
    assert found.dtype == np.float32


def test_equal_texts_have_vectors_of_their_own_and_the_same_ones_each_time() -> None:
    composer = Composer(Sentences(["One day."]), Letters())
    first, second = (composer.vector("One day.", seed) for seed in (1, 2))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, composer.vector("One day.", 1))


def test_sentences_are_embedded_once_and_kept(tmp_path: Path) -> None:
    sentences = Sentences(["One day.", "Two zebras."])
    first, second = Letters(), Letters()
    made = [Composer(sentences, letters) for letters in (first, second)]
    for one in made:
        one.learn(lambda _: None, tmp_path / "kept" / "sentences")
    assert sorted(first.embedded) == sentences.known
    assert second.embedded == []
    assert np.array_equal(made[0].vector("One day.", 1), made[1].vector("One day.", 1))
