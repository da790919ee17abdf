"""Builds of the real node with one thing wrong in each. A campaign that does not catch them is no
proof of anything.

A break replaces a function while the process runs; nothing in the node knows of it. It is put in
before anything is opened, by CHAOS_BROKEN=name. Each names the class of faults that is meant to
catch it, since a break must show under the fault that it cannot bear and not by luck.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from aimem_node.operations import call
from aimem_node.replica import disk as replica_disk
from aimem_node.replica import outbox, replica
from aimem_node.replica.fence import Fence
from aimem_node.rpc import dispatch, peer_net
from aimem_node.store import database, session
from aimem_sync import hearing, intake, merge, quorum
from chaos.seams import breaks, letting_in

Patch: TypeAlias = tuple[Any, str, Any]


@dataclass(frozen=True, slots=True)
class Broken:
    """One thing that is wrong."""

    name: str
    what: str
    "What the node does wrong, in a sentence."
    caught_by: str
    "The class of faults whose runs must fail with it."
    shows: str
    "How a run shows it: what happens, and which check says so."
    patches: tuple[Patch, ...]
    size: int = 3
    "How many nodes it takes."
    cycles: int = 5
    "How often the fault should strike, with clients that write twenty times a second."

    def apply(self) -> None:
        """Break this process. For good: it is meant for a process of its own."""
        for target, name, wrong in self.patches:
            assert hasattr(target, name), f"{self.name}: {target} has no {name} any more"
            setattr(target, name, wrong)


def _by_name(*all_of_them: Broken) -> Mapping[str, Broken]:
    return {one.name: one for one in all_of_them}


_NO_CHAIN: Final[Sequence[Patch]] = (
    (intake.Intake, "_next", breaks.any_successor),
    (session, "admit", breaks.any_of_a_later_number),
)

BROKEN: Final = _by_name(
    Broken(
        "ack-before-fsync",
        "A commit is confirmed, to clients and to members, before it is synced.",
        "power-cut",
        # SQLite's synchronous=NORMAL: the one word with which many a project got this wrong.
        "The power goes between a confirmation and the next sync: the node comes back with less"
        " than it confirmed, which (h) I3 sees at once, and (a) where all holders were cut.",
        ((database, "sync_every_commit", breaks.sync_no_commit),),
    ),
    Broken(
        "cursor-before-rows",
        "`have` moves in a transaction of its own, before the one that brings the ops.",
        "kill",
        "A node is killed between the two: it says it has ops which nobody sends it again. (a) they"
        " are not at that node, (d) its log has a gap and its records differ.",
        ((replica_disk.Disk, "keep", breaks.cursor_first),),
    ),
    Broken(
        "tombstone-dropped",
        "Deletions that come from other members stay in the log and out of the records.",
        "partition-one",
        "What one side deletes while it is parted lives on at the other: (d) the hashes of these"
        " records differ, with equal logs.",
        ((session.WriteSession, "take_run", breaks.take_run_without_tombstones),),
    ),
    Broken(
        "duplicate-ack",
        "Each confirmation counts twice toward W, the node's own too.",
        "partition-one",
        "A node that is cut off goes on answering `committed` by itself. I4: at the time of the"
        " answer acks.*.jsonl holds confirmations by fewer than W members.",
        ((quorum, "acks_in", breaks.each_counts_twice),),
    ),
    Broken(
        "commit-on-timeout",
        "A write that is not confirmed in time is called committed.",
        "partition-one",
        "Writes that are in hand when the cut comes are answered `committed` when their time is up."
        " I4, as for duplicate-ack.",
        ((quorum.Quorum, "_late", breaks.late_is_committed),),
    ),
    Broken(
        "fail-on-timeout",
        "A write that is not confirmed in time is called not written, though it is in the log.",
        "partition-one",
        "The same writes are answered NOT_WRITTEN, and spread after the cut: (b) what was refused"
        " is in the log.",
        ((quorum.Quorum, "_late", breaks.late_is_failed),),
    ),
    Broken(
        "lamport-cursor",
        "Who asks for what it lacks is sent what is newer than the newest that it has.",
        "partition-ring",
        # Own ops are pushed by sequence all the same, and who joins gets a snapshot: it takes
        # nodes that can hear some others only over third ones.
        "What comes over a neighbour lacks all that is older than the newest op that is here"
        " already: (a) ops are not at that node, (d) its logs have gaps.",
        ((outbox.Outbox, "page", breaks.page_by_lamport), *_NO_CHAIN),
        size=5,
    ),
    Broken(
        "idempotency-ignored",
        "A request key is kept and never looked up.",
        "kill-at-commit",
        "The node dies between commit and answer, the client asks again with the same key: two"
        " requests' worth of ops under one key, so one key means more than one deed (b, once).",
        (
            (session.WriteSession, "idem", breaks.no_key_known),
            (session.WriteSession, "_put_answer", breaks.put_answer_again),
            (replica.Replica, "earlier", breaks.nothing_earlier),
            (call.WriteCall, "new_id", breaks.new_id_each_time),
        ),
        cycles=10,
    ),
    Broken(
        "token-ignored",
        "A read is answered at once, whatever its session has seen elsewhere.",
        "partition-one",
        "A session comes to a node that is cut off, looks for what it has just written, and is not"
        " shown it: (f) it reads backwards.",
        ((dispatch.Dispatcher, "_reach", breaks.reached_already),),
    ),
    Broken(
        "accept-from-evicted",
        "Whoever ever was a member goes on being heard and answered.",
        "revoked-key",
        "The evicted member dials with its old key and is answered: it was let in, and (h) I12 says"
        " so of whoever answered it.",
        letting_in.PATCHES,
    ),
    Broken(
        "lww-by-arrival",
        "Of versions that nobody has overwritten, the one that came last wins.",
        "partition-halves",
        "Both sides edit the same record: after the heal each shows the other's text. (d) hashes"
        " differ, and differ from the fold.",
        ((merge, "_join_heads", breaks.join_heads_by_arrival),),
    ),
    Broken(
        "restore-reuses-origin",
        "A node that was put back to an older image goes on numbering its ops where that ends.",
        "old-backup",
        "The others know other ops under these numbers: (d) one name is two ops, (a) what it wrote"
        " afterwards is nowhere else, or the cluster never agrees again.",
        (
            (replica, "META_RESTORED", "restored, and not minded"),
            (Fence, "rolled_back", breaks.never_rolled_back),
            (hearing, "Fence", breaks.only_a_note),
        ),
    ),
    Broken(
        "forged-op-accepted",
        "Neither signatures nor hashes of ops from others are looked at.",
        "forged-op",
        "What the liar altered is taken in by whoever could hear nobody else: (d) logs do not"
        " verify, one name is two ops, and records differ.",
        ((peer_net.PeerNet, "_signed", breaks.signed_anyhow), *_NO_CHAIN),
    ),
)
"""By name."""
