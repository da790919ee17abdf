"""The node's models at work, on a thread of their own.

Callers never wait for a model longer than they said: a question that is not embedded by then is
answered by its words, and the answer tells. Questions go before memories, between two batches of
these. Nothing is loaded before it is needed, and what cannot be loaded is tried again later, not
at every question. When the model is changed, the one before goes on embedding questions until its
vectors are gone.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as WaitedTooLong
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aimem_node.contract.errors import Code, Failure
from aimem_node.embedding.embedder import Embedder, Scorer, Space, Unavailable
from aimem_node.embedding.llm import Told

if TYPE_CHECKING:
    from aimem_node.embedding.embedder import Matrix
    from aimem_node.embedding.llm import LanguageModel
    from aimem_node.embedding.recipes import Recipe

T = TypeVar("T")

BATCH: Final = 16
"""Texts that are embedded together, about 0.1 s."""
QUESTIONS_REMEMBERED: Final = 512
TOKEN_BYTES_MAX: Final = 64 << 20
"""Vectors of tokens that are remembered, of some thousand short memories."""
STALLED_AFTER_S: Final = 30.0
AGAIN_AFTER_S: Final = (2.0, 10.0, 60.0)
"""Before each further attempt to load; the last one for ever."""
CLOSE_WAIT_S: Final = 1.0
STOPPING: Final = "the node is stopping"
NOW, LATER, END = 0, 1, 2


@dataclass(frozen=True, slots=True)
class EmbeddingStatus:
    """How the node's model of texts is."""

    state: str
    "off, cold, loading, ready, failed or stalled."
    why: str
    next: str
    space: Space | None
    queries: int
    embedded: int
    failures: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a question."""

    vectors: dict[str, Any]
    "By the fingerprints of their spaces; float32, of length 1."
    unavailable: str = ""


@dataclass(order=True, slots=True)
class _Job:
    when: int
    number: int
    work: Callable[[], Any] = field(compare=False)
    done: Future[Any] = field(compare=False)


class Embedding:
    """See the module. One for a node; there also when it is off."""

    def __init__(
        self,
        recipe: Recipe,
        *,
        rerank_by: str = "off",
        scorer: Callable[[], Scorer] | None = None,
        chat: LanguageModel | None = None,
        before: Callable[[str], Recipe] | None = None,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """`rerank_by`: off, tokens or cross: what a recall does that does not say. `before`: how a
        model of an earlier setting comes about, by its name."""
        self.rerank_by = rerank_by
        self._say = say
        self._recipe = recipe
        self._scorer_of = scorer
        self._scorer: Scorer | None = None
        self._chat = chat
        self._chatting = threading.Lock()
        self._before = before
        self._older: dict[str, Embedder | None] = {}
        "By fingerprint; None until it is loaded, and for ever if it cannot be."
        self._embedder: Embedder | None = None
        self._waiting: queue.PriorityQueue[_Job] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._remembered: OrderedDict[tuple[str, bool], Any] = OrderedDict()
        self._tokens: OrderedDict[str, Any] = OrderedDict()
        self._tokens_bytes = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._loading = False
        self._busy_since_s: float | None = None
        self._failed: Unavailable | None = None
        self._attempts = 0
        self._again_s = 0.0
        self._queries = self._embedded = self._failures = 0

    # -- for whoever asks how it is ---------------------------------------------------------

    @property
    def is_on(self) -> bool:
        """Whether there is a model at all."""
        return self._recipe.load is not None

    @property
    def name(self) -> str:
        """What the model is called in the settings; "off" without one."""
        return self._recipe.name

    @property
    def has_llm(self) -> bool:
        """Whether a language model is configured."""
        return self._chat is not None

    def status(self) -> EmbeddingStatus:
        """How it is; never waits."""
        failed, recipe = self._failed, self._recipe
        state, why, then = "cold", "", ""
        if not self.is_on:
            state, why, then = "off", recipe.why, recipe.next
        elif self._stalled_s() > STALLED_AFTER_S:
            state, why = "stalled", f"the model has not answered for {self._stalled_s():.0f} s"
            then = "Restart the node, or its model server."
        elif failed is not None:
            state, why, then = "failed", failed.why, failed.next
        elif self._embedder is not None:
            state = "ready"
        elif self._loading:
            state = "loading"
        spaces = self.spaces()
        return EmbeddingStatus(
            state, why, then, spaces[0] if spaces else None, self._queries, self._embedded,
            self._failures, self._waiting.qsize(),
        )  # fmt: skip

    def spaces(self) -> tuple[Space, ...]:
        """The space of the model, if it is known, and after it those of models before it that
        still embed questions; never waits and never loads."""
        embedder = self._embedder
        space = self._recipe.space if embedder is None else embedder.space
        if space is None or not self.is_on:
            return ()
        return (space, *(one.space for one in tuple(self._older.values()) if one is not None))

    def keep(self, names: Mapping[str, str]) -> None:
        """Embed questions for earlier models too, whose names are given by fingerprint, and for no
        others. What cannot be loaded any more, or is another model by now, is left out."""
        if names.keys() == self._older.keys() or self._before is None:
            return
        gone = self._older.keys() - names.keys()
        added = {one: name for one, name in names.items() if one not in self._older}
        self._older = {one: self._older.get(one) for one in names}
        if gone:
            self._forget_questions()
        for fingerprint, name in added.items():
            self._submit(LATER, lambda one=fingerprint, name=name: self._load_older(one, name))  # type: ignore[misc]

    # -- for readers --------------------------------------------------------------------------

    def query(self, text: str, budget_s: float) -> Asked:
        """The vectors of a question; waits so long for them. Never raises."""
        return self.query_later(text)(budget_s)

    def query_later(self, text: str, *, quick: bool = False) -> Callable[[float], Asked]:
        """Begin with a question; call what is returned with the time that is left. `quick`: as
        Embedder.question."""
        why = self._out_of_order()
        if why:
            return lambda _budget_s: Asked({}, why)
        known = self._recall((text, quick))
        if known is not None:
            return lambda _budget_s: known
        future = self._submit(NOW, lambda: self._question(text, quick))

        def wait(budget_s: float) -> Asked:
            try:
                return future.result(max(0.0, budget_s))
            except WaitedTooLong:
                future.cancel()
                late = "is being loaded" if self._embedder is None else "did not answer in time"
                return Asked({}, f"the model {late}")
            except Unavailable as error:
                return Asked({}, error.why)
            except CancelledError:
                return Asked({}, STOPPING)
            except Exception as error:  # whatever a library raises, the words still find
                return Asked({}, f"the model failed: {error}")

        return wait

    def token_vectors(self, texts: Sequence[str], budget_s: float) -> list[Matrix] | None:
        """A matrix of token vectors for each text; None if they did not come in time."""
        ends_s = time.monotonic() + budget_s
        return self._in_time(lambda: self._token_vectors(texts, ends_s), budget_s)

    def cross_scores(self, query: str, texts: Sequence[str], budget_s: float) -> list[float] | None:
        """How well each text answers, 0 to 1, by the cross-encoder; None if there is none or it
        took too long."""
        if self._scorer_of is None:
            return None
        ends_s = time.monotonic() + budget_s
        return self._in_time(lambda: self._cross_scores(query, texts, ends_s), budget_s)

    def llm(self, prompt: str, budget_s: float) -> Told:
        """What the language model answers within the budget. One question at a time: a model that
        is late is not asked again before it has answered."""
        chat = self._chat
        if chat is None:
            return Told("", "no language model is configured")
        if not self._chatting.acquire(blocking=False):
            return Told("", f"{chat.name} is busy with another question")
        told: Future[str] = Future()

        def ask() -> None:
            try:
                told.set_result(chat.answer(prompt))
            except Exception as error:
                told.set_exception(error)
            finally:
                self._chatting.release()

        threading.Thread(target=ask, name="aimem-llm", daemon=True).start()
        try:
            return Told(told.result(max(0.0, budget_s)))
        except WaitedTooLong:
            return Told("", f"{chat.name} did not answer within {budget_s:g} s")
        except Exception as error:  # Unavailable, or whatever else: the question stays as it is
            return Told("", str(error))

    # -- for the follower of the log ------------------------------------------------------------

    def passages(self, texts: Sequence[str], fingerprint: str, budget_s: float) -> Future[Matrix]:
        """Vectors of memories, in the order of the texts. Fails with a Failure UNAVAILABLE.

        `fingerprint`: the space they must be of; empty for whatever it is.
        """
        ends_s = time.monotonic() + budget_s
        return self._submit(LATER, lambda: self._passages(texts, fingerprint, ends_s))

    def close(self) -> None:
        """Stop after what is in hand; what waits is not done. A model that hangs is left behind."""
        self._closing = True
        if self._thread is not None:
            self._waiting.put(_Job(END, next(self._numbers), lambda: None, Future()))
            self._thread.join(CLOSE_WAIT_S)

    # -- on the thread --------------------------------------------------------------------------

    def _submit(self, when: int, work: Callable[[], T]) -> Future[T]:
        done: Future[T] = Future()
        if self._closing:
            done.cancel()
            return done
        self._waiting.put(_Job(when, next(self._numbers), work, done))
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="aimem-embedding", daemon=True
                )
                self._thread.start()
        return done

    def _run(self) -> None:
        while True:
            job = self._waiting.get()
            if job.when == END or self._closing:
                job.done.cancel()
                if job.when == END:
                    return
                continue
            self._do(job)

    def _do(self, job: _Job) -> None:
        if not job.done.set_running_or_notify_cancel():
            return
        outer, self._busy_since_s = self._busy_since_s, time.monotonic()
        try:
            result = job.work()
        except BaseException as error:
            self._failures += 1
            job.done.set_exception(error)
        else:
            job.done.set_result(result)
        finally:
            self._busy_since_s = outer

    def _do_what_is_urgent(self) -> None:
        """Answer questions that came while a long work was in hand."""
        while True:
            with self._waiting.mutex:
                urgent = bool(self._waiting.queue) and self._waiting.queue[0].when == NOW
            if not urgent:
                return
            self._do(self._waiting.get())

    def _model(self) -> Embedder:
        """The model, loaded if it is not. Raises Unavailable."""
        if self._embedder is not None:
            return self._embedder
        if self._failed is not None and time.monotonic() < self._again_s:
            raise self._failed
        load = self._recipe.load
        if load is None:
            raise Unavailable(self._recipe.why, self._recipe.next)
        self._loading = True
        try:
            self._embedder = load(self._say)
        except Unavailable as error:
            self._failed = error
            wait_s = AGAIN_AFTER_S[min(self._attempts, len(AGAIN_AFTER_S) - 1)]
            self._attempts += 1
            self._again_s = time.monotonic() + wait_s
            raise
        finally:
            self._loading = False
        self._failed, self._attempts = None, 0
        return self._embedder

    def _question(self, text: str, quick: bool) -> Asked:
        models = [self._model(), *(one for one in tuple(self._older.values()) if one is not None)]
        vectors = {
            model.space.fingerprint: model.question(text) if quick else model.embed([text])[0]
            for model in models
        }
        asked = Asked(vectors)
        self._queries += 1
        with self._lock:
            self._remembered[text, quick] = asked
            while len(self._remembered) > QUESTIONS_REMEMBERED:
                self._remembered.popitem(last=False)
        return asked

    def _load_older(self, fingerprint: str, name: str) -> None:
        load = None if self._before is None else self._before(name).load
        if load is None or fingerprint not in self._older:
            return
        try:
            model = load(self._say)
        except Unavailable as error:
            self._say(f"{name} cannot be asked any more: {error.why}")
            return
        if model.space.fingerprint != fingerprint:
            self._say(f"{name} is another model than it was: its vectors find nothing any more")
            return
        self._older = {**self._older, fingerprint: model}
        self._forget_questions()

    def _passages(self, texts: Sequence[str], fingerprint: str, ends_s: float) -> Matrix:
        import numpy as np

        try:
            model = self._model()
            if fingerprint not in {"", model.space.fingerprint}:
                raise Unavailable(f"the model is {model.space.name} and not what was asked for")
            # Texts of one length together: the shorter are padded to the longest of their batch.
            order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
            rows = np.empty((len(texts), model.space.dimension), dtype=np.float32)
            for at in range(0, len(order), BATCH):
                if self._closing:
                    raise Unavailable(STOPPING)
                self._do_what_is_urgent()
                if time.monotonic() > ends_s:
                    raise Unavailable("the model did not embed so many texts in time")
                batch = order[at : at + BATCH]
                rows[batch] = model.embed([texts[one] for one in batch])
                self._embedded += len(batch)
        except Unavailable as error:
            raise Failure(Code.UNAVAILABLE, error.why, next=error.next) from None
        return rows

    def _token_vectors(self, texts: Sequence[str], ends_s: float) -> list[Matrix]:
        model = self._model()
        missing = sorted({text for text in texts if text not in self._tokens}, key=len)
        for at in range(0, len(missing), BATCH):
            if time.monotonic() > ends_s:
                raise Unavailable("the texts were not read in time")
            batch = missing[at : at + BATCH]
            for text, rows in zip(batch, model.token_vectors(batch), strict=True):
                self._tokens[text] = rows.astype("float16")
                self._tokens_bytes += self._tokens[text].nbytes
        found: list[Any] = []
        for text in texts:
            self._tokens.move_to_end(text)
            found.append(self._tokens[text].astype("float32"))
        while self._tokens_bytes > TOKEN_BYTES_MAX:
            self._tokens_bytes -= self._tokens.popitem(last=False)[1].nbytes
        return found

    def _cross_scores(self, query: str, texts: Sequence[str], ends_s: float) -> list[float]:
        assert self._scorer_of is not None
        if self._scorer is None:
            self._scorer = self._scorer_of()
        found: list[float] = []
        for at in range(0, len(texts), BATCH):
            if time.monotonic() > ends_s:
                raise Unavailable("the texts were not read in time")
            found += self._scorer.score(query, texts[at : at + BATCH])
        return found

    # -- small things ---------------------------------------------------------------------------

    def _in_time(self, work: Callable[[], T], budget_s: float) -> T | None:
        if self._out_of_order():
            return None
        future = self._submit(NOW, work)
        try:
            return future.result(max(0.0, budget_s))
        except Exception:  # late, unavailable or broken: the caller goes on without
            future.cancel()
            return None

    def _out_of_order(self) -> str:
        """Why nothing is asked of the model now; empty if it is."""
        if not self.is_on:
            return self._recipe.why
        if self._stalled_s() > STALLED_AFTER_S:
            return self.status().why
        if self._failed is not None and time.monotonic() < self._again_s:
            return self._failed.why
        return ""

    def _stalled_s(self) -> float:
        since_s = self._busy_since_s
        loading = self._loading  # building a graph takes what it takes
        return 0.0 if since_s is None or loading else time.monotonic() - since_s

    def _forget_questions(self) -> None:
        with self._lock:
            self._remembered.clear()

    def _recall(self, question: tuple[str, bool]) -> Asked | None:
        with self._lock:
            known: Asked | None = self._remembered.get(question)
            if known is not None:
                self._remembered.move_to_end(question)
        return known
