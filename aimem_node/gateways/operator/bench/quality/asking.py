"""Store conversations in a node and ask it every question, through the API that clients use.

A turn becomes a memory with what any client knows of it: its text, who said it, when, in which
session, in the order in which it was said. A question goes as it stands and nothing beside it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aimem_node.client.grpc_client import GrpcClient
from aimem_node.contract.codec import to_wire
from aimem_node.contract.values import (
    BulkStoreRequest,
    OnConflict,
    RecallRequest,
    RecallResponse,
    StoreRequest,
    Tier,
)
from aimem_node.gateways.demo.conversation import Conversation, Question, Turn

BULK_ITEMS = 500
LIMIT = 50
"""The most that one recall gives; sessions are ranked by what is among these."""
TEN = 10
"""What a client gets that asks for no number."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way of asking."""

    name: str
    mode: str
    rerank: str

    @property
    def by_meaning(self) -> bool:
        """Whether it takes vectors."""
        return self.mode != "keyword"

    def request(self, question: str, *, limit: int, explain: bool = False) -> RecallRequest:
        """The question as this way asks it."""
        return RecallRequest(
            context=question, mode=self.mode, rerank=self.rerank, limit=limit, explain=explain
        )


WAYS = (
    Way("keyword", "keyword", "off"),
    Way("hybrid", "hybrid", "off"),
    Way("hybrid+rerank", "hybrid", "tokens"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a turn is among all turns: ids are unique in one conversation only."""

    talk: int
    turn_id: str
    session: str

    @property
    def sitting(self) -> tuple[int, str]:
        """Its session among all sessions."""
        return self.talk, self.session


Talks = Mapping[int, Conversation]
"""Conversations by the number that their namespace carries."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question and what came back."""

    talk: int
    question: Question
    gold: frozenset[Place]
    ranking: tuple[Place, ...]
    took_ms: float
    answer_bytes: int
    """On the wire, of the answer with LIMIT hits."""
    mode: str
    """How the node says that it looked."""
    unavailable: tuple[str, ...]
    factors: tuple[Mapping[str, Any], ...]
    """What made the score of each hit, when asked again with an explanation."""
    same_again: bool
    """Asked again, the same was answered."""
    ten: tuple[Place, ...]
    """What came when it was asked for TEN only."""

    @property
    def same_ten(self) -> bool:
        """Whether that were the first of what comes for LIMIT."""
        return self.ten == self.ranking[:TEN]


def memory(turn: Turn, talk: int) -> StoreRequest:
    """A turn as a client stores it."""
    return StoreRequest(
        title=turn.opening,
        content=turn.text,
        namespace=f"talks/{talk}",
        tier=Tier.LONG,
        agent_id=turn.agent_id,
        session=turn.session,
        happened_at=int(turn.happened_at.timestamp() * 1_000_000),
        on_conflict=OnConflict.NEW,
    )


async def store(client: GrpcClient, talks: Talks) -> dict[str, Place]:
    """Store every turn in order; what stands for which turn, by the ids of the memories."""
    places: dict[str, Place] = {}
    for talk, conversation in talks.items():
        turns = conversation.turns
        for at in range(0, len(turns), BULK_ITEMS):
            part = turns[at : at + BULK_ITEMS]
            request = BulkStoreRequest(memories=tuple(memory(turn, talk) for turn in part))
            answer = await client.call("BulkStore", request)
            for memory_id, turn in zip(answer.ids, part, strict=True):
                places[memory_id] = Place(talk, turn.turn_id, turn.session)
    assert len(places) == sum(len(one.turns) for one in talks.values()), "two turns in one memory"
    return places


def gold_of(question: Question, talk: int, conversation: Conversation) -> frozenset[Place]:
    """The turns that hold the answer."""
    return frozenset(
        Place(talk, turn.turn_id, turn.session)
        for turn in conversation.turns
        if turn.turn_id in question.evidence
    )


async def ask(
    client: GrpcClient,
    way: Way,
    talk: int,
    conversation: Conversation,
    places: Mapping[str, Place],
    heard: Callable[[], None] = lambda: None,
) -> list[Asked]:
    """Ask every question of one conversation.

    Each is asked three times: first for LIMIT hits, which is what counts and is timed; then for
    ten; then with an explanation. The later two must not find anything else.
    """
    found = []
    for question in conversation.questions:
        gold = gold_of(question, talk, conversation)
        found.append(await _one(client, way, (talk, question, gold), places))
        heard()
    return found


async def _one(
    client: GrpcClient,
    way: Way,
    about: tuple[int, Question, frozenset[Place]],
    places: Mapping[str, Place],
) -> Asked:
    talk, question, gold = about
    began = time.perf_counter()
    answer: RecallResponse = await client.call("Recall", way.request(question.text, limit=LIMIT))
    took_ms = (time.perf_counter() - began) * 1000
    ten = await client.call("Recall", way.request(question.text, limit=TEN))
    told = await client.call("Recall", way.request(question.text, limit=LIMIT, explain=True))
    ids = _ids(answer)
    reasons = {reason.id: reason.factors for reason in told.reasons}
    return Asked(
        talk=talk,
        question=question,
        gold=gold,
        ranking=tuple(places[one] for one in ids),
        took_ms=took_ms,
        answer_bytes=len(to_wire(answer)),
        mode=answer.mode,
        unavailable=answer.unavailable,
        factors=tuple(reasons.get(one, {}) for one in ids),
        same_again=ids == _ids(told),
        ten=tuple(places[one] for one in _ids(ten)),
    )


def _ids(answer: RecallResponse) -> Sequence[str]:
    return [memory.id for memory in answer.memories]
