"""Keep one connection to one other member, for as long as it is one.

Each member has a dialer of its own, so one that accepts and never answers delays nobody else. Every
attempt opens a new channel whose only roots are that member's certificates as they are then: gRPC
cannot change the roots of a channel, nor our own key in it.

gRPC hides why a handshake failed: the one side sees a closed socket, the other sees nothing. So
when one fails, the certificate that is shown there is fetched by hand and looked at.
"""

import asyncio
import contextlib
import hashlib
import json
import secrets
import ssl
from collections.abc import Callable
from typing import Any, Final

import grpc
import grpc.aio

from aimem_node import logs
from aimem_node.contract import errors
from aimem_node.contract.errors import Failure
from aimem_node.replica.identity import TLS_NAME, Identity
from aimem_node.rpc import peer_asks as asks
from aimem_node.rpc.grpc_failures import FAILURE_KEY
from aimem_node.rpc.join_client import shown_certificate
from aimem_node.rpc.peer_access import (
    CLUSTER_KEY,
    NODE_KEY,
    PROTOCOL_UNKNOWN,
    WRONG_CLUSTER,
    WRONG_NODE,
    Caller,
    fit_certificates,
    refusal,
)
from aimem_node.rpc.peer_asks import Hello
from aimem_node.rpc.peer_pipe import BULK, LIVE, Pipe
from aimem_node.rpc.peer_server import SERVICE, Hub
from aimem_node.rpc.peer_words import FRAME_BYTES_MAX
from aimem_sync.faults import OpFault
from aimem_sync.members import Config, Member

HELLO_S: Final = 1.2
"""How long an attempt may take. One that was begun before a partition heals has to end before the
next one can succeed, so this is also how long a healed link may go unnoticed."""
HELLO_ROUND_TRIPS: Final = 6
"""For TCP, TLS and the call, with room; once it is known how long one takes."""
HELLO_FAR_S: Final = 5.0
"""Of every fourth attempt at a member that has never answered: it may be on the far side of the
earth."""
LOOK_S: Final = 1.0
PAUSE_MS_MIN: Final = 200
PAUSE_MS_MAX: Final = 600
"""Between attempts, doubled each time, and each anywhere between half of it and all."""
REFUSED_PAUSE_MS: Final = 3_000
"""After a refusal: it takes a new epoch to lift it, and following one dials at once."""

WRONG_CERTIFICATE: Final = "wrong_certificate"
KEY_REFUSED: Final = "key_refused"
NO_TLS: Final = "no_tls"

_OPTIONS: Final = (
    ("grpc.ssl_target_name_override", TLS_NAME),
    ("grpc.max_receive_message_length", FRAME_BYTES_MAX),
    ("grpc.max_send_message_length", FRAME_BYTES_MAX),
    ("grpc.keepalive_time_ms", 1_000),
    ("grpc.keepalive_timeout_ms", 1_000),
    # How long a ping may stay unanswered, which is a minute otherwise. The two above only reach so
    # far as TCP does: where a box in between goes on acknowledging, nothing else notices.
    ("grpc.http2.ping_timeout_ms", 1_500),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # In spite of its name this bounds one attempt to connect.
    ("grpc.min_reconnect_backoff_ms", 3_000),
    # Without it gRPC would share connections, and their backoff, between channels.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
)


def open_channel(address: str, identity: Identity, member: Member) -> grpc.aio.Channel:
    """A channel on which nobody but this member can answer. Connects when it is first used.

    Raises Failure if no certificate of the member may be a root.
    """
    roots = b"".join(fit_certificates(member).values())
    if not roots:  # gRPC would take its own list of the world's authorities instead
        raise refusal(WRONG_CERTIFICATE, f"no certificate of {member.name} may be trusted")
    credentials = grpc.ssl_channel_credentials(roots, identity.key_pem, identity.cert_pem)
    return grpc.aio.secure_channel(address, credentials, options=_OPTIONS)


def claims(config: Config, node_id: str) -> tuple[tuple[str, str], ...]:
    """The metadata of every call: who calls, and which cluster is meant."""
    return ((CLUSTER_KEY, config.cluster_id), (NODE_KEY, node_id))


