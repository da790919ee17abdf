"""What happened in a run, written down as it happens, for a checker that was not there.

A run leaves a directory of text files, one JSON object a line:

    history.jsonl          what every client asked and what it was told
    faults.jsonl           what was broken when, and when it was whole again
    state.<node>.jsonl     what a node holds at the end: one head, then every record
    log.<node>.jsonl       every op that a node holds at the end
    acks.<node>.jsonl      every confirmation that a node sent to others (real nodes only)

Times are nanoseconds of one clock of the machine that ran it all, so lines of different files can
be put in order. A clock that a fault moves is never the one written down here.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

HISTORY: Final = "history.jsonl"
FAULTS: Final = "faults.jsonl"

Kind: TypeAlias = Literal["invoke", "ok", "fail", "info"]
"""ok: done, and at the time of the answer confirmed by W members. fail: this attempt did nothing
anywhere, ever. info: nobody can say; it may be done now, later or never."""


@dataclass(frozen=True, slots=True)
class Event:
    """One question or one answer. An answer carries the `i` of its question in `of`."""

    i: int
    t_ns: int
    proc: int
    "The client. It asks one thing after the other."
    node: str
    type: Kind
    f: str
    """put, update, tag, untag, link, invalidate, delete, promote, archive, restore, vote, count,
    read."""
    of: int = -1
    via: str = ""
    "grpc, http, mcp or sim."
    key: str | None = None
    "The record's id; of a put, what the client calls it until it is told the id."
    value: Any = None
    idem: str | None = None
    "The request key."
    write_ids: tuple[str, ...] = ()
    "The ops that were written, as node.incarnation:sequence."
    w: int | None = None
    acked: tuple[str, ...] = ()
    epoch: int | None = None
    after: str | None = None
    "The token that went along with the question."
    token: str | None = None
    "The token that came back with the answer."
    seen: Any = None
    "What a read was shown."
    err: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that was done to the cluster."""

    i: int
    t_ns: int
    fault: str
    "The class: kill, partition-one, disk-full, ..."
    phase: Literal["begin", "end", "healed", "level", "note"]
    """end: the fault is taken away. healed: a write at every node is acknowledged again. level: all
    nodes hold the same."""
    nodes: tuple[str, ...] = ()
    "Whom it struck."
    detail: Mapping[str, Any] = field(default_factory=dict)


class Recorder:
    """Writes lines as they happen; several threads may share one. Each line is out at once."""

    def __init__(self, directory: Path, now_ns: Any) -> None:
        """`now_ns`: reads the clock that all lines share."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._now_ns = now_ns
        self._lock = threading.Lock()
        self._count = 0
        self._history = (directory / HISTORY).open("a", encoding="utf-8")
        self._faults = (directory / FAULTS).open("a", encoding="utf-8")

    def event(self, **fields: Any) -> Event:
        """Write one Event down; its number and its time are put in here."""
        with self._lock:
            self._count += 1
            event = Event(i=self._count, t_ns=self._now_ns(), **fields)
            self._history.write(_line(asdict(event)))
            self._history.flush()
        return event

    def fault(self, fault: str, phase: Any, nodes: tuple[str, ...] = (), **detail: Any) -> Fault:
        """Write one Fault down."""
        with self._lock:
            self._count += 1
            said = Fault(self._count, self._now_ns(), fault, phase, nodes, detail)
            self._faults.write(_line(asdict(said)))
            self._faults.flush()
        return said

    def close(self) -> None:
        """End both files."""
        self._history.close()
        self._faults.close()


def events(directory: Path) -> Iterator[Event]:
    """Every Event of a run, in the order in which they were written."""
    for given in lines(directory / HISTORY):
        given["write_ids"] = tuple(given.get("write_ids") or ())
        given["acked"] = tuple(given.get("acked") or ())
        yield Event(**given)


def faults(directory: Path) -> Iterator[Fault]:
    """Every Fault of a run."""
    for given in lines(directory / FAULTS):
        given["nodes"] = tuple(given.get("nodes") or ())
        yield Fault(**given)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects in a file; none if there is no such file. Raises ValueError with the number of
    a line that is none."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                given = json.loads(line)
            except ValueError as error:
                raise ValueError(f"{path.name}, line {number}: {error}") from None
            if not isinstance(given, dict):
                raise ValueError(f"{path.name}, line {number}: not an object")
            yield given


def _line(given: dict[str, Any]) -> str:
    """Without what says nothing, so that a person can read it."""
    told = {name: one for name, one in given.items() if one is not None and one not in ("", ())}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"), default=str) + "\n"
