"""Where every call comes together, whatever way it came in.

Authenticate, authorise, validate, find out who speaks, then run the operation on the thread
where it belongs. Nothing below this line knows which surface a caller used; nothing above it
decides anything.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from aimem_node import logs
from aimem_node.clocks import Chance, Clock
from aimem_node.contract import codec, validate
from aimem_node.contract.calls import Channel, Credentials, Session
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS, Effect, Operation, Role
from aimem_node.contract.values import Outcome, WriteOptions, WriteResult
from aimem_node.metrics import Metrics
from aimem_node.operations import registry
from aimem_node.operations.asked import APPROVED, WAITS, Asked
from aimem_node.operations.call import ClusterCall, NodeFacts, ReadCall, StreamCall, WriteCall
from aimem_node.operations.gate import ApprovalNeededError, told
from aimem_node.operations.pending import ask, awaiting, refuse_asked_before
from aimem_node.operations.policy import Book
from aimem_node.replica.cluster import Cluster
from aimem_node.replica.replica import Intent, Replica, Tx, Wish, Written, request_sha256
from aimem_node.replica.subscribed import Desk, NoDesk
from aimem_node.replica.touch import Touches
from aimem_node.replica.writing import DEADLINE_MS
from aimem_node.rpc.principals import Authenticator, Principal, resolve_agent
from aimem_node.store.view import View
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Dot
from aimem_sync.faults import OpFault
from aimem_sync.tokens import Token

if TYPE_CHECKING:
    from aimem_node.embedding.worker import Embedding

READ_BUDGET_MS = 5_000
"""A read that takes longer is stopped: it would hold a reader that others wait for."""
SLOW_CALL_MS = 1_000
ABOUT_ITSELF = frozenset({"Health", "Capabilities"})
"""Operations that say nothing of memories: no session has seen anything that they could lack."""
WAIT_MS_MAX = 60_000
"""How long a read may wait for what its session has seen elsewhere."""

Office = Callable[[Operation, Any], Any]
Speaker = Callable[[str | None], str]


@dataclass(slots=True)
class Announcements:
    """How far the log reaches, and those who wait for it to reach further."""

    loop: asyncio.AbstractEventLoop
    pos: int = 0
    moved: asyncio.Event | None = None

    def committed(self, pos: int) -> None:
        """Called on the writer's thread after a commit."""
        self.loop.call_soon_threadsafe(self._wake, pos)

    def _wake(self, pos: int) -> None:
        self.pos = max(self.pos, pos)
        if self.moved is not None:
            self.moved.set()
            self.moved = None

    async def beyond(self, pos: int) -> None:
        """Return once the log reaches further than pos."""
        while self.pos <= pos:
            if self.moved is None:
                self.moved = asyncio.Event()
            await self.moved.wait()


