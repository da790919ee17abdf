# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit.
"""For the operator of a node."""

from __future__ import annotations

from dataclasses import dataclass

from aimem_node.contract.made.values_nouns import WriteResult
from aimem_node.contract.value import Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NodeStatusRequest(Value):
    """What NodeStatus is asked."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class OriginStatus(Value):
    """OriginStatus, as it crosses a process boundary."""

    origin: str = ""
    have: int = 0
    head: str = ""
    """Hash of the last op, in hex."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NodeStatusResponse(Value):
    """What NodeStatus answers."""

    node_id: str = ""
    fingerprint: str = ""
    version: str = ""
    data_dir: str = ""
    started_at: int | None = None
    state: str = ""
    """serving, or failed with the reason."""
    reason: str = ""
    origins: tuple[OriginStatus, ...] = ()
    digest: str = ""
    """SHA-256 over the state of all records, in hex: equal on nodes that have seen the same ops."""
    db_size_bytes: int = 0
    wal_size_bytes: int = 0
    disk_free_bytes: int = 0
    schema_version: int = 0
    listening: tuple[str, ...] = ()
    """Where callers reach it."""
    resident_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class BackupRequest(Value):
    """What Backup is asked."""

    to: str | None = None
    """A directory on the node's machine; the data directory's backups folder when absent."""
    keep: int = 48
    """How many backups to keep there; 0 keeps all."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class BackupResponse(Value):
    """What Backup answers."""

    path: str = ""
    sha256: str = ""
    bytes: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class VerifyRequest(Value):
    """What Verify is asked."""

    deep: bool = False
    """Fold the whole log again and compare."""
    repair: bool = False
    """Make again from the log what does not match it, and fetch damaged ops from other members."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class VerifyResponse(Value):
    """What Verify answers."""

    ok: bool = False
    ops: int = 0
    records: int = 0
    digest: str = ""
    problems: tuple[str, ...] = ()
    """What is wrong, one line each."""
    peers: tuple[str, ...] = ()
    """How this node compares with each other member, one line each."""
    repaired: tuple[str, ...] = ()
    """What was made again or fetched again, one line each."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ClusterStatusRequest(Value):
    """What ClusterStatus is asked."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class MemberStatus(Value):
    """One member, as this node sees it."""

    node_id: str = ""
    name: str = ""
    role: str = ""
    """voter or learner."""
    address: str = ""
    """Where it listens for other members; empty when it only dials."""
    fingerprints: tuple[str, ...] = ()
    state: str = ""
    """self, in sync, lagging, catching up, or unreachable."""
    reason: str = ""
    """Why it is not in sync."""
    lag_ops: int = 0
    """Ops that this node has and the member has not confirmed, over all logs."""
    lag_bytes: int = 0
    """The same in bytes, as far as can be told from the log here."""
    heard_ms: int | None = None
    """Since it was last heard of, in milliseconds; absent when never."""
    ack_ms: float | None = None
    """How long its last acknowledgement took, in milliseconds."""
    clock_offset_ms: int | None = None
    """Its clock minus this one's, in milliseconds."""
    epoch: int = 0
    origins: tuple[OriginLag, ...] = ()
    ahead_ops: int = 0
    """Ops that the member has and this node lacks, over all logs."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class OriginLag(Value):
    """How far a member lacks one log."""

    origin: str = ""
    have: int = 0
    lag_ops: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Knock(Value):
    """A machine that knocked and waits to be approved."""

    fingerprint: str = ""
    name: str = ""
    address: str = ""
    at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ClusterStatusResponse(Value):
    """What ClusterStatus answers."""

    cluster_id: str = ""
    epoch: int = 0
    voters: int = 0
    needed: int = 0
    """How many nodes must hold a write when nobody says otherwise."""
    in_sync: int = 0
    """How many voters are in sync, this node included if it is one."""
    members: tuple[MemberStatus, ...] = ()
    pending_writes: int = 0
    """Writes in this node's log that are not yet committed, and the age of the oldest."""
    pending_oldest_ms: int = 0
    state: str = ""
    """serving, joining, catching up, fenced or failed, and why."""
    reason: str = ""
    revoked: tuple[str, ...] = ()
    """Fingerprints that are refused for ever."""
    knocks: tuple[Knock, ...] = ()
    address: str = ""
    """Where this node listens for other members."""
    progress: JoinResponse | None = None
    """Snapshot or catch-up under way here."""
    forked: tuple[str, ...] = ()
    """Logs of which two histories exist."""
    ready: bool = False
    """False when this node's lag or an unhealed divergence is above what readiness allows."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class WaitDurableRequest(Value):
    """What WaitDurable is asked."""

    write_id: str
    """As a write's answer gave it: origin:sequence."""
    w: int | None = None
    deadline_ms: int = 1500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class WaitDurableResponse(Value):
    """What WaitDurable answers."""

    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class InviteRequest(Value):
    """What Invite is asked."""

    name: str | None = None
    """What to call the new machine; it may choose for itself when absent."""
    ttl_s: int = 900
    """For how long the line is good."""
    address: str | None = None
    """host:port where others reach this node; found by itself when absent."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class InviteResponse(Value):
    """What Invite answers."""

    line: str = ""
    """Give it to `aimem-node join` on the other machine. Whoever has it can join once."""
    invite_id: str = ""
    expires_at: int | None = None
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class JoinRequest(Value):
    """What Join is asked."""

    line: str | None = None
    """The line that `aimem-node invite` printed; absent to ask how far a join is."""
    knock: str | None = None
    """host:port of a member, to knock there and be approved instead of bringing a line."""
    fingerprint: str | None = None
    """SHA-256 fingerprint of that member, in hex."""
    name: str | None = None
    """What this machine is called there; its host name when absent."""
    address: str | None = None
    """host:port where the others reach this node; found by itself when absent."""
    bring: bool = False
    """Bring the memories that are here already into the cluster."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class JoinResponse(Value):
    """What Join answers."""

    step: str = ""
    """none, sponsor, identity, admitted, snapshot, catch_up, voter, or failed."""
    said: str = ""
    """In words, for people."""
    done: int = 0
    """Of the present step: bytes of a snapshot, or ops to catch up."""
    total: int = 0
    epoch: int = 0
    voters: int = 0
    needed: int = 0
    failure: str = ""
    next: str = ""
    fingerprint: str = ""
    snapshot_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ApproveRequest(Value):
    """What Approve is asked."""

    fingerprint: str
    """The fingerprint that the other machine shows, or its beginning."""
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ApproveResponse(Value):
    """What Approve answers."""

    node_id: str = ""
    name: str = ""
    epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PromoteMemberRequest(Value):
    """What PromoteMember is asked."""

    node: str
    """Its name, its node id or the beginning of it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class EvictRequest(Value):
    """What Evict is asked."""

    node: str
    """Its name, its node id or the beginning of it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class LeaveRequest(Value):
    """What Leave is asked."""

    force: bool = False
    """Leave even if nobody else holds some of what is here."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RotateKeyRequest(Value):
    """What RotateKey is asked."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class MembersChanged(Value):
    """The epoch that a change of members led to."""

    epoch: int = 0
    voters: int = 0
    needed: int = 0
    node_id: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ForceEpochRequest(Value):
    """What ForceEpoch is asked."""

    keep: tuple[str, ...] = ()
    """The members that go on, by name or node id. All others are evicted."""
    adopt: str | None = None
    """The line that the first survivor printed, for the other survivors."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ForceEpochResponse(Value):
    """What ForceEpoch answers."""

    cluster_id: str = ""
    epoch: int = 0
    voters: int = 0
    line: str = ""
    """Run `aimem-node force-epoch --adopt LINE` on each other survivor."""
