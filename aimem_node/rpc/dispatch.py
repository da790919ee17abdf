"""Where every call comes together, whatever way it came in.

Authenticate, authorise, validate, find out who speaks, then run the operation on the thread
where it belongs. Nothing below this line knows which surface a caller used; nothing above it
decides anything.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

from aimem_node import logs
from aimem_node.clocks import Chance, Clock
from aimem_node.contract import codec, validate
from aimem_node.contract.calls import Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS, Effect, Operation, Role
from aimem_node.contract.values import Outcome, WriteResult
from aimem_node.metrics import Metrics
from aimem_node.operations import registry
from aimem_node.operations.call import NodeFacts, ReadCall, StreamCall, WriteCall
from aimem_node.replica.replica import Intent, Replica, Tx, request_sha256
from aimem_node.replica.touch import Touches
from aimem_node.rpc.principals import Authenticator, Principal, resolve_agent
from aimem_node.store.view import View

READ_BUDGET_MS = 5_000
"""A read that takes longer is stopped: it would hold a reader that others wait for."""
SLOW_CALL_MS = 1_000

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
    ) -> None:
        registry.check_complete()
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
            return await self._run(declared, checked, principal.id, speaker, operator=operator)
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
            if took_s * 1000 > SLOW_CALL_MS:
                self.log.warning("call_was_slow", operation=operation, took_ms=int(took_s * 1000))

    async def stream(
        self, operation: str, request: Any, credentials: Credentials
    ) -> AsyncIterator[Any]:
        """Answer one call with a stream. Raises Failure, also while it runs, and nothing else."""
        declared = self._declared(operation)
        code = "STREAM"  # also for one that its caller left: most streams end like that
        try:
            principal, checked = self._admit(declared, request, credentials)
            agent_id = self._speaker(principal, credentials)(None)
            call = StreamCall(
                author=principal.id,
                agent_id=agent_id,
                now_us=self.clock.now_us(),
                read=self._read,
                log_reaches=lambda: self.announcements.pos,
                wait_beyond=self.announcements.beyond,
                node=self.facts,
            )
            async for item in registry.STREAMERS[operation](call, checked):
                # A stream may outlive the token or the pin that opened it.
                self.authenticator.authenticate(credentials).require(declared.role)
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
        return await self._run(
            self._declared(operation), checked, me, lambda _claim: me, operator=True
        )

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
        return await asyncio.wrap_future(
            self.replica.store.readers.submit(function, READ_BUDGET_MS)
        )

    async def _run(
        self, declared: Operation, request: Any, author: str, speaker: Speaker, *, operator: bool
    ) -> Any:
        if declared.name in registry.OFFLINE:
            return await asyncio.to_thread(self.office, declared, request)
        given: dict[str, Any] = {
            "author": author,
            "agent_id": speaker(None),
            "now_us": self.clock.now_us(),
            "chance": self.chance,
            "touches": self.touches,
            "node": self.facts,
            "speaker": speaker,
            "may_claim": lambda claim: _allowed(speaker, claim),
            "operator": operator,
        }
        handler = registry.HANDLERS[declared.name]
        if declared.effect == Effect.WRITE:
            return await self._write(declared, request, given, handler)
        return await self._read(lambda view: handler(ReadCall(view=view, **given), request))

    async def _write(
        self, declared: Operation, request: Any, given: dict[str, Any], handler: Callable[..., Any]
    ) -> Any:
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
            return handler(WriteCall(view=tx.session, tx=tx, **given), request)

        written = await self.replica.write(intent, work)
        self.metrics.ops.inc(0 if written.replayed else len(written.write_ids))
        self.metrics.replayed.inc(written.replayed)
        response = written.response
        response = await self._with_more(declared.name, request, given, response)
        result = WriteResult(
            outcome=Outcome.COMMITTED,
            write_ids=written.write_ids,
            acks=1,
            needed=1,
            replayed=written.replayed,
        )
        return replace(response, write=result)

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


def _allowed(speaker: Speaker, claim: str) -> bool:
    try:
        return speaker(claim) == claim
    except Failure:
        return False
