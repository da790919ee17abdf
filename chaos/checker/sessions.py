"""(f) Sessions: no client is ever shown less than it has seen.

What a session has seen is its token, its own acknowledged ops, and every version it was shown. A
read that cannot honour this may fail in words; it may not answer. Of a register of which the newest
version is shown, a read is stale exactly if the session knows a newer version: whatever else its
node knew, nothing could have put the older one on top.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aimem_sync.faults import OpFault
from aimem_sync.tokens import Token
from chaos.checker.case import Attempt, Case
from chaos.checker.check import Check
from chaos.checker.evidence import LogOp
from chaos.checker.presence import BRINGS_BACK
from chaos.checker.reading import Reads, Shown

TEXTS: Final = ("title", "content")
REMOVES: Final = ("delete", "archive", "purge")


@dataclass(slots=True)
class Session:
    """What one client has seen so far."""

    cluster: str = ""
    logs: dict[str, int] = field(default_factory=dict)
    "Per origin: how far its token reaches."
    dots: set[str] = field(default_factory=set)

    def knows(self, op: LogOp) -> bool:
        """Whether it has seen an op, or something that was written after it in that log."""
        return op.seq <= self.logs.get(op.origin, 0) or op.dot in self.dots

    def hear(self, text: str | None) -> str:
        """Take in a token. What is wrong with it, if anything."""
        if not text:
            return ""
        try:
            token = Token.decode(text)
        except OpFault as fault:
            return f"a token that is none: {fault}"
        if self.cluster and token.cluster_id != self.cluster:
            return "a token of another cluster"
        self.cluster = token.cluster_id
        logs = {str(origin): seq for origin, seq in token.seen.seqs.items()}
        shrunk = [o for o, seq in self.logs.items() if logs.get(o, 0) < seq]
        why = f"the token fell from {self.logs[shrunk[0]]} of {shrunk[0]}" if shrunk else ""
        self.logs |= {o: seq for o, seq in logs.items() if seq > self.logs.get(o, 0)}
        return why


def sessions(case: Case) -> Check:
    """Every read against what its session had seen by then; every token against those before."""
    judge = _Judge(case)
    known: dict[int, Session] = {}
    tried = 0
    broken: list[str] = []
    for attempt in case.attempts:
        asked, told = attempt.asked, attempt.told
        session = known.setdefault(asked.proc, Session())
        why = [session.hear(asked.after)]
        if told is not None:
            if told.type == "ok" and asked.f == "read":
                tried += 1
                why += judge.read(attempt, session)
            why.append(session.hear(told.token))
            if told.type == "ok":
                session.dots.update(told.write_ids)
        where = f"client {asked.proc} at {asked.node}, {asked.f} (line {asked.i})"
        broken += [f"{where}: {words}" for words in why if words]
    return Check("(f) no session reads backwards", tried, tuple(broken),
                 f"{len(known)} sessions")  # fmt: skip


class _Judge:
    """Looks at one read after the other."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._reads = Reads(case)
        self._twins_of: dict[str, Mapping[str, list[str]]] = {}

    def read(self, attempt: Attempt, session: Session) -> Iterator[str]:
        """What is wrong with an answer. Takes what it showed for seen."""
        assert attempt.told is not None
        shown = self._reads.shown(attempt.asked, attempt.told)
        for record in sorted(shown.about - shown.ids):
            if self._is_missed(record, session, attempt.told.t_ns):
                yield f"{record} is not shown, although the session has seen it"
        for record in sorted(shown.ids):
            if self._is_dead(record, session, shown):
                yield f"{record} is shown, although the session has seen it go"
            yield from self._texts(record, shown.fields.get(record, {}), session)
            yield from self._tags(record, shown.fields.get(record, {}), session)

    def _ops(self, record: str) -> tuple[LogOp, ...]:
        return self._case.ops_of.get(record, ())

    def _twins(self, record: str) -> Mapping[str, list[str]]:
        """By each op of a record: the ops that the same request made of it, on any node. Whoever
        saw one has seen the deed; the others are hidden wherever that is known."""
        if record not in self._twins_of:
            made: dict[tuple[str | None, str], list[str]] = {}
            for op in self._ops(record):
                made.setdefault((op.author, op.idem or op.dot), []).append(op.dot)
            self._twins_of[record] = {dot: dots for dots in made.values() for dot in dots}
        return self._twins_of[record]

    def _is_missed(self, record: str, session: Session, until_ns: int) -> bool:
        """Whether it had to be shown, and nobody can have taken it away by then."""
        born = any(_life(op) == "live" and session.knows(op) for op in self._ops(record))
        if not born:
            return False
        asked = {
            deed.idem: deed.asked_ns for deed in self._case.done_to(record, *REMOVES) if deed.idem
        }
        by_others = (
            op.kind == "purge" or _life(op) in {"deleted", "archived"}
            for op in self._ops(record)
            if op.idem not in asked
        )
        return not any(at < until_ns for at in asked.values()) and not any(by_others)

    def _is_dead(self, record: str, session: Session, shown: Shown) -> bool:
        """Whether every word that it lives is overwritten by one that the session has seen."""
        ops = self._ops(record)
        lives = {"live", "archived"} if shown.archive_too else {"live"}
        living = [op for op in ops if _life(op) in lives or _ran_out(op)]
        gone = {dot for op in ops if session.knows(op) for dot in op.part("over").get("life", ())}
        return (
            bool(living)
            and all(op.dot in gone for op in living)
            and not self._lost(record, BRINGS_BACK)
        )

    def _lost(self, record: str, fs: tuple[str, ...], tag: str = "") -> bool:
        """Whether a deed of these kinds may have been done on a disk that is no more: a reader may
        have been shown what no log has in the end."""
        return any(
            deed.end == "info"
            and deed.idem not in self._case.made_by
            and (not tag or tag in (*deed.value.get("add", ()), *deed.value.get("remove", ())))
            for deed in self._case.done_to(record, *fs)
        )

    def _texts(self, record: str, fields: Mapping[str, Any], session: Session) -> Iterator[str]:
        twins = self._twins(record)
        for name in TEXTS:
            if name not in fields:
                continue
            wrote = [
                (op, said) for op in self._ops(record) if (said := _text(op, name)) is not None
            ]
            same = [op for op, said in wrote if said == fields[name]]
            known = [op for op, _ in wrote if session.knows(op) and len(twins[op.dot]) == 1]
            newest = max((op.order_key for op in known), default=None)
            if newest is None or not same:
                continue
            if max(op.order_key for op in same) < newest:
                yield f"{record} shows an older {name} than the session has seen"
            if len(same) == 1:
                session.dots.add(same[0].dot)

    def _tags(self, record: str, fields: Mapping[str, Any], session: Session) -> Iterator[str]:
        if "tags" not in fields:
            return
        shown = set(fields["tags"] or ())
        ops = self._ops(record)
        twins = self._twins(record)
        for tag in sorted({tag for op in ops for tag in op.tags}):
            added = [op for op in ops if tag in op.tags]
            taken = _untagged(tag, ops if tag not in shown else filter(session.knows, ops))
            if tag not in shown:
                taken |= {twin for dot in taken for twin in twins.get(dot, ())}
            if tag in shown and all(op.dot in taken for op in added):
                why, fs = f"shows the tag {tag}, which the session has seen go", ("tag",)
            elif tag not in shown and any(
                session.knows(op) and op.dot not in taken for op in added
            ):
                why, fs = f"lacks the tag {tag}, which the session has seen", ("untag",)
            else:
                continue
            if not self._lost(record, fs, tag):
                yield f"{record} {why}"


def _untagged(tag: str, ops: Iterable[LogOp]) -> set[str]:
    return {dot for op in ops for dot in op.part("untag").get(tag, ())}


def _life(op: LogOp) -> str:
    life = op.part("set").get("life")
    return str(life.get("is", "live")) if isinstance(life, Mapping) else ""


def _ran_out(op: LogOp) -> bool:
    """An archive made because time had run out may be void, and the record live."""
    life = op.part("set").get("life")
    return isinstance(life, Mapping) and life.get("reason") == "ttl_expired"


def _text(op: LogOp, name: str) -> Any:
    """What an op wrote: a register of its own, or a member of the body."""
    said = op.part("set")
    body = said.get("body")
    return body.get(name) if isinstance(body, Mapping) else said.get(name)
