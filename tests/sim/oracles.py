"""All-seeing judges: what must hold at each moment, and in the end.

They look at the disks, not at what the nodes believe, and know of every op ever stamped. Each
names the invariant (I1 ... I17) of the specification that it guards.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from aimem_sync.cursor import Cursor
from aimem_sync.digest import record_hash
from aimem_sync.dot import Dot, Origin
from aimem_sync.edit import Edit
from aimem_sync.effects import Answer, Effect, Keep, KeepConfig, Outcome, Send, Truncate
from aimem_sync.events import Heard
from aimem_sync.members import Config, why_not_forced, why_not_next
from aimem_sync.merge import join
from aimem_sync.messages import Append, AppendAck, Beat, Message, Pull
from aimem_sync.op import Kind, Op
from aimem_sync.state import RecordState
from tests.sim.disk import Disk, WriteJob, said

if TYPE_CHECKING:
    from tests.sim.world import Node, World

MESSAGES_PER_COPY_MAX = 12
"""Appends and acks for one op and one receiver, all told. Two are needed; loss, duplication and
partitions repeat some."""

PULLS_PER_COPY_MAX = 2
"""A pull brings at least one op, or is followed by a pause; a lost disk is filled again."""


class Violation(AssertionError):  # noqa: N818  (it is found, not made)
    """An invariant does not hold."""


class Oracles:
    """See the module."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ops: dict[Dot, Op] = {}
        self.by_request: dict[int, Dot] = {}
        self.by_key: dict[tuple[Origin, str], Dot] = {}
        self.asked_for: dict[int, tuple[int, int, frozenset[str] | None]] = {}
        self.outcomes: dict[int, Outcome] = {}
        self.committed: dict[Dot, int] = {}
        self.pending: set[Dot] = set()
        self.acked: dict[tuple[str, str, Origin], int] = {}
        self.ever: dict[str, Cursor] = {}
        "Per node: the most it has ever had on disk, over all its incarnations."
        self.configs: dict[int, Config] = {}
        self.forced: set[int] = set()
        "Epochs that an operator has declared."
        self.introduced: set[tuple[str, int, str, str]] = set()
        "(hearer, its boot, speaker, incarnation): whose beat has been heard by whom."
        self.lost: set[str] = set()
        "Nodes that have lost a disk or been evicted: what stood only there may be gone."
        self.unrenewed: set[str] = set()
        "Nodes that went on under an old name on an older disk: their acks may be worth nothing."
        self.sends: Counter[str] = Counter()
        self.pulls: Counter[str] = Counter()
        self.forgive_forks = False
        "Set where a schedule makes a fork on purpose."

    def fail(self, invariant: str, text: str) -> None:
        raise Violation(f"{invariant} at {self.world.now_us / 1e6:.3f} s: {text}")

    # ---- disks -----------------------------------------------------------------------------------

    def op(self, disk: Disk, op: Op, job: WriteJob | None) -> None:
        """An op is about to be put into a log."""
        head = disk.image.heads.get(op.origin)
        have = head.seq if head is not None else 0
        if op.seq != have + 1:
            self.fail("I1", f"op {op.seq} put after {have}")
        if head is not None and head.chain != op.prev_chain:
            self.fail("I1", f"op {op.seq} does not continue the log")
        seen = self.ops.setdefault(op.dot, op)
        if seen.chain != op.chain and not self.forgive_forks:
            self.fail("I2", f"two ops are called {op.seq} of {op.origin.node_id[-2:]}")
        if job is not None:
            self._stamped(op, job)

    def _stamped(self, op: Op, job: WriteJob) -> None:
        if self.outcomes.get(job.request) is Outcome.NOT_WRITTEN:
            self.fail("I5", "stamped after it was called not written")
        self.by_request[job.request] = op.dot
        if self.by_key.setdefault((op.origin, job.key), op.dot) != op.dot:
            self.fail("I10", f"the key {job.key} has made two ops")
        if op.kind == Kind.EDIT and op.body:
            edit = Edit.decode(op.body)
            for dots in (*edit.over.values(), *edit.untag.values()):
                if any(self.ops[dot].lamport >= op.lamport for dot in dots):
                    self.fail("I15", "an op is older than what it overwrites")

    def fsynced(self, node: Node, before: Cursor) -> None:
        have = node.disk.image.have()
        if not have.dominates(before):
            self.fail("I3", f"{node.node_id[-2:]} has lost ops without a crash")
        name = node.node_id
        self.ever[name] = self.ever.get(name, Cursor()).merge(have)

    def lost_disk(self, name: str) -> None:
        self.lost.add(name)

    def not_renewed(self, name: str) -> None:
        """What it once acknowledged still counts with others, until it is found out."""
        self.unrenewed.add(name)

    def asked(self, node: Node, effect: Effect) -> None:
        if isinstance(effect, Truncate):
            for member in node.disk.image.history[-1].everyone:
                if not self.ever.get(member, Cursor()).dominates(effect.upto):
                    self.fail("I13", f"truncated what {member[-2:]} never had")
        elif isinstance(effect, KeepConfig):
            for config, proof in zip(effect.configs, effect.proofs, strict=True):
                before = self.configs.get(config.epoch - 1)
                signers = {one.node_id for one in proof}
                if config.epoch in self.forced:
                    continue
                if before is not None and len(signers & before.voters) < before.majority:
                    self.fail("I11", f"epoch {config.epoch} taken in without a majority's word")

    # ---- messages --------------------------------------------------------------------------------

    def sent(self, node: Node, to: str, message: Message) -> None:
        config = _config(node)
        if to not in config.everyone:
            self.fail("I12", f"{type(message).__name__} to {to[-2:]}, who does not belong")
        have = node.disk.image.have()
        me = node.node_id
        if isinstance(message, AppendAck):
            self.sends[me] += 1
            if message.durable_seq > have.get(message.origin):
                self.fail("I3", "an ack of what is not on disk")
            at = (me, message.incarnation, message.origin)
            if message.durable_seq < self.acked.get(at, 0) and me not in self.unrenewed:
                self.fail("I3", "an ack took back an earlier one")
            self.acked[at] = message.durable_seq
        elif isinstance(message, Beat):
            if any(head.seq > have.get(origin) for origin, head in message.heads.items()):
                self.fail("I3", "a beat tells of what is not on disk")
        elif isinstance(message, Pull):
            self.pulls[me] += 1
        elif isinstance(message, Append):
            self.sends[me] += 1
            if message.ops[-1].seq > have.get(message.origin):
                self.fail("I3", "ops sent before they were on disk")

    def heard(self, node: Node, event: Heard, effects: list[Effect]) -> None:
        config = _config(node)
        sender = self.world.nodes[self.world.owners[event.fingerprint]]
        gone = sender.node_id not in config.everyone
        if event.fingerprint in config.revoked and any(
            isinstance(effect, Keep)
            or (gone and isinstance(effect, Send) and effect.to == sender.node_id)
            for effect in effects
        ):
            self.fail("I12", "an evicted node was listened to")
        if isinstance(event.message, Beat):
            self.introduced.add(
                (node.node_id, node.boot, sender.node_id, event.message.incarnation)
            )

    def applied(self, node: Node, config: Config) -> None:
        known = self.configs.setdefault(config.epoch, config)
        if known != config:
            self.fail("I11", f"two configs of epoch {config.epoch}")
        before = self.configs.get(config.epoch - 1)
        why_not = why_not_forced if config.epoch in self.forced else why_not_next
        if before is not None and why_not(before, config):
            self.fail("I11", why_not(before, config))

    # ---- answers ---------------------------------------------------------------------------------

    def wanted(
        self, request: int, needed: int, deadline_us: int, eligible: frozenset[str] | None
    ) -> None:
        self.asked_for[request] = (needed, deadline_us, eligible)

    def answer(self, node: Node, answer: Answer) -> None:
        """A client is being told how its write went."""
        now = self.world.now_us
        self.outcomes[answer.request] = answer.outcome
        asked, deadline, eligible = self.asked_for[answer.request]
        dot = self.by_request.get(answer.request)
        if answer.outcome is Outcome.NOT_WRITTEN:
            if dot is not None:
                self.fail("I5", "called not written, and stands in the log")
            return
        dot = dot or node.disk.known(self.world.jobs[answer.request].key)
        assert dot is not None
        if answer.outcome is Outcome.PENDING:
            if not node.disk.image.covers(dot):
                self.fail("I6", "called pending, and is nowhere")
            if now < deadline:
                self.fail("A4", "called pending before the deadline")
            self.pending.add(dot)
            return
        config = node.disk.image.history[-1]
        may = config.voters if eligible is None else config.voters & eligible
        needed = asked or len(may) // 2 + 1
        if eligible is not None:
            may = may or config.everyone & eligible
            needed = min(asked or len(may) // 2 + 1, max(1, len(may)))
        holding = [n for n in may if self._holds(node, n, dot)]
        if len(holding) < needed:
            self.fail("I4", f"committed on {len(holding)} of {needed} disks")
        self.committed[dot] = now

    def _holds(self, asker: Node, name: str, dot: Dot) -> bool:
        """Whether a voter has the op, or had it in the incarnation that the asker knows of."""
        node = self.world.nodes[name]
        if node.disk.image.covers(dot):
            return True
        incarnation = node.disk.origin.incarnation
        knows_better = (asker.node_id, asker.boot, name, incarnation) in self.introduced
        knows_better = knows_better and name not in self.unrenewed
        had = self.ever.get(name, Cursor()).covers(dot)
        return had and name in self.lost and not knows_better

    # ---- the end ---------------------------------------------------------------------------------

    def level(self) -> str:
        """What still keeps the members from being equal; empty if nothing does."""
        members = self.world.members()
        latest = self.world.latest()
        for node in members:
            if node.core is None:
                return f"{node.node_id[-2:]} is down"
            if node.core.config != latest:
                return f"{node.node_id[-2:]} lives in epoch {node.core.config.epoch}"
        first = members[0].disk.image.heads
        for node in members[1:]:
            if node.disk.image.heads != first:
                return f"{node.node_id[-2:]} has not what {members[0].node_id[-2:]} has"
        return ""

    def verdict(self) -> None:
        """What must hold once all members are level."""
        members = self.world.members()
        have = members[0].disk.image.have()
        for dot in self.committed:
            if not have.covers(dot):
                self.fail("I4", f"committed and lost: {dot.seq} of {dot.origin.node_id[-2:]}")
        here = self.world.latest().everyone - self.lost
        for dot in self.pending:
            if dot.origin.node_id in here and not have.covers(dot):
                self.fail("I6", "pending, and lost although no disk was")
        digests = [node.disk.image.digest() for node in members]
        if any(digest != digests[0] for digest in digests):
            self.fail("I7", "equal logs and different states")
        if digests[0] != self.reference(have):
            self.fail("I8", "the state is not the fold of the log")
        self.messages()

    def reference(self, have: Cursor) -> dict[str, bytes]:
        """The fold of all ops that are had, in an order of its own."""
        states: dict[str, RecordState] = {}
        for op in sorted(self.ops.values(), key=lambda op: op.chain):
            if have.covers(op.dot):
                known = states.get(op.record_id)
                states[op.record_id] = said(op) if known is None else join(known, said(op))
        shown = {name: record_hash(state) for name, state in states.items()}
        return {name: seen for name, seen in shown.items() if any(seen)}

    def messages(self) -> None:
        """I17: Appends and acks stay in proportion to ops, receivers and time."""
        nodes = len(self.world.nodes)
        copies = max(1, len(self.ops)) * (nodes - 1)
        idle = nodes * nodes * self.world.now_us / 1e6 * 4
        total = sum(self.sends.values())
        if total > MESSAGES_PER_COPY_MAX * copies + idle:
            self.fail("I17", f"{total} appends and acks for {copies} copies")
        pulls = sum(self.pulls.values())
        if pulls > PULLS_PER_COPY_MAX * copies + idle:
            self.fail("I17", f"{pulls} pulls for {copies} copies")


def _config(node: Node) -> Config:
    """The epoch that a node lives in: what is on disk rules once the core has been told."""
    return node.core.config if node.core is not None else node.disk.image.history[-1]
