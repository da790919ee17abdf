"""What was curated, written down with all that is needed to undo it.

A step is a record of its own, written in the same transaction as what it speaks of: nothing is
archived, linked or merged by curation that the log of steps does not know. It holds ids and never
words, so that an erasure has nothing to look for here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import CurationLogRequest, CurationLogResponse, CurationStep
from aimem_node.operations.call import ReadCall, WriteCall
from aimem_node.operations.cursors import read_words_cursor, write_cursor
from aimem_node.operations.identity import principal_of
from aimem_node.operations.registry import operation
from aimem_node.operations.sight_of import sight_of
from aimem_sync.canon import Json
from aimem_sync.change import Change
from aimem_sync.display import display
from aimem_sync.dot import Dot
from aimem_sync.state import RecordState, Version

STEP: Final = "step"
REVERSED: Final = "reversed"
"""The register that says that a step was undone."""
PAGE: Final = 100
STEPS_READ_MAX: Final = 1_000
"""Steps looked through for one answer, 20 us each; whoever wants those before them asks again."""
CANDIDATES_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Step:
    """One step, as its record tells it."""

    id: str
    action: str
    namespace: str
    sources: tuple[str, ...]
    result_id: str
    agent_id: str
    author: str
    done_us: int
    reversed_us: int | None
    "None: it stands."
    undo: Mapping[str, Any]
    dot: Dot
    "Of the op that wrote it down, the last of the step."
    ops: int
    "Ops of the step before that one."

    def has_written(self, version: Version) -> bool:
        """Whether what stands in a register is what this step wrote: nobody has changed it since.

        A write is one run in its writer's log, so this needs no list of ops.
        """
        return self.has_made(version.dot)

    def has_made(self, dot: Dot) -> bool:
        """Whether an op is one of this step's."""
        return dot.origin == self.dot.origin and 0 < self.dot.seq - dot.seq <= self.ops


def record_step(
    call: WriteCall,
    action: str,
    sources: Sequence[str],
    result_id: str,
    *,
    namespace: str,
    agent_id: str,
    archived: Sequence[str] = (),
    links: Sequence[str] = (),
    ended: Mapping[str, int | None] | None = None,
    tagged: Mapping[str, str] | None = None,
    made: Sequence[str] = (),
    was: Mapping[str, Mapping[str, Json]] | None = None,
) -> str:
    """Write down one step, after all that it did; its id.

    `archived`: memories that it put into the archive. `links`: those that it stated. `ended`: those
    that it ended, with the end that each had before. `tagged`: by record, the op that gave it tags;
    what these are is not said again, since an erasure would not find it here. `made`: memories
    that it wrote. `was`: by memory, what registers held that it changed; no texts.
    """
    step_id = _new_id(call)
    undo: dict[str, Json] = {
        "archived": list(archived),
        "links": list(links),
        "ended": dict(ended or {}),
        "tagged": dict(tagged or {}),
        "made": list(made),
        "was": {record_id: dict(registers) for record_id, registers in (was or {}).items()},
        "ops": len(call.tx.ops),
    }
    said: dict[str, Json] = {
        "action": action,
        "namespace": namespace,
        "sources": list(sources),
        "result_id": result_id,
        "agent_id": agent_id,
        "done_at": call.now_us,
    }
    call.tx.change(Change(f"{STEP}:{step_id}", STEP, set={"said": said, "undo": undo}))
    return step_id


def _new_id(call: WriteCall) -> str:
    """A UUID of version 7: the first half is the time, so that the last steps have the last ids
    and are found without an index of their own."""
    ms, us = divmod(call.now_us, 1_000)
    chance = call.chance.token_hex(8)
    digits = f"{ms:012x}7{us:03x}{8 + int(chance[0], 16) % 4:x}{chance[1:]}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def mark_reversed(call: WriteCall, step: Step, agent_id: str) -> None:
    """Say that a step does not stand any more."""
    said: dict[str, Json] = {"at": call.now_us, "agent_id": agent_id}
    # The namespace is for the rules: it is there that something is undone.
    set_: dict[str, Json] = {REVERSED: said, "namespace": step.namespace}
    call.tx.change(Change(f"{STEP}:{step.id}", STEP, set=set_))


