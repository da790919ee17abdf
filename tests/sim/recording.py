"""A simulated run, written down as a real one is, so that the checker of real runs can judge it.

The oracles see everything at once and end a run at the first violation. Here they are deaf: the run
goes on to its end, and what went wrong has to be found from what clients were told and what nodes
hold, as with real machines.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from aimem_sync.cursor import Cursor
from aimem_sync.digest import Digest, bucket_of, record_hash
from aimem_sync.display import Life, display
from aimem_sync.dot import Dot
from aimem_sync.effects import Answer, Outcome, RefuseRead
from aimem_sync.members import Config, encode_config
from aimem_sync.messages import Append, AppendAck, Beat, Message, Page, Snapshot
from aimem_sync.op import Kind, Op
from aimem_sync.state import RecordState
from aimem_sync.tokens import Token
from chaos.history import Event, Recorder
from tests.sim.campaign import Run, one
from tests.sim.clients import Clients, Session
from tests.sim.disk import Image
from tests.sim.traffic import size
from tests.sim.world import EVENTS_MAX, Node, World

CLUSTER = "simulated"
NEVER_TRUNCATED = 1_000_000
"""Ops kept in logs, so that the reference model can be shown all of them. Snapshots still happen:
who is far behind asks for one."""
TEXTS = ("title", "content", "namespace")
ENDS = {Outcome.COMMITTED: "ok", Outcome.PENDING: "info", Outcome.NOT_WRITTEN: "fail"}


def record(seed: int, directory: Path) -> Run:
    """Make the run of this seed and leave its evidence."""

    def world(number: int, nodes: int, **more: Any) -> Recorded:
        return Recorded(number, nodes, directory, spare=more["spare"])

    return one(seed, world, RecordedClients)


class Recorded(World):
    """A world that keeps a record, and judges nothing itself."""

    def __init__(self, seed: int, nodes: int, directory: Path, *, spare: int = 0) -> None:
        self.recorder = Recorder(directory, lambda: self.now_us * 1_000)
        self.directory = directory
        self.told: dict[str, list[dict[str, Any]]] = {}
        "Per node: what it confirmed and answered."
        self.messages: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        super().__init__(seed, nodes, spare=spare, retained_ops=NEVER_TRUNCATED)
        self.oracles.fail = self._go_on  # type: ignore[method-assign]

    def _go_on(self, invariant: str, text: str) -> None:
        self.notes[f"deaf to {invariant}"] += 1
        if self.count > EVENTS_MAX:
            raise RuntimeError(text)

    def prepare(self) -> None:
        """Keep the logs, whatever the seed wants."""
        super().prepare()
        self.retained_ops = NEVER_TRUNCATED

    def send(self, node: Node, to: str, message: Message) -> None:
        """As ever, and write down what was confirmed and answered."""
        self.messages[node.node_id] += 1
        self.bytes[node.node_id] += size(message)
        lines = self.told.setdefault(node.node_id, [])
        now = {"t_ns": self.now_us * 1_000}
        if node.node_id not in self.oracles.unrenewed:
            # Who goes on from an old disk under its old name confirms what that disk holds.
            lines += [now | {"to": to} | confirmed for confirmed in _confirmed(node, message)]
        if isinstance(message, Append | Page | Snapshot) and node.core is not None:
            epoch, what = node.core.config.epoch, type(message).__name__
            lines.append(now | {"served": to, "epoch": epoch, "what": what})
        super().send(node, to, message)

    def _stop(self, node: Node) -> None:
        self.recorder.fault("crash", "note", (letter(node.node_id),))
        super()._stop(node)

    def close(self) -> None:
        """Write down what each member holds."""
        self.recorder.close()
        for node in self.members():
            _write(self.directory / f"state.{letter(node.node_id)}.jsonl", self._state(node))
            lines = [log_line(op) for log in node.disk.image.logs.values() for op in log.ops]
            _write(self.directory / f"log.{letter(node.node_id)}.jsonl", lines)
        for name, told in self.told.items():
            _write(self.directory / f"acks.{letter(name)}.jsonl", told)
        super().close()

    def _state(self, node: Node) -> list[dict[str, Any]]:
        sent = {"messages": self.messages[node.node_id], "bytes": self.bytes[node.node_id]}
        image = node.disk.image
        head = head_line(letter(node.node_id), node.node_id, image) | {"traffic": sent}
        return [head, *record_lines(image)]


class RecordedClients(Clients):
    """Clients that write down what they ask and are told."""

    asked: dict[int, Event]
    lost: dict[int, int]

    def _expect(self, session: Session, request: int) -> None:
        if not hasattr(self, "asked"):
            self.asked, self.lost = {}, {}
        self.asked[request] = self._note(session, "invoke", of=-1)
        super()._expect(session, request)

    def answered(self, node: Node, answer: Answer) -> None:
        """As ever, and write it down."""
        session = self.of.get(answer.request)
        if session is not None and session.request == answer.request:
            dot = self._made(node, answer, session.key)
            seen = session.seen
            if dot is not None:
                seen = seen.merge(Cursor({dot.origin: dot.seq}))
            self._note(
                session, ENDS[answer.outcome], of=self.asked[answer.request].i,
                write_ids=() if dot is None else (str(dot),), w=answer.needed,
                token=_token(seen), acked=tuple(letter(name) for name in answer.acked_by),
            )  # fmt: skip
        super().answered(node, answer)

    def _made(self, node: Node, answer: Answer, key: str) -> Dot | None:
        if answer.outcome is Outcome.NOT_WRITTEN:
            return None
        return self.world.oracles.by_request.get(answer.request) or node.disk.known(key)

    def read_done(self, node: Node, read: int, refused: RefuseRead | None) -> None:
        """As ever, and write down all that the node would have shown."""
        session = self.of.get(read)
        if session is not None and session.request == read:
            of = self.asked[read].i
            if refused is None:
                image = node.disk.image
                self._note(session, "ok", of=of, seen=shown(image), token=_token(image.have()))
            else:
                self._note(session, "fail", of=of, err="lost" if refused.lost else "not yet")
                if refused.lost:  # it goes on with less, as another session
                    self.lost[session.number] = self.lost.get(session.number, 0) + 1
        super().read_done(node, read, refused)

    def _note(self, session: Session, kind: Any, *, of: int, **more: Any) -> Event:
        told: dict[str, Any] = {"f": "read", "value": None}
        if not session.reading:
            assert session.change is not None
            told = _wish(session) | {"key": session.change.record_id, "idem": session.key}
        if of < 0:
            more["after"] = _token(session.seen)
        proc = session.number + 1_000 * self.lost.get(session.number, 0)
        assert isinstance(self.world, Recorded)
        return self.world.recorder.event(
            proc=proc, node=letter(session.home), type=kind, of=of, via="sim", **told, **more
        )


def _wish(session: Session) -> dict[str, Any]:
    """What a change is, in the words of a history."""
    change = session.change
    assert change is not None
    if change.tag:
        return {"f": "tag", "value": {"add": list(change.tag)}}
    if change.untag:
        return {"f": "untag", "value": {"remove": list(change.untag)}}
    if change.count:
        return {"f": "count", "value": {"times": sum(change.count.values())}}
    if "life" in change.set:
        return {"f": "delete", "value": None}
    return {"f": "update", "value": dict(change.set)}


def _confirmed(node: Node, message: Message) -> Iterator[dict[str, Any]]:
    if isinstance(message, AppendAck):
        yield {
            "origin": str(message.origin), "seq": message.durable_seq,
            "incarnation": message.incarnation,
        }  # fmt: skip
    elif isinstance(message, Beat):
        for origin, head in message.heads.items():
            yield {
                "origin": str(origin), "seq": head.seq, "incarnation": message.incarnation,
            }  # fmt: skip


def letter(node_id: str) -> str:
    """a, b, c, ...; a name that no node has stays as it is."""
    if not re.fullmatch(r"[0-9a-f]{32}", node_id):
        return node_id
    return chr(ord("a") + int(node_id, 16) - 1)


def _token(seen: Cursor) -> str:
    return Token(CLUSTER, 1, seen).encode()


def _write(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


# ---- what a disk of the simulator holds, in the form of chaos/dump.py ----------------------------


def head_line(name: str, node_id: str, image: Image) -> dict[str, Any]:
    """The first line of a state file."""
    digest = Digest()
    for record_id, state in image.states.items():
        digest = digest.add(bucket_of(record_id), record_hash(state))
    newest = image.history[-1]
    return {
        "node": name,
        "node_id": node_id,
        "have": {str(origin): seq for origin, seq in image.have()},
        "heads": {str(origin): head.chain.hex() for origin, head in image.heads.items()},
        "digest": digest.root().hex(),
        "epoch": newest.epoch,
        "configs": {str(c.epoch): sha256(encode_config(c)).hexdigest() for c in image.history},
        "rosters": {str(config.epoch): _roster(config) for config in image.history},
        "members": {member.node_id: member.role.value for member in newest.members},
    }


def _roster(config: Config) -> dict[str, list[str]]:
    return {member.node_id: list(member.fingerprints) for member in config.members}


def record_lines(image: Image) -> list[dict[str, Any]]:
    """All other lines of it."""
    about: dict[str, list[str]] = {}
    for log in image.logs.values():
        for op in log.ops:
            about.setdefault(op.record_id, []).append(str(op.dot))
    return [
        {"id": name, "kind": state.type, "hash": record_hash(state).hex(), **fields(state),
         "ops": sorted(about.get(name, ()))}
        for name, state in sorted(image.states.items())
    ]  # fmt: skip


def fields(state: RecordState) -> dict[str, Any]:
    """What a reader sees of a record."""
    seen = display(state)
    found: dict[str, Any] = {
        "alive": seen.life in {Life.LIVE, Life.ARCHIVED},
        "archived": seen.life == Life.ARCHIVED,
        "tags": list(seen.tags),
        "access_count": sum(seen.counters.values()),
    }
    body = seen.values.get("body")
    values = {**seen.values, **(body if isinstance(body, dict) else {})}
    return found | {name: values[name] for name in TEXTS if name in values}


def shown(image: Image) -> dict[str, Any]:
    """What a read of everything brings."""
    seen = {name: fields(state) for name, state in image.states.items()}
    return {name: told for name, told in seen.items() if told["alive"]}


def log_line(op: Op) -> dict[str, Any]:
    """One line of a log file."""
    is_edit = op.kind == Kind.EDIT and op.body is not None
    return {
        "origin": str(op.origin), "seq": op.seq, "lamport": op.lamport, "epoch": op.epoch,
        "kind": str(op.kind), "record": op.record_id, "idem": op.request_key,
        "author": op.author, "chain": op.chain.hex(), "body_sha256": op.body_sha256.hex(),
        "body": json.loads(op.body) if is_edit else None,  # type: ignore[arg-type]
        "wall_us": op.wall_us,
    }  # fmt: skip
