"""Show who did what, and prove it: the log is the audit trail, so nothing is kept for this.

Every op names the principal who wrote it, stands in its node's chain and is signed with that node's
key. Every log is proved page by page: each op must follow the one before, and the last op of a page
must bear its origin's signature, which stands for all before it (ADR 9). What is listed is only a
choice from that; the proof is always of everything.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    AuditRecord,
    AuditRecordEntry,
    AuditRecordVerdict,
    AuditRequest,
)
from aimem_node.operations.asked import PENDING, asked
from aimem_node.operations.call import StreamCall
from aimem_node.operations.events import agent_in, event_name, lies_in, place_of, said_in
from aimem_node.operations.kept import all_kept
from aimem_node.operations.registry import streams
from aimem_node.operations.shapes import place_filter
from aimem_node.replica.signatures import Verifier
from aimem_node.store.listing import Filter
from aimem_node.store.rows import PlacedOp
from aimem_node.store.view import View
from aimem_sync.dot import Origin
from aimem_sync.faults import PeerFault
from aimem_sync.log import Head, admit
from aimem_sync.op import Kind, Op

PAGE = 500
PROBLEMS_MAX = 100


@dataclass(slots=True)
class _Proof:
    """What was proved of the logs, each in its own order."""

    verifier: Verifier
    ops: int = 0
    problems: list[str] = field(default_factory=list)

    def page(self, view: View, origin: Origin, head: Head, end: Head) -> Head:
        """Prove the next ops of a log; where it has been proved up to. At `end` it is done."""
        run = [placed.op for placed in view.ops_of_origin(origin, head.seq, PAGE)]
        run = [op for op in run if op.seq <= end.seq]
        if not run:
            self._note(f"the log of {origin} ends at {head.seq} and should reach {end.seq}")
            return end
        for op in run:
            try:
                head = admit(head, op)
            except PeerFault as fault:
                self._note(f"the log of {origin} is broken at {op.seq}: {fault}")
                head = Head(op.seq, op.chain)
        if not self.verifier.holds(run[-1]):
            self._note(f"{run[-1].dot} is not signed by its origin")
        if head.seq == end.seq and head.chain != end.chain:
            self._note(f"the log of {origin} ends in another op than the one noted")
        self.ops += len(run)
        return head

    def _note(self, problem: str) -> None:
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which ops are listed. Everything given must hold."""

    request: AuditRequest
    place: Filter

    def entry(
        self, view: View, placed: PlacedOp, rules: Mapping[str, str], name_of: Mapping[str, str]
    ) -> AuditRecordEntry | None:
        """The line about an op; None if it is not asked for."""
        op, asked = placed.op, self.request
        if asked.since is not None and op.wall_us < asked.since:
            return None
        if asked.until is not None and op.wall_us > asked.until:
            return None
        if asked.id and op.record_id != asked.id:
            return None
        said = said_in(op)
        agent_id = agent_in(said)
        if asked.author and asked.author not in (op.author, agent_id):
            return None
        event = (event_name(op) if said or op.kind != Kind.EDIT else None) or _upkeep(op, said)
        if asked.event and event != asked.event:
            return None
        namespace = _namespace(view, op, said)
        if asked.namespace and not lies_in(namespace, self.place):
            return None
        return AuditRecordEntry(
            token=str(placed.pos),
            write_id=str(op.dot),
            written_at=op.wall_us,
            author=op.author,
            node_id=op.origin.node_id,
            node_name=name_of.get(op.origin.node_id, ""),
            agent_id=agent_id,
            event=event,
            record_id=op.record_id,
            record_type=str(said.get("type", "")),
            namespace=namespace,
            changed=tuple(_changed(said)),
            rule=rules.get(str(op.dot), ""),
            request_key=op.request_key,
            epoch=op.epoch,
            body_sha256=op.body_sha256.hex(),
            chain=op.chain.hex(),
            body_absent=op.body is None,
        )


