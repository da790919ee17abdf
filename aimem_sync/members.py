"""Who belongs: one epoch's list, and the only ways to the next one.

A node is its id, never its address; a key is only what proves the id, so a key can be replaced
without the node becoming another. An evicted node's keys are refused for ever, but its *id* is
remembered too: what it wrote while it belonged is still history, and comes from the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from hashlib import sha256
from typing import Any, Final, TypeAlias

from aimem_sync.canon import Json, canonical_json, read_json
from aimem_sync.faults import OpFault
from aimem_sync.limits import NUMBER_MAX, TEXT_BYTES_MAX

EPOCH_WORDS: Final = b"aimem-epoch\0"
"""Before what a voter signs, so that no signature under an op can be taken for one of these."""


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
    name: str = ""
    "What people call it. Need not be unique."
    address: str = ""
    "host:port where it listens for other members; empty if it only dials."
    certificates: tuple[bytes, ...] = field(default=(), repr=False)
    "DER, one for each fingerprint and in their order; none at all where keys are only names."

    def __post_init__(self) -> None:
        assert self.fingerprints
        assert self.fingerprints == tuple(sorted(set(self.fingerprints)))
        assert len(self.certificates) in (0, len(self.fingerprints))

    def keys(self) -> dict[str, bytes]:
        """Its certificates by fingerprint; empty bytes where there is none."""
        found = self.certificates or (b"",) * len(self.fingerprints)
        return dict(zip(self.fingerprints, found, strict=True))

    def with_keys(self, keys: Mapping[str, bytes]) -> Member:
        """The same node with these keys and no others."""
        names = tuple(sorted(keys))
        found = tuple(keys[name] for name in names)
        return replace(self, fingerprints=names, certificates=found if any(found) else ())


@dataclass(frozen=True, slots=True)
class Endorsement:
    """One voter's signature under an epoch, made with the key of this fingerprint."""

    node_id: str
    fingerprint: str
    sig: bytes


Proof: TypeAlias = tuple[Endorsement, ...]
"""What shows that an epoch was decided: endorsements by a majority of the voters before it."""


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
    cluster_id: str = ""
    "The same in every epoch; only a forced one begins another cluster."
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

    def certificate_of(self, fingerprint: str) -> bytes | None:
        """The certificate of a member's key, DER; None if this epoch has none."""
        for member in self.members:
            if fingerprint in member.fingerprints:
                return member.keys()[fingerprint] or None
        return None

    def knows(self, node_id: str) -> bool:
        """Whether the node is, or once was, a member: whether its ops have a place here."""
        return node_id in self.everyone or node_id in self.retired

    def with_learner(
        self, node_id: str, fingerprint: str, name: str = "", address: str = "",
        certificate: bytes = b"",
    ) -> Config:  # fmt: skip
        """The next epoch, in which a new node listens."""
        new = Member(node_id, (fingerprint,), Role.LEARNER, name, address)
        return self._next((*self.members, new.with_keys({fingerprint: certificate})))

    def with_voter(self, node_id: str) -> Config:
        """The next epoch, in which a learner votes."""
        return self._with(replace(self._known(node_id), role=Role.VOTER))

    def with_address(self, node_id: str, name: str, address: str) -> Config:
        """The next epoch, in which a node is called or found otherwise."""
        return self._with(replace(self._known(node_id), name=name, address=address))

    def with_key(self, node_id: str, fingerprint: str, certificate: bytes = b"") -> Config:
        """The next epoch, in which a node may use one more key."""
        member = self._known(node_id)
        return self._with(member.with_keys({**member.keys(), fingerprint: certificate}))

    def without_key(self, node_id: str, fingerprint: str) -> Config:
        """The next epoch, in which a node's old key opens nothing."""
        member = self._known(node_id)
        kept = {name: der for name, der in member.keys().items() if name != fingerprint}
        changed = self._with(member.with_keys(kept))
        return replace(changed, revoked=self.revoked | {fingerprint})

    def without(self, node_id: str) -> Config:
        """The next epoch, in which a node no longer belongs and its keys open nothing."""
        return self._without(frozenset({node_id}))

    def forced(self, keep: Iterable[str], cluster_id: str) -> Config:
        """The epoch that an operator declares when no majority is left: these go on, alone.

        It begins another cluster: whoever is left out may be alive, and must never be believed to
        speak of this one. Learners become voters if nobody else is kept.
        """
        kept = frozenset(keep) & self.everyone
        assert kept, "somebody must go on"
        assert cluster_id != self.cluster_id, "a forced epoch begins another cluster"
        after = self._without(self.everyone - kept)
        if not after.voters:
            voting = tuple(replace(m, role=Role.VOTER) for m in after.members)
            after = replace(after, members=voting)
        return replace(after, cluster_id=cluster_id)

    def _known(self, node_id: str) -> Member:
        found = self.member(node_id)
        assert found is not None, f"{node_id} is no member"
        return found

    def _with(self, changed: Member) -> Config:
        return self._next(changed if m.node_id == changed.node_id else m for m in self.members)

    def _without(self, gone: frozenset[str]) -> Config:
        keys = {f for m in self.members if m.node_id in gone for f in m.fingerprints}
        after = self._next(m for m in self.members if m.node_id not in gone)
        return replace(after, revoked=self.revoked | keys, retired=self.retired | gone)

    def _next(self, members: Iterable[Member]) -> Config:
        return replace(self, epoch=self.epoch + 1, members=tuple(sorted(members, key=_id)))


