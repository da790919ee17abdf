"""One Maelstrom node, without stdin, stdout, clock or chance: lines in, lines out.

A node holds its tongue toward the others until somebody but Maelstrom's `init` has spoken to it.
They are started one by one, and a message to one that is not there yet would make this node mute
for good (see wire). The first request of a client shows that all of them are there.

What became of a write is told in Maelstrom's words: `_ok` is COMMITTED, error 11 is NOT_WRITTEN
(nothing is logged anywhere, ever), error 0 is PENDING (it is logged here and will spread). Reads
are local: they show what this node holds, and promise nothing about the others.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aimem_node.rpc.peer_frames import frame_bytes, frame_from
from aimem_sync.effects import Outcome
from aimem_sync.faults import OpFault
from chaos.maelstrom.replica import Done, Replica, ToPeer
from chaos.maelstrom.requests import WRITES, change_of, read_of
from chaos.maelstrom.wire import ErrorCode, Message, WireFault, error_body, parse, spell

PEER: Final = "aimem"
"""The type of what nodes say to one another: {"type": "aimem", "frame": base64}, the frame being
the bytes that nodes also send through gRPC."""

LINE_SHOWN_MAX: Final = 200
"""Bytes of a faulty line that are repeated in the log."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a node answers."""

    needed: int = 1
    "W: members that must hold a write before it is acknowledged; 0 for the majority."
    workload: str = ""
    "One of requests.WORKLOADS, or empty: then what a read is about is seen from what is held."
    wait_us: int = 1_500_000
    "How long a write waits for W before it is called pending."


