"""The evidence in the order in which checks ask for it: by deed, by key, by record.

A *deed* is what a client wanted done, an *attempt* one time of asking for it. All attempts with one
request key are one deed, and its end is the best that any of them was told: a refusal never takes
back what an earlier attempt may have done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

from chaos.checker.evidence import Evidence, LogOp, State
from chaos.history import Event

End: TypeAlias = Literal["ok", "info", "fail"]

READ: Final = "read"
UNANSWERED: Final = "info"
"""A question without an answer: nobody can say."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One question, and its answer if there was one."""

    asked: Event
    told: Event | None

    @property
    def end(self) -> End:
        """What its client may believe."""
        if self.told is None or self.told.type == "invoke":
            return UNANSWERED
        return self.told.type


@dataclass(slots=True)
class Deed:
    """All attempts at one thing."""

    f: str
    idem: str
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def end(self) -> End:
        """The best that any attempt was told."""
        ends = {attempt.end for attempt in self.attempts}
        return "ok" if "ok" in ends else "info" if "info" in ends else "fail"

    @property
    def oks(self) -> list[Event]:
        """Answers that said: done."""
        return [a.told for a in self.attempts if a.told is not None and a.told.type == "ok"]

    @property
    def write_ids(self) -> tuple[str, ...]:
        """All ops that an ok named."""
        return tuple(dict.fromkeys(dot for told in self.oks for dot in told.write_ids))

    @property
    def key(self) -> str:
        """The record, by the name that it was given when it was done. Not every answer tells it:
        who only waits for a write to be confirmed is not told again what it made."""
        asked = self.attempts[0].asked.key
        told = [a.told for a in self.attempts if a.told is not None and a.told.type != "fail"]
        named = [one.key for one in (*self.oks, *told) if one.key and one.key != asked]
        return named[0] if named else asked or ""

    @property
    def value(self) -> Mapping[str, Any]:
        """What was wanted."""
        found = self.attempts[0].asked.value
        return found if isinstance(found, Mapping) else {}

    @property
    def ok_ns(self) -> int:
        """When it was first said to be done."""
        return min(told.t_ns for told in self.oks)

    @property
    def asked_ns(self) -> int:
        """When it was first asked for."""
        return self.attempts[0].asked.t_ns

    def __str__(self) -> str:
        return f"{self.f} {self.key}" + (f" ({self.idem})" if self.idem else "")


class Case:
    """One run's evidence with its indexes; built once, asked by every check."""

    def __init__(self, seen: Evidence) -> None:
        self.seen = seen
        self.members: tuple[State, ...] = seen.members

    @cached_property
    def attempts(self) -> tuple[Attempt, ...]:
        """In the order of the questions."""
        told = {event.of: event for event in self.seen.events if event.type != "invoke"}
        asked = (event for event in self.seen.events if event.type == "invoke")
        return tuple(Attempt(event, told.get(event.i)) for event in asked)

    @cached_property
    def deeds(self) -> tuple[Deed, ...]:
        """Everything that clients wanted but reads, in the order of the first questions."""
        found: dict[str, Deed] = {}
        for attempt in self.attempts:
            asked = attempt.asked
            if asked.f != READ:
                name = asked.idem or f"\n{asked.i}"
                deed = found.setdefault(name, Deed(asked.f, asked.idem or ""))
                deed.attempts.append(attempt)
        return tuple(found.values())

    @cached_property
    def reads(self) -> tuple[tuple[Event, Event], ...]:
        """Reads that were served: question and answer."""
        return tuple(
            (one.asked, one.told)
            for one in self.attempts
            if one.asked.f == READ and one.told is not None and one.told.type == "ok"
        )

    @cached_property
    def written(self) -> tuple[Deed, ...]:
        """Acknowledged writes: those that named ops."""
        return tuple(deed for deed in self.deeds if deed.write_ids)

    @cached_property
    def about(self) -> Mapping[str, tuple[Deed, ...]]:
        """Per record: the deeds about it that may have been done."""
        found: dict[str, list[Deed]] = defaultdict(list)
        for deed in self.deeds:
            if deed.end != "fail":
                found[deed.key].append(deed)
        return {record: tuple(deeds) for record, deeds in found.items()}

    def done_to(self, record: str, *fs: str) -> Iterator[Deed]:
        """Deeds of these kinds about a record that may have been done."""
        return (deed for deed in self.about.get(record, ()) if deed.f in fs)

    @cached_property
    def ops(self) -> Mapping[str, LogOp]:
        """Every op that stands in any log, with its body if any log has it."""
        found: dict[str, LogOp] = {}
        for state in self.seen.states.values():
            for op in state.log:
                known = found.get(op.dot)
                if known is None or known.body is None:
                    found[op.dot] = op
        return found

    @cached_property
    def ops_of(self) -> Mapping[str, tuple[LogOp, ...]]:
        """Per record: the ops about it."""
        found: dict[str, list[LogOp]] = defaultdict(list)
        for op in self.ops.values():
            found[op.record].append(op)
        return {record: tuple(ops) for record, ops in found.items()}

    @cached_property
    def made_by(self) -> Mapping[str, Mapping[str, tuple[LogOp, ...]]]:
        """Per request key and origin: the ops that were written for it, in order."""
        found: dict[str, dict[str, list[LogOp]]] = defaultdict(lambda: defaultdict(list))
        for op in self.ops.values():
            if op.idem:
                found[op.idem][op.origin].append(op)
        return {
            idem: {o: tuple(sorted(ops, key=lambda op: op.seq)) for o, ops in groups.items()}
            for idem, groups in found.items()
        }

    def name_of(self, dot: str) -> str:
        """An op's name that a person can read: the node's name in place of 32 digits."""
        origin, _, seq = dot.rpartition(":")
        node_id, _, incarnation = origin.partition(".")
        for state in self.seen.states.values():
            if state.node_id == node_id:
                return f"{state.name}.{incarnation[:4]}:{seq}"
        return f"{node_id[:8]}.{incarnation[:4]}:{seq}"
