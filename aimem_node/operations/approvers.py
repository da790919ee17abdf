"""Who may approve what: the words of a rule, and the votes that meet it.

A vote is a replicated fact, cast on whatever node its voter stands, so it says itself what could
be told there and nowhere else: who the voter was, and whether they were the operator.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.formats import FORMATS
from aimem_node.operations.identity import person_of, registered
from aimem_node.store.view import View

CONSENSUS_MAX: Final = 100


class Kind(StrEnum):
    """Kinds of approvers."""

    HUMAN = "human"
    "Anyone else who may write."
    ADMIN = "admin"
    "Another one with the role of the operator."
    AGENT = "agent"
    "One registered agent."
    CONSENSUS = "consensus"
    "So many registered agents."


@dataclass(frozen=True, slots=True)
class Vote:
    """Somebody's word for what waits."""

    person: str
    "Who it counts for: a registered agent, or a principal in the whole cluster."
    principal: str
    agent_id: str
    is_agent: bool
    "Whether the agent was registered, and this principal may speak as it."
    is_admin: bool
    at_us: int

    def register(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "principal": self.principal,
            "agent_id": self.agent_id,
            "is_agent": self.is_agent,
            "is_admin": self.is_admin,
            "at": self.at_us,
        }

    @classmethod
    def read(cls, person: str, value: Any) -> "Vote | None":
        """A vote as it is kept; None for what is none, which then does not count."""
        if not isinstance(value, dict):
            return None
        principal, agent_id, at_us = value.get("principal"), value.get("agent_id"), value.get("at")
        sound = isinstance(principal, str) and isinstance(agent_id, str) and isinstance(at_us, int)
        if not sound:
            return None
        return cls(
            person, str(principal), str(agent_id), value.get("is_agent") is True,
            value.get("is_admin") is True, int(str(at_us)),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Approver:
    """Who approves, as a rule says it."""

    kind: Kind
    agent_id: str = ""
    needed: int = 1
    "Votes of different people."

    @classmethod
    def read(cls, text: str) -> "Approver":
        """From "human", "admin", "agent:<id>" or "consensus:<n>"; human if there is nothing.

        Raises Failure INVALID_ARGUMENT.
        """
        kind, _, rest = text.partition(":")
        if not text or text in (Kind.HUMAN, Kind.ADMIN):
            return cls(Kind(text or Kind.HUMAN))
        if kind == Kind.AGENT and rest:
            return cls(Kind.AGENT, FORMATS["agent_id"](rest))
        digits = kind == Kind.CONSENSUS and rest.isascii() and rest.isdigit() and len(rest) < 4
        if digits and 1 <= int(rest) <= CONSENSUS_MAX:
            return cls(Kind.CONSENSUS, needed=int(rest))
        raise Failure(
            Code.INVALID_ARGUMENT,
            f"{text!r} is no approver",
            path="$.approver",
            next="Use human, admin, agent:<id> or consensus:<number of registered agents>.",
        )

    @property
    def text(self) -> str:
        """As `read` takes it."""
        match self.kind:
            case Kind.AGENT:
                return f"agent:{self.agent_id}"
            case Kind.CONSENSUS:
                return f"consensus:{self.needed}"
        return self.kind.value

    @property
    def who(self) -> str:
        """For people."""
        match self.kind:
            case Kind.HUMAN:
                return "somebody else who may write"
            case Kind.ADMIN:
                return "another operator"
            case Kind.AGENT:
                return f"the agent {self.agent_id}"
        return "one registered agent" if self.needed == 1 else f"{self.needed} registered agents"

    def counts(self, vote: Vote) -> bool:
        """Whether a vote is one of those that are asked for."""
        match self.kind:
            case Kind.HUMAN:
                return True
            case Kind.ADMIN:
                return vote.is_admin
            case Kind.AGENT:
                return vote.is_agent and vote.agent_id == self.agent_id
        return vote.is_agent

    def is_met(self, votes: Iterable[Vote]) -> bool:
        """Whether these votes are enough. One person has one voice, under however many agents; and
        two people who speak as one agent are one voice too."""
        voices: list[frozenset[tuple[str, str]]] = []
        for vote in filter(self.counts, votes):
            names = {("person", vote.person), ("principal", vote.principal)}
            if self.kind == Kind.CONSENSUS:
                names.add(("agent", vote.agent_id))
            same = [voice for voice in voices if not voice.isdisjoint(names)]
            voices = [voice for voice in voices if voice not in same]
            voices.append(frozenset(names).union(*same))
        return len(voices) >= self.needed


@dataclass(frozen=True, slots=True)
class Ask:
    """A rule that wants an approval."""

    rule: str
    "As people read it: purge: approve (admin)."
    set_at: str
    approver: Approver

    def register(self) -> dict[str, Any]:
        """As it is kept."""
        return {"rule": self.rule, "set_at": self.set_at, "approver": self.approver.text}


def as_of_now(view: View, votes: Mapping[str, Vote]) -> dict[str, Vote]:
    """The votes with who their voters are by now: since then somebody may have registered agents,
    or have been found to be one person with another voter."""
    return {
        name: replace(vote, person=person_of(view, vote.principal)) for name, vote in votes.items()
    }


def is_registered(view: View, agent_id: str, principal: str) -> bool:
    """Whether an agent is registered and this principal is one of those that may speak as it."""
    agent = registered(view, agent_id)
    return agent is not None and principal in agent.principals
