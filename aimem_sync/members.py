"""Who belongs: one epoch's list, and the only five ways to the next one.

A node is its id, never its address; a key is only what proves the id, so a key can be replaced
without the node becoming another. An evicted node's keys are refused for ever, but its *id* is
remembered too: what it wrote while it belonged is still history, and comes from the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum


class Role(Enum):
    """What a member's word counts for."""

    VOTER = "voter"
    "Counts toward W and decides about members."
    LEARNER = "learner"
    "Holds everything and counts for nothing yet."


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """One node of an epoch."""

    node_id: str
    fingerprints: tuple[str, ...]
    "SHA-256 of its certificates, sorted: one, or two while a key is being replaced."
    role: Role = field(default=Role.VOTER, compare=True)

    def __post_init__(self) -> None:
        assert self.fingerprints
        assert self.fingerprints == tuple(sorted(set(self.fingerprints)))


@dataclass(frozen=True, slots=True)
class Config:
    """One epoch: its members, and what is refused for ever. Compare by value."""

    epoch: int
    members: tuple[Member, ...]
    "Sorted by node id."
    revoked: frozenset[str] = frozenset()
    "Fingerprints that may never be used again."
    retired: frozenset[str] = frozenset()
    "Ids of nodes that belonged once; their ops are history, their word is nothing."
    voters: frozenset[str] = field(init=False, compare=False)
    everyone: frozenset[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        ids = [member.node_id for member in self.members]
        assert ids == sorted(set(ids)), "members are sorted, each of them once"
        voters = frozenset(m.node_id for m in self.members if m.role is Role.VOTER)
        object.__setattr__(self, "voters", voters)
        object.__setattr__(self, "everyone", frozenset(ids))

    @property
    def majority(self) -> int:
        """How many voters decide, and how many hold a write unless it asks for another number."""
        return len(self.voters) // 2 + 1

    def member(self, node_id: str) -> Member | None:
        return next((m for m in self.members if m.node_id == node_id), None)

    def node_of(self, fingerprint: str) -> str | None:
        """Whose key this is now; None for a stranger's and for a revoked one."""
        if fingerprint in self.revoked:
            return None
        return next((m.node_id for m in self.members if fingerprint in m.fingerprints), None)

    def knows(self, node_id: str) -> bool:
        """Whether the node is, or once was, a member: whether its ops have a place here."""
        return node_id in self.everyone or node_id in self.retired

    def with_learner(self, node_id: str, fingerprint: str) -> Config:
        """The next epoch, in which a new node listens."""
        return self._next((*self.members, Member(node_id, (fingerprint,), Role.LEARNER)))

    def with_voter(self, node_id: str) -> Config:
        """The next epoch, in which a learner votes."""
        return self._next(
            Member(m.node_id, m.fingerprints, Role.VOTER) if m.node_id == node_id else m
            for m in self.members
        )

    def without(self, node_id: str) -> Config:
        """The next epoch, in which a node no longer belongs and its keys open nothing."""
        gone = self.member(node_id)
        assert gone is not None
        return Config(
            self.epoch + 1,
            tuple(m for m in self.members if m is not gone),
            self.revoked | set(gone.fingerprints),
            self.retired | {node_id},
        )

    def with_key(self, node_id: str, fingerprint: str) -> Config:
        """The next epoch, in which a node may use one more key."""
        return self._next(
            Member(m.node_id, tuple(sorted({*m.fingerprints, fingerprint})), m.role)
            if m.node_id == node_id
            else m
            for m in self.members
        )

    def without_key(self, node_id: str, fingerprint: str) -> Config:
        """The next epoch, in which a node's old key opens nothing."""
        changed = self._next(
            Member(m.node_id, tuple(f for f in m.fingerprints if f != fingerprint), m.role)
            if m.node_id == node_id
            else m
            for m in self.members
        )
        revoked = self.revoked | {fingerprint}
        return Config(changed.epoch, changed.members, revoked, self.retired)

    def _next(self, members: Iterable[Member]) -> Config:
        return Config(self.epoch + 1, tuple(sorted(members, key=_id)), self.revoked, self.retired)


def why_not_next(old: Config, new: Config) -> str:
    """Why `new` may not follow `old`; empty if it may. Only one member changes at a time.

    With one change any majority of the one epoch meets any majority of the other.
    """
    if new.epoch != old.epoch + 1:
        return f"epoch {new.epoch} does not follow epoch {old.epoch}"
    if not new.voters:
        return "no voter would be left"
    if not (old.revoked <= new.revoked and old.retired <= new.retired):
        return "what was revoked stays revoked"
    before = {m.node_id: m for m in old.members}
    after = {m.node_id: m for m in new.members}
    changed = [n for n in sorted({*before, *after}) if before.get(n) != after.get(n)]
    if len(changed) != 1:
        return f"{len(changed)} members change; exactly one may"
    (node_id,) = changed
    was, becomes = before.get(node_id), after.get(node_id)
    if becomes is None:
        assert was is not None
        gone = set(was.fingerprints) <= new.revoked and node_id in new.retired
        return "" if gone else "who leaves must be revoked"
    if node_id in old.retired:
        return "an evicted node comes back under a new id"
    if was is None and becomes.role is not Role.LEARNER:
        return "who joins learns first"
    if was is not None and was.role is Role.VOTER and becomes.role is Role.LEARNER:
        return "a voter is evicted, not demoted"
    if any(f in old.revoked for f in becomes.fingerprints):
        return "a revoked key opens nothing"
    owner = next((f for f in becomes.fingerprints if old.node_of(f) not in (None, node_id)), None)
    return f"the key {owner} is another member's" if owner else ""


def _id(member: Member) -> str:
    return member.node_id