def why_not_next(old: Config, new: Config) -> str:
    """Why `new` may not follow `old`; empty if it may. Only one member changes at a time.

    With one change any majority of the one epoch meets any majority of the other.
    """
    if new.epoch != old.epoch + 1:
        return f"epoch {new.epoch} does not follow epoch {old.epoch}"
    if new.cluster_id != old.cluster_id:
        return "it is an epoch of another cluster"
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
    gone = set(was.fingerprints if was else ()) - set(becomes.fingerprints if becomes else ())
    if not gone <= new.revoked or (becomes is None and node_id not in new.retired):
        return "who leaves must be revoked"
    left = {node_id} if becomes is None else set()
    if not (new.revoked <= old.revoked | gone and new.retired <= old.retired | left):
        return "only who leaves is revoked"
    return "" if becomes is None else _why_not_member(old, was, becomes)


def _why_not_member(old: Config, was: Member | None, becomes: Member) -> str:
    node_id = becomes.node_id
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


def why_not_forced(old: Config, new: Config) -> str:
    """Why `new` may not be forced upon `old` by an operator; empty if it may."""
    if new.epoch <= old.epoch:
        return f"epoch {new.epoch} does not come after epoch {old.epoch}"
    if new.cluster_id == old.cluster_id:
        return "a forced epoch begins another cluster"
    if not new.voters:
        return "no voter would be left"
    if not (old.revoked <= new.revoked and old.retired <= new.retired):
        return "what was revoked stays revoked"
    gone = [m for m in old.members if m.node_id not in new.everyone]
    if any(m.node_id not in new.retired or not set(m.fingerprints) <= new.revoked for m in gone):
        return "who is left out must be revoked"
    return ""


# ---- as bytes ------------------------------------------------------------------------------------


def encode_config(config: Config) -> bytes:
    """The one spelling of an epoch: canonical JSON, certificates in hex."""
    return canonical_json(
        {
            "cluster_id": config.cluster_id,
            "epoch": config.epoch,
            "members": [_encode_member(member) for member in config.members],
            "retired": sorted(config.retired),
            "revoked": sorted(config.revoked),
        }
    )


def endorsed_bytes(config: Config) -> bytes:
    """The 32 bytes that a voter signs when it accepts an epoch."""
    return sha256(EPOCH_WORDS + encode_config(config)).digest()


def decode_config(encoded: bytes) -> Config:
    """Read what `encode_config` wrote. Raises OpFault for anything else."""
    value = read_json(encoded)
    try:
        assert isinstance(value, dict)
        members = tuple(_decode_member(member) for member in value["members"])
        config = Config(
            _number(value["epoch"]), members, frozenset(map(_text, value["revoked"])),
            frozenset(map(_text, value["retired"])), _text(value["cluster_id"], least=0),
        )  # fmt: skip
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as cause:
        raise OpFault(f"not an epoch: {cause!r}"[:200]) from cause
    if encode_config(config) != encoded:
        raise OpFault("not an epoch: spelled otherwise than canonically")
    return config


def _encode_member(member: Member) -> Json:
    return {
        "address": member.address,
        "certificates": [der.hex() for der in member.certificates],
        "fingerprints": list(member.fingerprints),
        "name": member.name,
        "node_id": member.node_id,
        "role": member.role.value,
    }


def _decode_member(value: Any) -> Member:
    certificates = tuple(map(bytes.fromhex, value["certificates"]))
    member = Member(
        _text(value["node_id"]), tuple(map(_text, value["fingerprints"])), Role(value["role"]),
        _text(value["name"], least=0), _text(value["address"], least=0), certificates,
    )  # fmt: skip
    if any(der and sha256(der).hexdigest() != name for name, der in member.keys().items()):
        raise ValueError("a certificate does not match its fingerprint")
    return member


def _text(value: Any, least: int = 1) -> str:
    if not isinstance(value, str) or not least <= len(value.encode()) <= TEXT_BYTES_MAX:
        raise ValueError("a text is missing, or not of a fair length")
    return value


def _number(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= NUMBER_MAX:
        raise ValueError("not the number of an epoch")
    return value


def _id(member: Member) -> str:
    return member.node_id
