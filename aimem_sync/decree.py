"""Agree on the next epoch: single-decree Paxos among the voters of the present one.

Members are the one thing that must never be decided by one side of a partition alone: each side
could evict the other, and after the heal both would be gone. A vote is on disk before it is told,
and learners are neither asked nor counted. Each voter signs what it accepts, and these signatures
together are the proof that goes with the epoch for ever: nobody believes a mere telling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from aimem_sync.effects import Applied, Changed, Effect, KeepConfig, KeepVote, Note, Send, Vote
from aimem_sync.members import (
    Config,
    Endorsement,
    Proof,
    endorsed_bytes,
    why_not_forced,
    why_not_next,
)
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

Sign: TypeAlias = Callable[[bytes], bytes]
"""This node's signature of some bytes."""

Proves: TypeAlias = Callable[[Config, Config, Proof], bool]
"""Whether these endorsements of the second epoch are good signatures, each by the key that it
names, of a member of the first. Who has to endorse is not its question."""


def unsigned(_: bytes) -> bytes:
    """The signature of a node without keys."""
    return b""


def unchecked(_old: Config, _new: Config, _proof: Proof) -> bool:
    """Every signature is good among nodes without keys."""
    return True


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
    accepted_by: dict[str, Endorsement] = field(default_factory=dict)


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
    learning: dict[int, Learn] = field(default_factory=dict)
    "Epochs on their way to disk, by ticket."
    forced: set[int] = field(default_factory=set)
    "Tickets of those that an operator declared."
    proofs: dict[int, Proof] = field(default_factory=dict)
    "That each epoch was decided. The first one needs none, nor does one that was forced."
    sign: Sign = unsigned
    proves: Proves = unchecked

    @property
    def config(self) -> Config:
        return self.history[-1]

    def since(self, epoch: int) -> Learn:
        """The epochs after this one, with their proofs."""
        configs = tuple(config for config in self.history if config.epoch > epoch)
        return Learn(configs, tuple(self.proofs.get(config.epoch, ()) for config in configs))

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
            case Learn(configs, proofs):
                return self.learn(configs, proofs)
            case Prepare() | Accept() if message.epoch <= self.config.epoch:
                return [Send(sender, self.since(message.epoch - 1))]
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
        told = self.learning.pop(ticket, Learn(()))
        forced = ticket in self.forced
        self.forced.discard(ticket)
        out: list[Effect] = []
        for config, proof in zip(told.configs, told.proofs, strict=True):
            if config.epoch == self.config.epoch + 1 or (
                forced and config.epoch > self.config.epoch
            ):
                out += self._apply(config, proof)
        return out

    def not_kept(self, ticket: int) -> None:
        """The disk refused. The promise stays in memory: to keep it harms nobody."""
        self.replies.pop(ticket, None)
        self.learning.pop(ticket, None)
        self.forced.discard(ticket)

    def learn(self, configs: Sequence[Config], proofs: Sequence[Proof] = ()) -> list[Effect]:
        """Other members say that these epochs were decided; believed is what is proved."""
        known = self.config
        news: list[tuple[Config, Proof]] = []
        out: list[Effect] = []
        bare = [()] * (len(configs) - len(proofs))
        for config, proof in sorted(zip(configs, [*proofs, *bare], strict=False), key=_epoch):
            if config.epoch != known.epoch + 1:
                continue
            reason = why_not_next(known, config)
            if not reason and not self.is_proven(known, config, proof):
                reason = "nothing proves it"
            if reason:
                out = [Note(f"an epoch that cannot be: {reason}")]
                break
            news.append((config, proof))
            known = config
        learn = Learn(tuple(c for c, _ in news), tuple(p for _, p in news))
        if not news or any(learn.configs == before.configs for before in self.learning.values()):
            return out
        return [*out, self._keep(learn)]

    def is_proven(self, old: Config, new: Config, proof: Proof) -> bool:
        """Whether a majority of the old voters, each counted once, has signed the new epoch."""
        endorsers = {one.node_id for one in proof}
        if len(endorsers) != len(proof) or len(endorsers) < old.majority:
            return False
        return endorsers <= old.voters and self.proves(old, new, proof)

    def force(self, config: Config) -> list[Effect]:
        """An operator declares the next epoch. Nothing proves it: each node is told by hand."""
        reason = why_not_forced(self.config, config)
        if not reason and self.me not in config.everyone:
            reason = "this node would be left out"
        if reason:
            return [Note(f"an epoch that cannot be forced: {reason}")]
        keep = self._keep(Learn((config,), ((),)))
        self.forced.add(keep.ticket)
        return [keep]

    def _keep(self, learn: Learn) -> KeepConfig:
        ticket = self.new_ticket()
        self.learning[ticket] = learn
        return KeepConfig(ticket, learn.configs, learn.proofs)

    def _apply(self, config: Config, proof: Proof) -> list[Effect]:
        self.history.append(config)
        self.proofs[config.epoch] = proof
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
        proposal.accepted_by = {}
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
        sig = self.sign(endorsed_bytes(config))
        return self._keep_vote(new, sender, Accepted(epoch, ballot, sig))

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
        endorsement = self._endorsement(sender, proposal.asked, accepted.sig)
        if endorsement is None:
            return [Note("an acceptance without a good signature", sender)]
        proposal.accepted_by[sender] = endorsement
        if len(proposal.accepted_by) < self._majority():
            return []
        decided = proposal.asked
        proof = tuple(proposal.accepted_by[node] for node in sorted(proposal.accepted_by))
        told = (self.config.everyone & decided.everyone) - {self.me}
        learn = Learn((decided,), (proof,))
        return [*(Send(node, learn) for node in sorted(told)), *self.learn((decided,), (proof,))]

    def _endorsement(self, sender: str, config: Config, sig: bytes) -> Endorsement | None:
        # While a key is being replaced there are two, and the message does not say which one.
        member = self.config.member(sender)
        assert member is not None, "only voters have been asked"
        for name in member.fingerprints:
            endorsement = Endorsement(sender, name, sig)
            if self.proves(self.config, config, (endorsement,)):
                return endorsement
        return None

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


def _epoch(told: tuple[Config, Proof]) -> int:
    return told[0].epoch


def _accepted_ballot(promise: Promise) -> Ballot:
    return promise.accepted_ballot
