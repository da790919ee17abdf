"""The node's models at work: nobody waits longer than they said, and nothing is lost by it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.embedding.embedder import Space, Unavailable
from aimem_node.embedding.recipes import Recipe
from aimem_node.embedding.worker import AGAIN_AFTER_S, BATCH, Embedding

np = pytest.importorskip("numpy")

FOREVER_S = 30.0
SPACE = Space("a" * 32, "toy", 2, 8)
OLDER = Space("b" * 32, "older", 2, 8)


class Toy:
    """A model that says what it was given, and waits when it is told to."""

    def __init__(self, space: Space = SPACE) -> None:
        self.space = space
        self.asked: list[list[str]] = []
        self.entered = threading.Event()
        self.flowing = threading.Event()
        self.flowing.set()

    def embed(self, texts: Sequence[str]) -> Any:
        self.asked.append(list(texts))
        self.entered.set()
        assert self.flowing.wait(FOREVER_S)
        if "broken" in texts:
            raise Unavailable("it broke", "mend it")
        return np.array([[len(text), 1] for text in texts], dtype=np.float32)

    def question(self, text: str) -> Any:
        return np.array([len(text), 0.5], dtype=np.float32)

    def token_vectors(self, texts: Sequence[str]) -> list[Any]:
        self.asked.append(list(texts))
        return [np.ones((len(text.split()), 2), dtype=np.float32) for text in texts]


@pytest.fixture
def made() -> Iterator[Callable[..., Embedding]]:
    """Makes them, and closes them after the test."""
    those: list[Embedding] = []

    def make(load: Callable[[Any], Any] | None, **more: Any) -> Embedding:
        space = more.pop("space", None)
        those.append(Embedding(Recipe("toy", load, "there is none", "get one", space), **more))
        return those[-1]

    yield make
    for one in those:
        one.close()


def stalled(made: Callable[..., Embedding]) -> tuple[Toy, Embedding, Future[Any]]:
    """A model that hangs over the first batch of some memories."""
    toy = Toy()
    embedding = made(lambda _say: toy)
    toy.flowing.clear()
    passages = embedding.passages(["x" * n for n in range(3 * BATCH)], "", FOREVER_S)
    assert toy.entered.wait(FOREVER_S)
    return toy, embedding, passages


def test_nothing_is_loaded_before_it_is_needed(made: Any) -> None:
    loaded: list[bool] = []
    embedding = made(lambda _say: loaded.append(True) or Toy())
    assert (embedding.status().state, embedding.spaces(), loaded) == ("cold", (), [])
    assert embedding.query("four", FOREVER_S).vectors[SPACE.fingerprint].tolist() == [4, 1]
    assert (embedding.status().state, embedding.spaces()) == ("ready", (SPACE,))
    embedding.query("five", FOREVER_S)
    assert loaded == [True]


def test_a_question_is_not_waited_for_longer_than_its_budget_and_says_why(made: Any) -> None:
    toy, embedding, passages = stalled(made)
    late = embedding.query("late", 0.0)
    assert (late.vectors, late.unavailable) == ({}, "the model did not answer in time")
    toy.flowing.set()
    passages.result(FOREVER_S)
    assert embedding.query("late", FOREVER_S).vectors


def test_questions_go_before_memories_between_two_batches(made: Any) -> None:
    toy, embedding, passages = stalled(made)
    later = embedding.query_later("now")
    toy.flowing.set()
    assert later(FOREVER_S).vectors
    assert len(passages.result(FOREVER_S)) == 3 * BATCH
    assert toy.asked[1] == ["now"]
    assert len(toy.asked) == 4


def test_vectors_of_memories_come_in_the_order_of_the_texts(made: Any) -> None:
    toy = Toy()
    embedding = made(lambda _say: toy)
    rows = embedding.passages(["four", "a", "of three"], SPACE.fingerprint, FOREVER_S)
    assert rows.result(FOREVER_S)[:, 0].tolist() == [4, 1, 8]
    assert toy.asked == [["a", "four", "of three"]]  # texts of one length together


def test_memories_of_another_model_are_refused(made: Any) -> None:
    embedding = made(lambda _say: Toy())
    with pytest.raises(Failure, match="not what was asked for") as caught:
        embedding.passages(["a"], "c" * 32, FOREVER_S).result(FOREVER_S)
    assert caught.value.code == Code.UNAVAILABLE


def test_what_a_model_says_of_a_failure_reaches_who_asked(made: Any) -> None:
    embedding = made(lambda _say: Toy())
    assert embedding.query("broken", FOREVER_S).unavailable == "it broke"
    with pytest.raises(Failure, match="it broke") as caught:
        embedding.passages(["broken"], "", FOREVER_S).result(FOREVER_S)
    assert caught.value.next == "mend it"
    assert embedding.query("whole", FOREVER_S).vectors
    assert embedding.status().failures == 2


def test_a_crash_of_a_model_is_an_answer_too(made: Any) -> None:
    toy = Toy()
    toy.embed = lambda _texts: 1 / 0  # type: ignore[method-assign, assignment]
    embedding = made(lambda _say: toy)
    assert embedding.query("a", FOREVER_S).unavailable == "the model failed: division by zero"


def test_a_model_that_cannot_be_loaded_is_not_tried_at_every_question(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s, tries = [100.0], []

    def load(_say: Any) -> Toy:
        tries.append(now_s[0])
        if len(tries) < 3:
            raise Unavailable("no weights", "install them")
        return Toy()

    monkeypatch.setattr("aimem_node.embedding.worker.time.monotonic", lambda: now_s[0])
    embedding = made(load)
    for _ in range(3):
        assert embedding.query("a", FOREVER_S).unavailable == "no weights"
    assert len(tries) == 1
    status = embedding.status()
    assert (status.state, status.why, status.next) == ("failed", "no weights", "install them")
    for wait_s in AGAIN_AFTER_S[:2]:
        now_s[0] += wait_s
        embedding.query("a", FOREVER_S)
    assert len(tries) == 3
    assert embedding.status().state == "ready"


def test_a_model_that_hangs_is_called_stalled_and_asked_nothing_more(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [100.0]
    monkeypatch.setattr("aimem_node.embedding.worker.time.monotonic", lambda: now_s[0])
    toy, embedding, passages = stalled(made)
    now_s[0] += 31
    status = embedding.status()
    assert (status.state, status.why) == ("stalled", "the model has not answered for 31 s")
    assert status.next
    assert "has not answered" in embedding.query("b", FOREVER_S).unavailable
    assert embedding.token_vectors(["b"], FOREVER_S) is None
    now_s[0] -= 31
    toy.flowing.set()
    passages.result(FOREVER_S)


def test_a_text_that_is_only_asked_with_may_be_read_quicker_and_is_remembered_apart(
    made: Any,
) -> None:
    toy = Toy()
    embedding = made(lambda _say: toy)
    for _ in range(2):
        quick = embedding.query_later("four", quick=True)(FOREVER_S)
        exact = embedding.query("four", FOREVER_S)
        assert quick.vectors[SPACE.fingerprint].tolist() == [4, 0.5]
        assert exact.vectors[SPACE.fingerprint].tolist() == [4, 1]


def test_the_same_question_is_embedded_once(made: Any) -> None:
    toy = Toy()
    embedding = made(lambda _say: toy)
    first, again = (embedding.query("again", FOREVER_S) for _ in range(2))
    assert first is again
    assert toy.asked == [["again"]]


def test_a_node_without_a_model_says_so_and_starts_no_thread(made: Any) -> None:
    embedding = made(None)
    before = threading.active_count()
    assert embedding.query("a", FOREVER_S).unavailable == "there is none"
    assert embedding.token_vectors(["a"], FOREVER_S) is None
    assert embedding.cross_scores("a", ["b"], FOREVER_S) is None
    status = embedding.status()
    assert (status.state, status.next, embedding.is_on) == ("off", "get one", False)
    assert threading.active_count() == before


def test_vectors_of_words_are_remembered_within_a_bound(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aimem_node.embedding.worker.TOKEN_BYTES_MAX", 8)  # of two words
    toy = Toy()
    embedding = made(lambda _say: toy)
    one, two = embedding.token_vectors(["one", "and two"], FOREVER_S)
    assert (one.shape, two.shape) == ((1, 2), (2, 2))
    embedding.token_vectors(["and two"], FOREVER_S)
    assert toy.asked == [["one", "and two"]]
    embedding.token_vectors(["one"], FOREVER_S)
    assert toy.asked[1:] == [["one"]]


class Scores:
    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        return [float(query in text) for text in texts]


def test_a_cross_encoder_is_loaded_with_its_first_question(made: Any) -> None:
    loaded: list[bool] = []
    embedding = made(lambda _say: Toy(), scorer=lambda: loaded.append(True) or Scores())
    assert loaded == []
    texts = [str(n) for n in range(2 * BATCH)]
    assert embedding.cross_scores("3", texts, FOREVER_S) == [float("3" in text) for text in texts]
    embedding.cross_scores("4", texts, FOREVER_S)
    assert loaded == [True]


def test_a_model_before_this_one_goes_on_with_questions_until_it_is_let_go(made: Any) -> None:
    embedding = made(lambda _say: Toy(), before=lambda name: Recipe(name, lambda _say: Toy(OLDER)))
    assert set(embedding.query("a", FOREVER_S).vectors) == {SPACE.fingerprint}
    embedding.keep({OLDER.fingerprint: "older"})
    embedding.passages([], "", FOREVER_S).result(FOREVER_S)  # after what was to be loaded
    assert embedding.spaces() == (SPACE, OLDER)
    assert set(embedding.query("a", FOREVER_S).vectors) == {SPACE.fingerprint, OLDER.fingerprint}
    embedding.keep({})
    assert embedding.spaces() == (SPACE,)
    assert set(embedding.query("a", FOREVER_S).vectors) == {SPACE.fingerprint}


def test_an_earlier_model_that_is_gone_or_another_by_now_is_left_out(made: Any) -> None:
    said: list[str] = []

    def before(name: str) -> Recipe:
        def gone(_say: Any) -> Toy:
            raise Unavailable("its server is gone")

        return Recipe(name, gone if name == "gone" else lambda _say: Toy(SPACE))

    embedding = made(lambda _say: Toy(), before=before, say=said.append)
    embedding.query("a", FOREVER_S)
    embedding.keep({"c" * 32: "gone", "d" * 32: "changed"})
    embedding.passages([], "", FOREVER_S).result(FOREVER_S)
    assert embedding.spaces() == (SPACE,)
    assert said == [
        "gone cannot be asked any more: its server is gone",
        "changed is another model than it was: its vectors find nothing any more",
    ]
    assert embedding.query("b", FOREVER_S).unavailable == ""


class Chat:
    name = "toy:chat"

    def __init__(self) -> None:
        self.flowing = threading.Event()
        self.answered = threading.Event()

    def answer(self, prompt: str) -> str:
        assert self.flowing.wait(FOREVER_S)
        if prompt == "refuse":
            raise Unavailable("it refused")
        self.answered.set()
        return prompt.upper()


def test_a_language_model_answers_within_its_budget_or_not_at_all(made: Any) -> None:
    chat = Chat()
    embedding = made(None, chat=chat)
    late = embedding.llm("a", 0.0)
    assert (late.text, late.unavailable) == ("", "toy:chat did not answer within 0 s")
    assert embedding.llm("b", FOREVER_S).unavailable == "toy:chat is busy with another question"
    chat.flowing.set()
    assert chat.answered.wait(FOREVER_S)
    with embedding._chatting:  # the first has let go
        pass
    assert embedding.llm("c", FOREVER_S).text == "C"
    with embedding._chatting:
        pass
    assert embedding.llm("refuse", FOREVER_S).unavailable == "it refused"
    assert made(None).llm("a", 1.0).unavailable == "no language model is configured"


def test_closing_leaves_a_model_that_hangs_behind(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aimem_node.embedding.worker.CLOSE_WAIT_S", 0.0)
    toy, embedding, passages = stalled(made)
    waiting = embedding.query_later("never")
    embedding.close()
    toy.flowing.set()
    assert waiting(FOREVER_S).unavailable == "the node is stopping"
    assert isinstance(passages.exception(FOREVER_S), Failure)
    assert embedding.query("after", FOREVER_S).unavailable == "the node is stopping"