class Dispatcher:
    """Answers every operation of the contract for every surface."""

    def __init__(
        self,
        replica: Replica,
        authenticator: Authenticator,
        touches: Touches,
        facts: NodeFacts,
        metrics: Metrics,
        clock: Clock,
        chance: Chance,
        announcements: Announcements,
        office: Office,
        cluster: Cluster,
        *,
        embedding: "Embedding",
    ) -> None:
        registry.check_complete()
        self.embedding = embedding
        self.cluster = cluster
        self.desk: Desk = NoDesk()
        self.replica = replica
        self.authenticator = authenticator
        self.touches = touches
        self.facts = facts
        self.metrics = metrics
        self.clock = clock
        self.chance = chance
        self.announcements = announcements
        self.office = office
        self.log = logs.get("rpc")

    async def call(self, operation: str, request: Any, credentials: Credentials) -> Any:
        """Answer one call. Raises Failure, and nothing else."""
        declared, started = self._declared(operation), time.perf_counter()
        code = "OK"
        try:
            principal, checked = self._admit(declared, request, credentials)
            speaker = self._speaker(principal, credentials)
            operator = Role.ADMIN in principal.roles
            caller = _Caller(
                principal.id, speaker, operator, credentials, principal.place,
                principal.agent_pattern,
            )  # fmt: skip
            return await self._run(declared, checked, caller)
        except Failure as failure:
            code = failure.code.value
            raise
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        except Exception as error:
            code = Code.INTERNAL.value
            raise self._unexpected(operation, error) from error
        finally:
            took_s = time.perf_counter() - started
            self.metrics.calls.labels(operation, credentials.surface, code).inc()
            self.metrics.latency.labels(operation).observe(took_s)
            if took_s * 1000 > max(SLOW_CALL_MS, declared.p95_ms):
                self.log.warning("call_was_slow", operation=operation, took_ms=int(took_s * 1000))

    async def stream(
        self, operation: str, request: Any, credentials: Credentials
    ) -> AsyncIterator[Any]:
        """Answer one call with a stream. Raises Failure, also while it runs, and nothing else."""
        declared = self._declared(operation)
        code = "STREAM"  # also for one that its caller left: most streams end like that
        try:
            principal, checked = self._admit(declared, request, credentials)
            call = StreamCall(
                author=principal.id,
                agent_pattern=principal.agent_pattern,
                place=principal.place,
                operator=Role.ADMIN in principal.roles,
                now_us=self.clock.now_us(),
                read=self._read,
                log_reaches=lambda: self.announcements.pos,
                wait_beyond=self.announcements.beyond,
                node=self.facts,
                cluster=self.cluster,
            )
            async for item in registry.STREAMERS[operation](call, checked):
                # A stream may outlive the token or the pin that opened it, and what it was granted.
                if self.authenticator.authenticate(credentials) != principal:
                    raise Failure(
                        Code.PERMISSION_DENIED,
                        "what this caller may see was changed while the stream ran",
                        next="Ask again, from the last token on if there was one.",
                    )
                yield item
        except Failure as failure:
            code = failure.code.value
            raise
        except Exception as error:
            code = Code.INTERNAL.value
            raise self._unexpected(operation, error) from error
        finally:
            self.metrics.calls.labels(operation, credentials.surface, code).inc()

    async def as_node(self, operation: str, request: Any) -> Any:
        """Let the node itself do an operation. No caller can be this principal."""
        me = f"node:{self.facts.node_id}"
        checked = validate.check(request)
        itself = Credentials(Channel.INPROCESS, surface="node")
        caller = _Caller(me, lambda _claim: me, operator=True, credentials=itself)
        return await self._run(self._declared(operation), checked, caller)

    def _unexpected(self, operation: str, error: Exception) -> Failure:
        """A mistake of ours. Its text may hold what a memory says, so only the log gets it."""
        self.log.exception("call_failed", operation=operation)
        return Failure(Code.INTERNAL, f"{type(error).__name__} in {operation}")

    def _declared(self, operation: str) -> Operation:
        declared = OPERATIONS.get(operation)
        if declared is None:
            raise Failure(Code.UNIMPLEMENTED, f"there is no operation {operation!r}")
        return declared

    def _admit(
        self, declared: Operation, request: Any, credentials: Credentials
    ) -> tuple[Principal, Any]:
        try:
            principal = self.authenticator.authenticate(credentials)
            principal.require(declared.role)
        except Failure as failure:
            self.metrics.refused.labels(failure.code.value).inc()
            self.log.info(
                "caller_refused", operation=declared.name, surface=credentials.surface,
                reason=failure.message,
            )  # fmt: skip
            raise
        return principal, validate.check(request)

    def _speaker(self, principal: Principal, credentials: Credentials) -> Speaker:
        hint = credentials.agent_hint
        return lambda claim: resolve_agent(principal, claim, hint)

    async def _read(self, function: Callable[[View], Any]) -> Any:
        return await self.replica.store.readers.read(function, READ_BUDGET_MS)

    async def _run(self, declared: Operation, request: Any, caller: "_Caller") -> Any:
        session = caller.credentials.session
        after = self._token(session) if session is not None else None
        if declared.name in registry.OFFLINE:
            return await asyncio.to_thread(self.office, declared, request)
        waiter = registry.WAITERS.get(declared.name)
        if waiter is not None:
            call = ClusterCall(caller.author, self.clock.now_us(), self.cluster, self.facts)
            return await waiter(call, request)
        if after is not None and session is not None and declared.name not in ABOUT_ITSELF:
            after = await self._reach(after, session, writes=declared.effect == Effect.WRITE)
        given: dict[str, Any] = {
            "author": caller.author,
            "now_us": self.clock.now_us(),
            "chance": self.chance,
            "touches": self.touches,
            "node": self.facts,
            "says": caller.speaker,
            "agent_pattern": caller.agent_pattern,
            "operator": caller.operator,
            "pending": self._pending,
            "find_member": lambda text: self.cluster.find(text).node_id,
            "operation": declared.name,
            "place": caller.place,
            "desk": self.desk,
            "book": Book(lambda: self.cluster.plane.is_alone),
            "embedding": self.embedding,
        }
        handler = registry.HANDLERS[declared.name]
        if declared.effect == Effect.WRITE:
            return await self._write(declared, request, given, handler, caller.credentials, after)
        if session is None:
            return await self._read(lambda view: handler(ReadCall(view=view, **given), request))

        def read(view: View) -> tuple[Any, Cursor]:
            return handler(ReadCall(view=view, **given), request), view.have()

        answer, seen = await self._read(read)
        session.token = self._token_of(seen, after).encode()
        return answer

    async def _write(
        self, declared: Operation, request: Any, given: dict[str, Any], handler: Callable[..., Any],
        credentials: Credentials, before: Token | None,
    ) -> Any:  # fmt: skip
        options = request.options
        key = options.request_key if options is not None else ""
        wire = codec.to_wire(replace(request, options=None)) if key else b""
        intent: Intent[Any] = Intent(
            author=given["author"],
            now_us=given["now_us"],
            encode=codec.to_wire,
            decode=lambda kept: codec.from_wire(declared.response, kept),
            request_key=key,
            request_sha256=request_sha256(declared.name, wire),
        )

        def work(tx: Tx) -> Any:
            tx.about = WriteCall(view=tx.session, tx=tx, **given)
            refuse_asked_before(tx.about, key)
            return told(tx, handler(tx.about, request))

        wish = _wish(options, credentials)
        try:
            written = await self.replica.write(intent, work, wish)
        except ApprovalNeededError as needed:
            return await self._ask(declared, request, needed, wish, credentials, before)
        self.metrics.replayed.inc(written.replayed)
        response = await self._with_more(declared.name, request, given, written.response)
        return replace(response, write=self._result(written, credentials, before))

    async def _ask(
        self, declared: Operation, request: Any, needed: ApprovalNeededError, wish: Wish,
        credentials: Credentials, before: Token | None,
    ) -> Any:  # fmt: skip
        """Have a write wait for approval, and say so: all else of the answer is empty."""
        sha256 = request_sha256(declared.name, codec.to_wire(replace(request, options=None)))
        intent: Intent[Asked] = Intent(
            author=needed.call.author, now_us=needed.call.now_us,
            encode=lambda _asked: b"", decode=_never,
        )  # fmt: skip
        written = await self.replica.write(
            intent, lambda tx: ask(tx, needed, request, sha256, needed.call.book), wish
        )
        one, now_us = written.response, needed.call.now_us
        result = self._result(written, credentials, before)
        response = declared.response()
        status = one.status(now_us)
        if status == WAITS:
            result = replace(result, outcome=Outcome.AWAITING_APPROVAL, awaiting=awaiting(one))
            return replace(response, write=result)
        if one.decided is None or status != APPROVED:
            raise Failure(
                Code.CONFLICT, f"this was asked for before, and is {status}",
                next="Use a new request key to ask again.",
                details={"pending_id": one.id, "status": status},
            )  # fmt: skip
        result = replace(
            result, write_ids=one.decided.made, replayed=True,
            reason=f"approved by {one.decided.by} and done",
        )  # fmt: skip
        made = {"id": one.decided.memory_id} if hasattr(response, "id") else {}
        return replace(response, write=result, **made)

    def _result(
        self, written: Written[Any], credentials: Credentials, before: Token | None
    ) -> WriteResult:
        """How a write stands; its session has seen it from now on."""
        self.metrics.ops.inc(0 if written.replayed else len(written.write_ids))
        seen = Cursor({dot.origin: dot.seq for dot in map(Dot.parse, written.write_ids)})
        token = self._token_of(seen, before).encode()
        if credentials.session is not None:
            credentials.session.token = token
        ack = written.ack
        return WriteResult(
            outcome=ack.outcome,
            write_ids=written.write_ids,
            acks=ack.acks,
            needed=ack.needed,
            replayed=written.replayed,
            token="" if self.cluster.plane.is_alone else token,
            reason=ack.reason,
            peers=ack.peers,
        )

    # ---- what a session has seen ---------------------------------------------------------------

    def _token(self, session: Session) -> Token | None:
        """The token a caller brought; None without one, or when it speaks of another cluster that
        this node has left: what it saw there came along or is of no meaning here."""
        if not session.after:
            return None
        try:
            token = Token.decode(session.after)
        except OpFault as fault:
            raise Failure(
                Code.INVALID_ARGUMENT, f"the session's token cannot be read: {fault}",
                path="aimem-after", next="Leave it out; the next answer brings a good one.",
            ) from fault  # fmt: skip
        return token if token.cluster_id == self.cluster.plane.cluster_id else None

    def _token_of(self, seen: Cursor, before: Token | None) -> Token:
        plane = self.cluster.plane
        token = Token(plane.cluster_id, plane.config.epoch, seen)
        return token if before is None else token.merge(before)

    async def _reach(self, after: Token, session: Session, *, writes: bool) -> Token:
        """Wait until this node holds what the session has seen. UNAVAILABLE or DATA_LOST if not.
        Returns what it has seen, without what is lost.

        A write waits too, so that it overwrites what its session has read; but it is not refused:
        nobody is shown anything old by it.
        """
        plane = self.cluster.plane
        if plane.core.intake.have().dominates(after.seen):
            return after
        wait_us = min(session.max_wait_ms, WAIT_MS_MAX) * 1_000
        refused = await plane.ask_read(after.seen, self.clock.monotonic_us() + wait_us)
        if refused is None:
            return after
        if writes:
            if refused.lost:  # or every later write of this session would wait for it again
                gone = {gap.origin for gap in refused.missing}
                seen = {origin: seq for origin, seq in after.seen if origin not in gone}
                return replace(after, seen=Cursor(seen))
            return after
        missing = [f"{gap.origin}:{gap.last}" for gap in refused.missing]
        if refused.lost:
            raise Failure(
                Code.DATA_LOST,
                f"this session has seen {missing[0]}, which was on one disk only, and that is gone",
                next="Store it again, and leave the session's token out from now on.",
                details={"lost": missing},
            )
        raise Failure(
            Code.UNAVAILABLE,
            "this node has not yet what the session has seen elsewhere",
            next="Ask again in a moment, or ask the node that answered before.",
            details={"missing": missing},
            definite=True,
        )

    def _pending(self, write_id: str) -> bool:
        plane = self.cluster.plane
        if plane.is_alone:
            return False
        dot = Dot.parse(write_id)
        return dot.seq > plane.committed.get(dot.origin, 0)

    async def _with_more(
        self, operation: str, request: Any, given: dict[str, Any], response: Any
    ) -> Any:
        """The answer with what is added from a view. The write is on disk: nothing undoes it now,
        so whatever goes wrong here must not make it look refused."""
        more = registry.AFTERS.get(operation)
        if more is None:
            return response
        try:
            extra = await self._read(
                lambda view: more(ReadCall(view=view, **given), request, response)
            )
        except Exception as error:
            self.log.warning("answer_not_completed", operation=operation, error=str(error))
            return response
        return replace(response, **extra)


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who calls, once that is known."""

    author: str
    speaker: Speaker
    operator: bool
    credentials: Credentials
    place: str = ""
    agent_pattern: str = ""


def _never(_kept: bytes) -> Asked:
    raise AssertionError("what is asked for is found again by its own id")


def _wish(options: WriteOptions | None, credentials: Credentials) -> Wish:
    """How the caller wants the write kept. An AI client on a laptop rather writes than refuses."""
    offline = credentials.surface == "mcp"
    if options is None:
        return Wish(allow_pending=offline)
    return Wish(
        needed=options.w or 0,
        deadline_ms=DEADLINE_MS if options.deadline_ms is None else options.deadline_ms,
        allow_pending=offline if options.allow_pending is None else options.allow_pending,
    )
