"""One session: what it asks, what it is told, and both written down.

An answer is ok only if it says committed. Pending is no success yet and no failure ever, and what
was refused for certain is only certain for that attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from aimem_node.client.seen import Seen
from aimem_node.contract.errors import Code, Failure
from aimem_sync.faults import OpFault
from aimem_sync.tokens import Token
from chaos.history import Event, Kind, Recorder
from chaos.workload.deeds import READ_ONLY, Deed
from chaos.workload.mcp_speaking import McpSpeaker
from chaos.workload.speaking import Endpoint, GrpcSpeaker, HttpSpeaker, Speaker

WAYS: Final = ("grpc", "http", "mcp")
SHOWN: Final = ("title", "content", "tags", "priority", "tier", "access_count", "archived_at")
"""What is noted of a memory that was read."""


@dataclass(frozen=True, slots=True)
class Told:
    """How an attempt ended."""

    type: Kind
    key: str
    id: str = ""
    "Of what it made."
    write_ids: tuple[str, ...] = ()
    w: int | None = None
    acked: tuple[str, ...] = ()
    value: Any = None
    seen: Any = None
    err: str | None = None
    code: Code | None = None
    answered: bool = False
    "Whether the node served it, and so told what the session has now seen."
    certain: bool = False
    "Whether this attempt did nothing, whatever an earlier one may have done."
    says_no_more: bool = False
    "Whether no later answer to the same request could say more."
    t_ns: int = 0


class Session:
    """Asks one node, then perhaps another one, and carries along what it has seen."""

    def __init__(
        self, recorder: Recorder, new_proc: Callable[[], int], via: str, endpoint: Endpoint,
        patience_s: float,
    ) -> None:  # fmt: skip
        """`new_proc`: the number of a session that nobody else has."""
        assert via in WAYS
        self.via = via
        self.endpoint = endpoint
        self.proc = new_proc()
        self._recorder = recorder
        self._new_proc = new_proc
        self._patience_s = patience_s
        self._seen = Seen()
        self._asked = False
        self.in_flight = False
        "Whether a question has no answer yet."
        self._speaker = self._speaker_at(endpoint)

    @property
    def token(self) -> str:
        """All that it has seen, as far as it was told."""
        return self._seen.token

    def hear(self, token: str) -> None:
        """Take over what another session has seen, if this way of asking can."""
        if self.via != "mcp":
            self._seen.hear(token)

    async def move(self, endpoint: Endpoint) -> None:
        """Go on at another node."""
        if endpoint != self.endpoint:
            await self._speaker.close()
            self.endpoint = endpoint
            self._speaker = self._speaker_at(endpoint)

    async def close(self) -> None:
        """Let go of the node; the next question opens it again."""
        await self._speaker.close()

    async def ask(self, deed: Deed, *, open_before: bool = False, wait_for: str = "") -> Told:
        """Ask once.

        `open_before`: an earlier attempt had no certain end. `wait_for`: ask how this write (its
        id) stands instead of sending it again.
        """
        self.hear(deed.hears)
        problem: Failure | None = None
        try:
            await self._speaker.open()
        except Failure as failure:
            problem = failure
        self._note_new_session()
        question = self._write_down("invoke", deed, Told("invoke", deed.key, value=deed.value))
        told = Told("info", deed.key, err="the run ended before the answer")
        self.in_flight = True
        try:
            if problem is not None:
                raise problem
            operation = "WaitDurable" if wait_for else deed.operation
            fields = {"write_id": wait_for} if wait_for else deed.fields
            answer = await self._speaker.call(operation, fields)
            told = _heard(deed, answer, open_before=open_before)
        except Failure as failure:
            told = _refused(deed, failure, open_before)
        finally:
            self.in_flight = False
            event = self._write_down(told.type, deed, told, question.i)
        if told.code is Code.DATA_LOST:
            self._begin_anew()
        return replace(told, t_ns=event.t_ns)

    def _write_down(self, kind: Kind, deed: Deed, told: Told, of: int = -1) -> Event:
        token = self.token or None
        return self._recorder.event(
            proc=self.proc, node=self.endpoint.name, type=kind, f=deed.f, of=of, via=self.via,
            key=told.key or None, value=told.value, idem=deed.idem or None,
            write_ids=told.write_ids, w=told.w, acked=told.acked,
            epoch=_epoch(token) if told.answered else None,
            after=token if of < 0 else None, token=token if told.answered else None,
            seen=told.seen, err=told.err,
        )  # fmt: skip

    def _speaker_at(self, endpoint: Endpoint) -> Speaker:
        if self.via == "grpc":
            return GrpcSpeaker(endpoint, self._seen, self._patience_s)
        if self.via == "http":
            return HttpSpeaker(endpoint, self._seen, self._patience_s)
        return McpSpeaker(endpoint, self._patience_s)

    def _note_new_session(self) -> None:
        """A conversation that began anew has forgotten what it had seen."""
        if self._speaker.seen is not self._seen:
            self._seen = self._speaker.seen
            self._begin_anew()
        self._asked = True

    def _begin_anew(self) -> None:
        if self._asked:
            self.proc = self._new_proc()


def _heard(deed: Deed, answer: Mapping[str, Any], *, open_before: bool) -> Told:
    """What an answer says."""
    if deed.f == "read":
        return _read(deed, answer)
    if deed.f == "count":
        ids = [one["id"] for one in answer["memories"]]
        if deed.key not in ids:
            return Told("fail", deed.key, seen=ids, err="it recalled nothing", answered=True)
        return Told("ok", deed.key, seen=ids, answered=True)
    write = answer["write"]
    write_ids, outcome = tuple(write["write_ids"]), write["outcome"]
    acks, needed = write["acks"], write["needed"]
    made = str(answer.get("id") or "")
    seen: dict[str, Any] = {"acks": acks, "replayed": write["replayed"]}
    done = outcome == "committed"
    if outcome == "awaiting_approval":
        made = write["awaiting"]["pending_id"]
        # The request is a write itself. How it stands is in the first answer to it and in no other.
        done = bool(write_ids) and acks >= needed
    kind: Kind = "ok" if done else "info"
    err = None if done else f"{outcome}: {acks} of {needed}; {write.get('reason', '')}"
    if answer.get("missing") or answer.get("found") is False:
        kind, err = "info" if open_before else "fail", "what it is about is not known here"
    seen |= {name: answer[name] for name in ("approved", "memory_id") if answer.get(name)}
    holders = [one["node_id"] for one in write.get("peers", ()) if one["state"] == "holds"]
    return Told(
        kind, made or deed.key, made if _makes(deed, outcome) else "", write_ids, needed,
        tuple(holders), seen=seen, err=err, answered=True,
        says_no_more=outcome == "awaiting_approval" and not write_ids,
    )  # fmt: skip


def _makes(deed: Deed, outcome: str) -> bool:
    """Whether the id of the answer is one that other deeds build on."""
    return deed.f != "vote" or outcome == "awaiting_approval"


def _read(deed: Deed, answer: Mapping[str, Any]) -> Told:
    if deed.operation == "Get":
        memory = answer["memory"]
        shown = {name: memory[name] for name in SHOWN if name in memory}
        return Told(
            "ok", deed.key, value={**deed.value, **shown}, seen=[memory["id"]], answered=True
        )
    rows = answer["memories" if deed.operation == "List" else "results"]
    more = {"more": True} if answer.get("next_cursor") else {}
    ids = [one["id"] for one in rows]
    return Told("ok", deed.key, value={**deed.value, **more}, seen=ids, answered=True)


def _refused(deed: Deed, failure: Failure, open_before: bool) -> Told:
    """What a failure says."""
    err = f"{failure.code}: {failure.message}"
    if deed.f == "read":
        if failure.code is Code.NOT_FOUND:  # it was served, and this is what it was shown
            return Told("ok", deed.key, value=deed.value, seen=[], code=failure.code)
        return Told("fail", deed.key, err=err, code=failure.code)
    kind: Kind = "fail" if failure.definite and not open_before else "info"
    return Told(kind, deed.key, err=err, code=failure.code, certain=failure.definite)


def _epoch(token: str | None) -> int | None:
    try:
        return Token.decode(token).epoch if token else None
    except OpFault:
        return None


def is_write(deed: Deed) -> bool:
    """Whether it is answered only when it is on enough disks."""
    return deed.f not in READ_ONLY


def elsewhere(endpoints: Sequence[Endpoint], than: Endpoint) -> list[Endpoint]:
    """All nodes but one; that one if there is no other."""
    return [one for one in endpoints if one != than] or [than]