@operation
def curation_log(call: ReadCall, request: CurationLogRequest) -> CurationLogResponse:
    """Steps that the caller sees, the latest first, one page."""
    after = read_words_cursor("curation", request.cursor, 1)
    last = after[0] if after is not None else ""
    shown: list[CurationStep] = []
    read = 0
    for name, step in _steps(call, last):
        last, read = name, read + 1
        wanted = step is not None and request.action in (None, "", step.action)
        if step is not None and wanted and is_seen(call, step):
            shown.append(_shown(step))
        if len(shown) == request.limit or read == STEPS_READ_MAX:
            break
    else:
        last = ""
    return CurationLogResponse(
        steps=tuple(shown),
        count=len(shown),
        next_cursor=write_cursor("curation", (last,) if last else None),
    )


def _steps(call: ReadCall, before: str) -> Iterator[tuple[str, Step | None]]:
    """Every record of a step by name, the latest first; None stands for one that tells nothing."""
    start = f"{STEP}:{before}" if before else ""
    while page := call.view.records_before(f"{STEP}:", start, PAGE):
        for one in page:
            start = one.state.record_id
            yield start.removeprefix(f"{STEP}:"), step_of(one.state)


def found_step(call: ReadCall, prefix: str, path: str = "$.id") -> Step:
    """The step that an id or the beginning of one names. Raises NOT_FOUND or AMBIGUOUS."""
    name = prefix.removeprefix(f"{STEP}:")
    page = call.view.records_before(f"{STEP}:{name}", "", PAGE)
    steps = [step for one in page if (step := step_of(one.state)) is not None]
    seen = [step for step in steps if is_seen(call, step)]
    exact = [step for step in seen if step.id == name]
    if exact or len(seen) == 1:
        return (exact or seen)[0]
    if not seen:
        raise Failure(Code.NOT_FOUND, f"no step {prefix!r}", path=path, next="See curation-log.")
    ids = [step.id for step in seen[:CANDIDATES_MAX]]
    raise Failure(
        Code.AMBIGUOUS,
        f"{prefix!r} is the beginning of several steps: {', '.join(ids)}",
        path=path,
        next="Give more characters of the one you mean.",
        details={"ids": ids},
    )


def is_seen(call: ReadCall, step: Step) -> bool:
    """Whether a caller may be told of a step: its own, and those of which all memories are seen."""
    sight = sight_of(call)
    if sight is None or principal_of(step.author, step.dot) in sight.own:
        return True
    rows = call.view.memories([step.result_id, *step.sources])
    if not rows:
        return not sight.narrows
    return all(map(sight.sees, rows))


def step_of(state: RecordState) -> Step | None:
    """What a record tells of a step; None for one that was erased or says nothing that is known."""
    if state.type != STEP or state.purged or not state.heads.get("said"):
        return None
    first = min(state.heads["said"], key=lambda version: version.order_key)
    values = display(state).values
    said, undo, end = (_mapping(values.get(name)) for name in ("said", "undo", REVERSED))
    at_us, reversed_us = said.get("done_at"), end.get("at")
    ops = undo.get("ops")
    return Step(
        id=state.record_id.removeprefix(f"{STEP}:"),
        action=str(said.get("action", "")),
        namespace=str(said.get("namespace", "")),
        sources=tuple(map(str, _list(said.get("sources")))),
        result_id=str(said.get("result_id", "")),
        agent_id=str(said.get("agent_id", "")),
        author=first.author,
        done_us=at_us if isinstance(at_us, int) else first.wall_us,
        reversed_us=reversed_us if isinstance(reversed_us, int) else None,
        undo=undo,
        dot=first.dot,
        ops=ops if isinstance(ops, int) else 0,
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _shown(step: Step) -> CurationStep:
    return CurationStep(
        id=step.id,
        action=step.action,
        namespace=step.namespace,
        sources=step.sources,
        result_id=step.result_id,
        author=step.author,
        agent_id=step.agent_id,
        done_at=step.done_us,
        reversed_at=step.reversed_us,
    )