class Dialer:
    """See the module. Runs from its making until close, on one event loop."""

    def __init__(
        self, hub: Hub, identity: Callable[[], Identity], config: Config, member: Member,
        hello: Callable[[], Hello],
    ) -> None:  # fmt: skip
        self._hub = hub
        self._identity = identity
        self._config = config
        self._member = member
        self._hello = hello
        self._dialed: tuple[str, str, str, frozenset[bytes]] | None = None
        "Cluster, address, own key and roots of the connection there is or is tried."
        self._again = asyncio.Event()
        self._is_trying = False
        self._attempts = 0
        self._doubts = 0
        "Attempts in a row that ended as if the key were refused."
        self._hello_s = 0.0
        "How long the quickest greeting took; 0 before the first."
        self.why = "not dialed yet"
        "Why there is no connection; empty while there is one."
        self._log = logs.get("rpc")
        self._task = asyncio.get_running_loop().create_task(self._run())

    def follow(self, config: Config, member: Member) -> None:
        """Whom to dial from now on. Dials anew if what it has would not be allowed any more."""
        self._config, self._member = config, member
        if self._dialed is not None:
            *is_now, roots = self._dialed
            *wanted, allowed = self._wants()
            if is_now == wanted and roots <= allowed and (self._is_trying or not self.why):
                return
        self._again.set()

    async def close(self) -> None:
        """Let go of the connection."""
        self._task.cancel()
        await asyncio.wait({self._task})

    def _wants(self) -> tuple[str, str, str, frozenset[bytes]]:
        roots = frozenset(fit_certificates(self._member).values())
        identity = self._identity()
        return self._config.cluster_id, self._member.address, identity.fingerprint, roots

    async def _run(self) -> None:
        pause_ms = PAUSE_MS_MIN
        while True:
            self._again.clear()
            self._is_trying = True
            attempt = asyncio.ensure_future(self._attempt())
            again = asyncio.ensure_future(self._again.wait())
            try:
                await asyncio.wait({attempt, again}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (attempt, again):
                    task.cancel()
                await asyncio.wait({attempt, again})
            if self._again.is_set():
                pause_ms = PAUSE_MS_MIN
                continue
            linked, refused = attempt.result()
            pause_ms = PAUSE_MS_MIN if linked else min(2 * pause_ms, PAUSE_MS_MAX)
            least_ms = (REFUSED_PAUSE_MS if refused else pause_ms) // 2
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout((least_ms + secrets.randbelow(least_ms)) / 1e3):
                    await self._again.wait()

    async def _attempt(self) -> tuple[bool, bool]:
        """Dial, and stay for as long as it holds. Whether it ever did, and whether it was refused.

        Raises nothing but what cancels it.
        """
        self._dialed = self._wants()
        member, linked = self._member, False
        try:
            channel = open_channel(member.address, self._identity(), member)
        except Failure as failure:
            self._refused(failure)
            return False, True
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(channel.close)
            try:
                await self._greet(channel, member)
                linked = True
                self._doubts = 0
                self.why = ""
                await self._stay(channel, member)
                self._unreachable("the connection was closed there")
            except grpc.aio.AioRpcError as error:
                return linked, await self._told(error, member)
            except Failure as failure:
                self._refused(failure)
                return linked, True
            except OpFault as fault:
                self._refused(refusal(PROTOCOL_UNKNOWN, f"its answer cannot be read: {fault}"))
                return linked, True
            except Exception as error:  # gRPC has no one error for a connection that is gone
                self._unreachable(repr(error))
        return linked, False

    async def _greet(self, channel: grpc.aio.Channel, member: Member) -> None:
        """Raise unless the right node of the right cluster answers."""
        call = channel.unary_unary(f"/{SERVICE}/Hello")
        body = asks.hello_bytes(self._hello())
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        answer = await call(body, timeout=self._patience_s(), metadata=self._claims())
        took_s = loop.time() - began_s
        self._hello_s = min(took_s, self._hello_s or took_s)
        hello = asks.hello_from(answer)
        if hello.origin.node_id != member.node_id:
            raise refusal(WRONG_NODE, f"node {hello.origin.node_id[:8]} answers there")
        if hello.cluster_id != self._config.cluster_id:
            raise refusal(WRONG_CLUSTER, f"it is in cluster {hello.cluster_id[:8]}")
        if not asks.understands(hello):
            raise refusal(
                PROTOCOL_UNKNOWN,
                f"it speaks versions {hello.protocol_min} to {hello.protocol_max}",
            )
        self._hub.greeted(Caller(member.node_id, member.fingerprints[0]), hello)

    def _patience_s(self) -> float:
        self._attempts += 1
        if self._hello_s:
            return max(HELLO_S, HELLO_ROUND_TRIPS * self._hello_s)
        return HELLO_FAR_S if self._attempts % 4 == 0 else HELLO_S

    async def _stay(self, channel: grpc.aio.Channel, member: Member) -> None:
        """Carry both streams until either ends."""
        runs: list[asyncio.Task[None]] = []
        for name in (LIVE, BULK):
            call = channel.stream_stream(f"/{SERVICE}/{name}")(metadata=self._claims())
            pipe = Pipe(member.node_id, member.fingerprints, name, is_dialed=True)
            runs.append(asyncio.ensure_future(self._carry(pipe, call)))
        try:
            done, _ = await asyncio.wait(runs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for run in runs:
                run.cancel()
            await asyncio.wait(runs)
        for run in done:
            run.result()

    async def _carry(self, pipe: Pipe, call: Any) -> None:
        self._hub.opened(pipe)
        try:
            await pipe.run(call.read, call.write, self._hub.arrived)
        finally:
            self._hub.closed(pipe)

    def _claims(self) -> tuple[tuple[str, str], ...]:
        return claims(self._config, self._identity().node_id)

    # ---- why not ---------------------------------------------------------------------------------

    async def _told(self, error: Any, member: Member) -> bool:
        """Say why it failed; whether it is a refusal."""
        failure = carried(error) or await self._looked(error, member)
        if failure is None:
            self._unreachable(plain(error))
            return False
        self._refused(failure)
        return True

    async def _looked(self, error: Any, member: Member) -> Failure | None:
        """What is wrong with the handshake; None if it did not come so far."""
        said = (error.details() or "").lower()
        if error.code() is not grpc.StatusCode.UNAVAILABLE or not any(
            word in said for word in ("handshake", "ssl", "certificate", "closed", "reset")
        ):
            return None
        try:
            async with asyncio.timeout(LOOK_S):
                der = await shown_certificate(member.address)
        except ssl.SSLError:
            return refusal(NO_TLS, f"no TLS is spoken at {member.address}")
        except (OSError, TimeoutError, Failure):
            return None
        shown = hashlib.sha256(der).hexdigest()
        if shown not in fit_certificates(member):
            return refusal(
                WRONG_CERTIFICATE,
                f"at {member.address} the certificate {shown[:16]} is shown, which is not its own",
            )
        if "handshake" not in said and "closed" not in said and "reset" not in said:
            return None
        self._doubts += 1
        if self._doubts < 2:  # a partition that has just ended looks the same once
            return None
        return refusal(
            KEY_REFUSED, f"it refuses this node's key {self._identity().fingerprint[:16]}: evicted "
            "there, replaced, or not yet known",
        )  # fmt: skip

    def _refused(self, failure: Failure) -> None:
        self._is_trying = False
        self.why = f"refused: {failure.message}"
        self._hub.refused(self._member.node_id, failure)

    def _unreachable(self, why: str) -> None:
        self._is_trying = False
        self.why = why[:200]


def plain(error: Any) -> str:
    """What became of an attempt, in words for people: gRPC's own name no member and no cause."""
    said = (error.details() or "").lower()
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED or "timed out" in said:
        return "it does not answer"
    known = {
        "refused": "nothing listens there",
        "no route": "there is no route to it",
        "resolution": "its name is not known",
        "ping": "it fell silent",
        "keepalive": "it fell silent",
        "reset": "the connection broke",
        "closed": "the connection broke",
    }
    if error.code() is not grpc.StatusCode.UNAVAILABLE:
        return str(error.details() or error.code().name.lower())
    return next((word for sign, word in known.items() if sign in said), "it is out of reach")


def carried(error: Any) -> Failure | None:
    """The refusal that the other node sent; None if this is something else."""
    for key, value in error.trailing_metadata() or ():
        if key == FAILURE_KEY:
            with contextlib.suppress(ValueError, UnicodeDecodeError, AttributeError):
                failure = errors.from_json(json.loads(value))
                return failure if "reason" in failure.details else None
    return None
