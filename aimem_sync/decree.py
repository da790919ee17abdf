"""Agree on the next epoch: single-decree Paxos among the voters of the present one.

Members are the one thing that must never be decided by one side of a partition alone: each side
could evict the other, and after the heal both would be gone. A vote is on disk before it is told,
and learners are neither asked nor counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from aimem_sync.effects import Applied, Changed, Effect, KeepConfig, KeepVote, Note, Send, Vote
from aimem_sync.members import Config, why_not_next
from aimem_sync.messages import (
    NO_BALLOT,
    Accept,
    Accepted,
    Ballot,
    Learn,
    Message,
    Prepare,
    Promise,
)

ROUND_US: Final = 700_000
"""Before a proposer tries again; each voter waits longer than the one before it in the list, so
that two do not outbid each other for ever."""

ROUND_STEP_US: Final = 350_000

GIVE_UP_US: Final = 10_000_000
"""After this long an operator is told that nothing was decided yet. It still may be."""


@dataclass(slots=True)
class Proposal:
    """What this node is trying to have decided."""

    request: int
    wanted: Config
    began_us: int
    ballot: Ballot = NO_BALLOT
    round_us: int = 0
    promises: dict[str, Promise] = field(default_factory=dict)
    asked: Config | None = None
    "What the voters have been asked to accept, once a majority has promised."
    accepted_by: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Council:
    """This node's part in deciding who belongs."""

    me: str
    history: list[Config]
    "Every epoch known, in order, the present one last."
    votes: dict[int, Vote]
    "What this node has promised and accepted, by epoch."
    new_ticket: Callable[[], int]
    proposal: Proposal | None = None
    replies: dict[int, tuple[str, Message]] = field(default_factory=dict)
    "To be sent once a vote is on disk, by ticket."
    learning: dict[int, tuple[Config, ...]] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        return self.history[-1]

    def since(self, epoch: int) -> tuple[Config, ...]:
        """The epochs after this one."""
        return tuple(config for config in self.history if config.epoch > epoch)

    def propose(self, now_us: int, request: int, wanted: Config) -> list[Effect]:
        """Try to make this the next epoch."""
        reason = why_not_next(self.config, wanted)
        if not reason and self.me not in self.config.voters:
            reason = "only a voter can propose"
        if not reason and self.proposal is not None:
            reason = "another change is under way here"
        if reason:
            return [Changed(request, won=False, reason=reason)]
        self.proposal = Proposal(request, wanted, now_us)
        return self._new_round(now_us)

    def tick(self, now_us: int) -> list[Effect]:
        """Try again, or give up."""
        proposal = self.proposal
        if proposal is None:
            return []
        if now_us - proposal.began_us >= GIVE_UP_US:
            self.proposal = None
            return [Changed(proposal.request, won=False, reason="no majority has answered")]
        rank = sorted(self.config.voters).index(self.me)
        if now_us - proposal.round_us < ROUND_US + rank * ROUND_STEP_US:
            return []
        return self._new_round(now_us)

    def hear(self, sender: str, message: Message) -> list[Effect]:
        """Take in a word of another voter, or of this node itself."""
        match message:
            case Learn(configs):
                return self.learn(configs)
            case Prepare() | Accept() if message.epoch <= self.config.epoch:
                return [Send(sender, Learn(self.since(message.epoch - 1)))]
            case Prepare() | Promise() | Accept() | Accepted():
                voters = self.config.voters
                if message.epoch != self.config.epoch + 1 or not {sender, self.me} <= voters:
                    return []
        match message:
            case Prepare(epoch, ballot):
                return self._promise(sender, epoch, ballot)
            case Accept(epoch, ballot, config):
                return self._accept(sender, epoch, ballot, config)
            case Promise():
                return self._promised(sender, message)
            case Accepted():
                return self._accepted(sender, message)
        return []

    def kept(self, ticket: int) -> list[Effect]:
        """A vote or an epoch is on disk."""
        if ticket in self.replies:
            return self._send(*self.replies.pop(ticket))
        out: list[Effect] = []
        for config in self.learning.pop(ticket, ()):
            if config.epoch == self.config.epoch + 1:
                out += self._apply(config)
        return out

    def not_kept(self, ticket: int) -> None:
        """The disk refused. The promise stays in memory: to keep it harms nobody."""
        self.replies.pop(ticket, None)
        self.learning.pop(ticket, None)

    def learn(self, configs: tuple[Config, ...]) -> list[Effect]:
        """Other members say that these epochs were decided."""
        known = self.config
        news: list[Config] = []
        for config in sorted(configs, key=_epoch):
            if config.epoch == known.epoch + 1:
                if reason := why_not_next(known, config):
                    return [Note(f"an epoch that cannot be: {reason}")]
                news.append(config)
                known = config
        if not news or tuple(news) in self.learning.values():
            return []
        ticket = self.new_ticket()
        self.learning[ticket] = tuple(news)
        return [KeepConfig(ticket, tuple(news))]

    def _apply(self, config: Config) -> list[Effect]:
        self.history.append(config)
        self.votes = {epoch: v for epoch, v in self.votes.items() if epoch > config.epoch}
        out: list[Effect] = [Applied(config)]
        proposal = self.proposal
        if proposal is not None:
            self.proposal = None
            won = config == proposal.wanted
            reason = "" if won else f"epoch {config.epoch} was decided otherwise"
            out.append(Changed(proposal.request, won=won, reason=reason))
        return out

    def _new_round(self, now_us: int) -> list[Effect]:
        proposal = self.proposal
        assert proposal is not None
        epoch = proposal.wanted.epoch
        seen = max(proposal.ballot[0], self._vote(epoch).promised[0])
        proposal.ballot = (seen + 1, self.me)
        proposal.round_us = now_us
        proposal.promises = {}
        proposal.accepted_by = set()
        proposal.asked = None
        return self._ask_voters(Prepare(epoch, proposal.ballot))

    def _promise(self, sender: str, epoch: int, ballot: Ballot) -> list[Effect]:
        vote = self._vote(epoch)
        if ballot < vote.promised:
            return []
        promise = Promise(epoch, ballot, vote.accepted_ballot, vote.accepted)
        new = Vote(epoch, ballot, vote.accepted_ballot, vote.accepted)
        return self._keep_vote(new, sender, promise)

    def _accept(self, sender: str, epoch: int, ballot: Ballot, config: Config) -> list[Effect]:
        if ballot < self._vote(epoch).promised or why_not_next(self.config, config):
            return []
        new = Vote(epoch, ballot, ballot, config)
        return self._keep_vote(new, sender, Accepted(epoch, ballot))

    def _promised(self, sender: str, promise: Promise) -> list[Effect]:
        proposal = self.proposal
        if proposal is None or promise.ballot != proposal.ballot or proposal.asked is not None:
            return []
        proposal.promises[sender] = promise
        if len(proposal.promises) < self._majority():
            return []
        proposal.asked = self._choose(proposal)
        return self._ask_voters(Accept(promise.epoch, proposal.ballot, proposal.asked))

    def _choose(self, proposal: Proposal) -> Config:
        # What a majority may already have accepted must stay; only if nobody has, choose freely.
        best = max(proposal.promises.values(), key=_accepted_ballot)
        return best.accepted if best.accepted is not None else proposal.wanted

    def _accepted(self, sender: str, accepted: Accepted) -> list[Effect]:
        proposal = self.proposal
        if proposal is None or accepted.ballot != proposal.ballot or proposal.asked is None:
            return []
        proposal.accepted_by.add(sender)
        if len(proposal.accepted_by) < self._majority():
            return []
        decided = proposal.asked
        told = (self.config.everyone & decided.everyone) - {self.me}
        out: list[Effect] = [Send(node, Learn((decided,))) for node in sorted(told)]
        return [*out, *self.learn((decided,))]

    def _majority(self) -> int:
        return self.config.majority

    def _vote(self, epoch: int) -> Vote:
        return self.votes.get(epoch) or Vote(epoch, NO_BALLOT, NO_BALLOT, None)

    def _keep_vote(self, vote: Vote, to: str, reply: Message) -> list[Effect]:
        self.votes[vote.epoch] = vote
        ticket = self.new_ticket()
        self.replies[ticket] = (to, reply)
        return [KeepVote(ticket, vote)]

    def _ask_voters(self, message: Message) -> list[Effect]:
        out: list[Effect] = []
        for node in sorted(self.config.voters):
            out += self._send(node, message)
        return out

    def _send(self, to: str, message: Message) -> list[Effect]:
        return self.hear(self.me, message) if to == self.me else [Send(to, message)]


def _epoch(config: Config) -> int:
    return config.epoch


def _accepted_ballot(promise: Promise) -> Ballot:
    return promise.accepted_ballot