@streams
async def audit(call: StreamCall, request: AuditRequest) -> AsyncIterator[AuditRecord]:
    """What was done, in the order of arrival here, and at the end whether it is whole."""
    if call.place:
        raise Failure(
            Code.PERMISSION_DENIED,
            f"an audit tells of everything, and {call.author} stands in {call.place!r}",
            next="Call as an operator who is bounded by no place.",
        )
    wanted = _Wanted(request, place_filter(request.namespace))
    rules = await call.read(_rules)
    plane = call.cluster.plane
    name_of = {member.node_id: member.name for member in plane.config.members}
    pos, listed = _position(request.after), 0
    last, heads = await call.read(lambda view: (view.last_pos(), view.heads()))
    while pos < last and (request.limit is None or listed < request.limit):

        def page(view: View, after: int = pos) -> tuple[int, list[AuditRecordEntry]]:
            found = [placed for placed in view.ops_after(after, PAGE) if placed.pos <= last]
            lines = (wanted.entry(view, placed, rules, name_of) for placed in found)
            return found[-1].pos if found else last, [line for line in lines if line]

        pos, entries = await call.read(page)
        for entry in entries if request.limit is None else entries[: request.limit - listed]:
            listed += 1
            yield AuditRecord(entry=entry)
    proof = _Proof(Verifier(plane.history))
    if request.verify:
        await _prove(call, proof, heads)
    yield AuditRecord(
        verdict=AuditRecordVerdict(
            sound=bool(request.verify) and not proof.problems,
            ops=proof.ops if request.verify else sum(head.seq for head in heads.values()),
            listed=listed,
            problems=tuple(proof.problems),
            heads=tuple(f"{log}:{head.seq} {head.chain.hex()}" for log, head in heads.items()),
            verified=bool(request.verify),
        )
    )


async def _prove(call: StreamCall, proof: _Proof, heads: Mapping[Origin, Head]) -> None:
    for origin, end in heads.items():
        head = Head()
        while head.seq < end.seq:

            def page(
                view: View, origin: Origin = origin, head: Head = head, end: Head = end
            ) -> Head:
                return proof.page(view, origin, head, end)

            head = await call.read(page)


def _position(token: str | None) -> int:
    if not token:
        return 0
    if not (token.isascii() and token.isdigit() and len(token) <= 18):
        raise Failure(
            Code.INVALID_ARGUMENT,
            "this is no token of an audit line",
            path="$.after",
            next="Give the token of the last line that was seen, unchanged.",
        )
    return int(token)


def _rules(view: View) -> dict[str, str]:
    """By write id: the rule under which it was approved. What needed no approval is not in it."""
    found: dict[str, str] = {}
    for _, shown in all_kept(view, PENDING):
        decided = shown.values.get("decided")
        asked = shown.values.get("rules")
        if not isinstance(decided, dict) or not isinstance(asked, list):
            continue
        spelled = ", ".join(_spelled(one) for one in asked if isinstance(one, dict))
        made = decided.get("made")
        for write_id in made if isinstance(made, list) else ():
            found[str(write_id)] = spelled
    return found


def _spelled(rule: Mapping[str, Any]) -> str:
    return f"{rule.get('rule', '')} at {rule.get('set_at', '')}"


def _upkeep(op: Op, said: Mapping[str, Any]) -> str:
    """A name for what is no event: the node's own bookkeeping, or what is not readable here."""
    if op.kind == Kind.EDIT:
        return "upkeep" if said else "unreadable"
    return op.kind


def _changed(said: Mapping[str, Any]) -> Iterator[str]:
    """What was written, by name: an audit is read by many and shows no memory's text."""
    yield from sorted(said.get("set", {}))
    yield from (f"+{tag}" for tag in said.get("tag", ()))
    yield from (f"-{tag}" for tag in sorted(said.get("untag", {})))
    yield from (f"{counter}+" for counter in sorted(said.get("count", {})))


def _namespace(view: View, op: Op, said: Mapping[str, Any]) -> str:
    """Where it was done: as the op says, else where the record lies now."""
    written = said.get("set", {}).get("namespace")
    if isinstance(written, str):
        return written
    kind, _, name = op.record_id.partition(":")
    waiting = asked(view, name) if kind == PENDING else None
    return place_of(view, op, said, None)[0] if waiting is None else waiting.request.namespace