class Node:
    """See the module. `log` is told what is wrong, one line at a time."""

    def __init__(
        self, incarnation: str, settings: Settings, log: Callable[[str], None],
        wall_less_now_us: int = 0,
    ) -> None:  # fmt: skip
        self.name = ""
        self.replica: Replica | None = None
        self.settings = settings
        self._incarnation = incarnation
        self._wall_less_now_us = wall_less_now_us
        self._log = log
        self._workload = settings.workload
        self._asked: dict[int, Message] = {}
        "Requests of clients that wait for their write, by its number."
        self._may_speak = False
        self._last_msg_id = 0

    def feed(self, line: bytes, now_us: int) -> list[bytes]:
        """A line has come in; what goes out because of it, without line ends.

        `now_us` is monotonic. Raises Fenced if there is a bug, and nothing for a faulty line.
        """
        try:
            return self._heard(parse(line), now_us)
        except WireFault as fault:
            self._log(f"refused: {fault}: {line[:LINE_SHOWN_MAX].decode(errors='replace').strip()}")
            if not fault.src or fault.msg_id is None:
                return []
            body = error_body(ErrorCode.MALFORMED_REQUEST, str(fault))
            return self._answer(fault.src, fault.msg_id, body)

    def tick(self, now_us: int) -> list[bytes]:
        """Time has passed: to be called ten times a second, and at wake_at_us."""
        if self.replica is None or not self._may_speak:
            return []
        return self._lines(self.replica.tick(now_us))

    def wake_at_us(self) -> int | None:
        """When the next tick must come at the latest; None if nothing waits for it."""
        return None if self.replica is None else self.replica.core.wake_at_us()

    # ---- requests --------------------------------------------------------------------------------

    def _heard(self, message: Message, now_us: int) -> list[bytes]:
        if message.type == "init":
            return self._init(message)
        replica = self.replica
        if replica is None:
            self._log(f"dropped: {message.type} of {message.src}: no init has come before it")
            return []
        if message.dest != self.name:
            self._log(f"dropped: a message to {message.dest!r}; this is {self.name!r}")
            return []
        first: list[bytes] = []
        if not self._may_speak:
            self._may_speak = True
            first = self.tick(now_us)
        if message.type == PEER:
            return first + self._peer(replica, message, now_us)
        if message.in_reply_to is not None:
            self._log(f"dropped: an answer to a question that nobody asked: {message.type}")
            return first
        return first + self._request(replica, message, now_us)

    def _request(self, replica: Replica, message: Message, now_us: int) -> list[bytes]:
        if message.type in WRITES:
            return self._write(replica, message, now_us)
        if message.type == "echo":
            return self._reply(message, {"echo": message.body.get("echo")})
        if message.type == "topology":
            # Acknowledged and not followed: each op goes straight from its origin to every member.
            self._workload = self._workload or "broadcast"
            return self._reply(message, {})
        if message.type == "read":
            found = read_of(replica.store.states, self._workload)
            if found is None:
                why = "nothing tells what is read: start the node with --workload"
                return self._refuse(message, ErrorCode.TEMPORARILY_UNAVAILABLE, why)
            return self._reply(message, found)
        why = f"{message.type!r} is not one of this node's workloads"
        return self._refuse(message, ErrorCode.NOT_SUPPORTED, why)

    def _init(self, message: Message) -> list[bytes]:
        name, names = message.body.get("node_id"), message.body.get("node_ids")
        named = isinstance(names, list) and all(isinstance(one, str) and one for one in names)
        if not (isinstance(name, str) and named and isinstance(names, list) and name in names):
            why = '"init" needs "node_id", and "node_ids" that contain it'
            raise WireFault(why, message.src, message.msg_id)
        if self.replica is not None:
            why = f"this is already {self.name}"
            return self._refuse(message, ErrorCode.PRECONDITION_FAILED, why)
        self.name = name
        self.replica = Replica(name, names, self._incarnation, self._wall_less_now_us, self._log)
        return self._reply(message, {})

    def _write(self, replica: Replica, message: Message, now_us: int) -> list[bytes]:
        deadline_us = now_us + self.settings.wait_us
        change = change_of(message)
        number, outcomes = replica.write(now_us, change, self.settings.needed, deadline_us)
        self._asked[number] = message
        return self._lines(outcomes)

    def _peer(self, replica: Replica, message: Message, now_us: int) -> list[bytes]:
        frame = message.body.get("frame")
        try:
            arrived = frame_from(b64decode(frame if isinstance(frame, str) else "", validate=True))
        except (OpFault, ValueError) as cause:
            raise WireFault(f"not a frame: {cause}") from cause
        if arrived is None:
            return []
        return self._lines(replica.hear(now_us, message.src, arrived.message))

    # ---- answers ---------------------------------------------------------------------------------

    def _lines(self, outcomes: Iterable[ToPeer | Done]) -> list[bytes]:
        lines: list[bytes] = []
        for outcome in outcomes:
            match outcome:
                case ToPeer(name, message):
                    frame = b64encode(frame_bytes(message)).decode()
                    lines.append(spell(self.name, name, {"type": PEER, "frame": frame}))
                case Done():
                    lines += self._done(outcome)
        return lines

    def _done(self, done: Done) -> list[bytes]:
        message = self._asked.pop(done.answer.request)
        if done.answer.outcome is Outcome.NOT_WRITTEN:
            reason = f"not written: {done.answer.reason}"
            return self._refuse(message, ErrorCode.TEMPORARILY_UNAVAILABLE, reason)
        if done.answer.outcome is Outcome.PENDING:
            return self._refuse(message, ErrorCode.TIMEOUT, f"pending: {done.answer.reason}")
        return self._reply(message, {"id": str(done.dot)} if message.type == "generate" else {})

    def _reply(self, message: Message, fields: Mapping[str, Any]) -> list[bytes]:
        return self._answer(message.src, message.msg_id, {"type": f"{message.type}_ok", **fields})

    def _refuse(self, message: Message, code: ErrorCode, text: str) -> list[bytes]:
        self._log(f"refused: {message.type} of {message.src}: {text}")
        return self._answer(message.src, message.msg_id, error_body(code, text))

    def _answer(self, to: str, msg_id: int | None, body: Mapping[str, Any]) -> list[bytes]:
        if msg_id is None or not self.name:
            return []  # without the one nobody can tell what it answers, without the other who
        self._last_msg_id += 1
        said = {**body, "msg_id": self._last_msg_id, "in_reply_to": msg_id}
        return [spell(self.name, to, said)]
