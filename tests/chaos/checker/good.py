"""Histories as they should be, drawn from a seed: a toy cluster that keeps every promise.

Nothing here waits or fails: nodes are disks in memory, replication is a loop. What comes out is the
files of a run, as lists of lines, so that a test can spoil a single line and see who notices.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from aimem_sync.change import LIVE, Change, body_for
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Dot, Origin
from aimem_sync.lamport import next_lamport
from aimem_sync.log import Head, append
from aimem_sync.members import Config, Member
from aimem_sync.op import Op, Stamp
from aimem_sync.tokens import Token
from chaos.history import FAULTS, HISTORY
from tests.sim.disk import Image, unsigned
from tests.sim.recording import fields, head_line, log_line, record_lines
from tests.sim.world import node_name

Files = dict[str, list[dict[str, Any]]]

MS = 1_000_000
NAMES = "abc"
EVICTED = node_name(4)
STEPS = 260
TAGS = ("red", "green", "blue")
KINDS = (
    "put", "put", "update", "update", "tag", "untag", "link", "invalidate", "delete", "archive",
    "count", "count", "read", "read", "read", "list",
)  # fmt: skip


@dataclass
class Machine:
    """One node: what is on its disk, and what it has counted and not yet told."""

    name: str
    origin: Origin
    image: Image
    recalled: dict[str, int] = field(default_factory=dict)


@dataclass
class Client:
    """One session."""

    proc: int
    home: Machine
    seen: Cursor = field(default_factory=Cursor)


class Toy:
    """One run."""

    def __init__(self, seed: int, *, forgets_keys: bool = False) -> None:
        """`forgets_keys`: a cluster that does again what is asked again."""
        self.rng = Random(seed)
        self.forgets_keys = forgets_keys
        self.now_ns = 0
        self.numbers = 0
        self.files: Files = {HISTORY: [], FAULTS: []}
        ids = [node_name(i + 1) for i in range(len(NAMES))]
        members = [Member(name, (f"key-{name}",)) for name in (*ids, EVICTED)]
        first = Config(1, tuple(members))
        history = [first, first.without(EVICTED)]
        self.nodes = [
            Machine(
                name, Origin(node, f"{self.rng.getrandbits(64):016x}"), Image(history=list(history))
            )
            for name, node in zip(NAMES, ids, strict=True)
        ]
        for node in self.nodes:
            self.files[f"acks.{node.name}.jsonl"] = [
                {"t_ns": 0, "served": EVICTED, "epoch": 1, "what": "Live"}
            ]
        self.clients = [Client(i, self.nodes[i % len(NAMES)]) for i in range(6)]
        self.records: list[str] = []
        self.links: list[str] = []
        self.gone: set[str] = set()

    # ---- time and paper --------------------------------------------------------------------------

    def note(self, **told: Any) -> int:
        self.numbers += 1
        self.now_ns += self.rng.randint(1, 20) * MS
        line = {"i": self.numbers, "t_ns": self.now_ns, "via": "grpc", **told}
        self.files[HISTORY].append(line)
        return self.numbers

    def fault(self, phase: str, *nodes: str) -> None:
        self.numbers += 1
        self.now_ns += 100 * MS
        self.files[FAULTS].append(
            {"i": self.numbers, "t_ns": self.now_ns, "fault": "kill", "phase": phase,
             "nodes": list(nodes), "detail": {}}
        )  # fmt: skip

    # ---- nodes -----------------------------------------------------------------------------------

    def stamp(self, node: Machine, change: Change, key: str) -> Op:
        image = node.image
        body = body_for(change, image.states.get(change.record_id), node.origin)
        op = append(
            image.heads.get(node.origin, Head()),
            Stamp(next_lamport(image.lamport), self.now_ns // 1_000, 2), change.kind,
            change.record_id, body, "user:toy", key, node.origin, unsigned,
        )  # fmt: skip
        image.put(op)
        return op

    def copy(self, source: Machine, target: Machine) -> None:
        """Let one node take all that another one has, and confirm it."""
        for origin, log in source.image.logs.items():
            have = target.image.have().get(origin)
            for op in log.ops[have:]:
                target.image.put(op)
            now = {"t_ns": self.now_ns}
            self.files[f"acks.{target.name}.jsonl"].append(
                now | {"to": source.origin.node_id, "origin": str(origin),
                       "seq": target.image.have().get(origin),
                       "incarnation": target.origin.incarnation}
            )  # fmt: skip
            self.files[f"acks.{source.name}.jsonl"].append(
                now | {"served": target.origin.node_id, "epoch": 2, "what": "Live"}
            )

    def spread(self, node: Machine) -> None:
        """As far as W asks for, or further."""
        others = [one for one in self.nodes if one is not node]
        for other in self.rng.sample(others, self.rng.randint(1, len(others))):
            self.copy(node, other)

    # ---- clients ---------------------------------------------------------------------------------

    def token(self, seen: Cursor) -> str:
        return Token("toy", 2, seen).encode()

    def write(self, client: Client, f: str, change: Change, value: Any, asked: str = "") -> str:
        """One deed to its end, in one try or two. How it ended."""
        key = f"key-{self.numbers}"
        end = self.rng.choices(("ok", "retried", "done", "not done", "fail"), (80, 8, 4, 4, 4))[0]
        told = {"proc": client.proc, "f": f, "value": value, "idem": key}
        record = change.record_id
        first = self.note(type="invoke", key=asked or record, node=client.home.name,
                          after=self.token(client.seen), **told)  # fmt: skip
        if end == "fail":
            self.note(type="fail", of=first, key=asked or record, node=client.home.name, **told)
            return end
        op = None if end == "not done" else self.stamp(client.home, change, key)
        if end != "ok":
            self.note(type="info", of=first, key=asked or record, node=client.home.name, **told)
        if end in {"done", "not done"} or op is None:
            return end
        if end == "retried":
            first = self.note(type="invoke", key=asked or record, node=client.home.name,
                              after=self.token(client.seen), **told)  # fmt: skip
            if self.forgets_keys:
                op = self.stamp(client.home, change, key)
        self.spread(client.home)
        client.seen = client.seen.merge(Cursor({op.origin: op.seq}))
        self.note(
            type="ok", of=first, key=record, node=client.home.name, write_ids=[str(op.dot)], w=2,
            token=self.token(client.seen), **told,
        )  # fmt: skip
        return end

    def read(self, client: Client, wanted: dict[str, str]) -> None:
        home = client.home
        key = wanted.get("get")
        told = {"proc": client.proc, "f": "read", "node": home.name, "key": key}
        asked = self.note(type="invoke", value=wanted, after=self.token(client.seen), **told)
        if not home.image.have().dominates(client.seen):
            if self.rng.random() < 0.3:
                self.note(type="fail", of=asked, err="UNAVAILABLE", **told)
                return
            for other in self.nodes:
                self.copy(other, home)
        living = {
            name: shown
            for name, state in home.image.states.items()
            if state.type == "memory" and (shown := fields(state))["alive"]
        }
        client.seen = client.seen.merge(home.image.have())
        seen = [key] if key in living else []
        value: dict[str, Any] = dict(wanted)
        if key in living:
            value |= living[key]
        elif key is None:
            seen = sorted(name for name, shown in living.items() if not shown["archived"])
        self.note(type="ok", of=asked, value=value, seen=seen,
                  token=self.token(client.seen), **told)  # fmt: skip

    def recall(self, client: Client, record: str) -> None:
        told = {"proc": client.proc, "f": "count", "node": client.home.name, "key": record}
        asked = self.note(type="invoke", value={"context": record}, **told)
        state = client.home.image.states.get(record)
        if state is None or record in self.gone:
            self.note(type="fail", of=asked, **told)
            return
        node = client.home
        node.recalled[record] = node.recalled.get(record, 0) + 1
        self.note(type="ok", of=asked, seen=[record], **told)

    def flush(self, node: Machine) -> None:
        for record, times in node.recalled.items():
            self.stamp(node, Change(record, "memory", count={"access": times}), "")
        node.recalled = {}

    # ---- the run ---------------------------------------------------------------------------------

    def step(self) -> None:
        rng = self.rng
        client = rng.choice(self.clients)
        if rng.random() < 0.1:
            client.home = rng.choice(self.nodes)
        kind = rng.choice(KINDS)
        known = [r for r in self.records if r in client.home.image.states and r not in self.gone]
        if kind == "list":
            self.read(client, {"list": "toy"})
        elif kind == "put" or len(known) < 4:
            self.put(client)
        elif kind == "read":
            self.read(client, {"get": rng.choice(self.records)})
        elif kind == "count":
            self.recall(client, rng.choice(known))
        elif kind in {"link", "invalidate"}:
            self.link(client, kind, known)
        else:
            self.edit(client, kind, rng.choice(known))

    def put(self, client: Client) -> None:
        name = f"m{self.numbers}"
        title = f"{name}z title"
        text = {"title": title, "content": f"text {self.numbers}"}
        change = Change(name, "memory", set={"body": text, "namespace": "toy", "life": LIVE})
        if self.write(client, "put", change, {**text, "namespace": "toy"}, title) != "fail":
            self.records.append(name)

    def edit(self, client: Client, kind: str, record: str) -> None:
        tag = self.rng.choice(TAGS)
        state = client.home.image.states[record]
        [body, *_] = [version.value for version in state.heads["body"]]
        assert isinstance(body, dict)
        content = f"text {self.numbers}"
        change, value = {
            "update": (
                Change(record, "memory", set={"body": {**body, "content": content}}),
                {"content": content},
            ),
            "tag": (Change(record, "memory", tag=(tag,)), {"add": [tag]}),
            "untag": (Change(record, "memory", untag=(tag,)), {"remove": [tag]}),
            "delete": (Change(record, "memory", set={"life": {"is": "deleted"}}), None),
            "archive": (
                Change(record, "memory", set={"life": {"is": "archived", "reason": "toy"}}),
                None,
            ),
        }[kind]
        ended = self.write(client, kind, change, value)
        if kind in {"delete", "archive"} and ended not in {"fail", "not done"}:
            self.gone.add(record)

    def link(self, client: Client, kind: str, known: list[str]) -> None:
        ended = [one for one in self.links if one in client.home.image.states]
        if kind == "invalidate" and ended:
            name = self.rng.choice(ended)
            self.write(client, kind, Change(name, "link", set={"valid_until": 1}), None)
            return
        name, ends = f"l{self.numbers}", self.rng.sample(known, 2)
        change = Change(name, "link", set={"ends": ends, "life": LIVE})
        said = {"source_id": ends[0], "target_id": ends[1]}
        if self.write(client, "link", change, said) == "ok":
            self.links.append(name)

    def run(self) -> Files:
        for number in range(STEPS):
            self.step()
            if number == STEPS // 3:
                self.fault("begin", "b")
                self.nodes[1].recalled = {}
                self.fault("end", "b")
                self.fault("healed")
                self.fault("level")
        self.end()
        return self.files

    def end(self) -> None:
        for node in self.nodes:
            self.flush(node)
        for node in self.nodes * 2:
            for other in self.nodes:
                if other is not node:
                    self.copy(node, other)
        ops = sum(seq for _, seq in self.nodes[0].image.have())
        sent = {"traffic": {"messages": 4 * ops + 100, "bytes": 3_000 * ops}}
        for node in self.nodes:
            head = head_line(node.name, node.origin.node_id, node.image)
            self.files[f"state.{node.name}.jsonl"] = [head | sent, *record_lines(node.image)]
            lines = [log_line(op) for log in node.image.logs.values() for op in log.ops]
            self.files[f"log.{node.name}.jsonl"] = lines


def history(seed: int, **more: bool) -> Files:
    """The files of a run in which nothing is wrong."""
    return Toy(seed, **more).run()


def dot_after(head: dict[str, Any]) -> str:
    """The name of an op that the first log of a node does not have yet."""
    origin, seq = next(iter(sorted(head["have"].items())))
    return str(Dot(Origin.parse(origin), seq + 1))
