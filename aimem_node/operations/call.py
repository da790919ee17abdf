"""What an operation is given: who calls, what time it is, and what it may read and change.

A handler is a plain function. A read runs on a reader's thread over one consistent view; a
write runs on the writer's thread inside the transaction, so what it reads is what it changes.
It never waits for anything.
"""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aimem_node.clocks import Chance
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.cluster import Cluster
from aimem_node.replica.replica import Tx
from aimem_node.replica.touch import Touches
from aimem_node.store.view import View

T = TypeVar("T")
RECORD_IDS = uuid.UUID("6f0c6a52-5a0e-5f7e-9a6d-2f5b8d6a4c11")
"""Namespace of record ids that are made from request keys, so that a retry names the same one."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What is true of this node for as long as it runs."""

    node_id: str
    fingerprint: Callable[[], str]
    "Of the key in use now: it can be replaced while the node runs."
    version: str
    data_dir: str
    started_us: int
    pid: int
    state: Callable[[], tuple[str, str]]
    "serving or failed, and why."
    listening: Callable[[], tuple[str, ...]]
    files: Callable[[], "FileFacts"]


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the node takes up on its machine right now."""

    db_bytes: int
    wal_bytes: int
    free_bytes: int
    schema: int
    resident_bytes: int


@dataclass(slots=True)
class ReadCall:
    """One call that only reads."""

    author: str
    "The authenticated principal."
    agent_id: str
    "Who speaks: the claim, checked against the principal."
    now_us: int
    view: View
    chance: Chance
    touches: Touches
    node: NodeFacts
    speaker: Callable[[str | None], str]
    "Who speaks, given the request's claim. Raises PERMISSION_DENIED for a claim not allowed."
    may_claim: Callable[[str], bool]
    "Whether this caller may speak for an agent id."
    operator: bool
    "Whether the caller has the admin role, for what only some uses of an operation need."
    pending: Callable[[str], bool]
    "Whether it is unknown that enough nodes hold this op (origin:sequence) on disk."
    find_member: Callable[[str], str]
    "Node id of the member with this name or id. Raises NOT_FOUND or AMBIGUOUS."
    operation: str
    "The name of the operation that was called."
    place: str
    "The namespace that this caller stands in, which bounds what it sees; empty: no bounds."

    @property
    def principal(self) -> str:
        """The caller's name in the whole cluster: another node's user:ann is somebody else."""
        return f"{self.author}@{self.node.node_id}"


@dataclass(slots=True)
class WriteCall(ReadCall):
    """One call that writes. `tx.session` is its view."""

    tx: Tx = field(kw_only=True)

    def new_id(self, index: int = 0) -> str:
        """An id for a new record: the same one for the same request key, on any node.

        Raises CONFLICT when that record is known already. Its answer is only forgotten when
        something it speaks of was erased, and to write to it again would undo what came since.
        """
        if not self.tx.request_key:
            return self.chance.record_id()
        name = f"{self.author}\n{self.tx.request_key}\n{index}"
        record_id = str(uuid.uuid5(RECORD_IDS, name))
        state = self.view.state(record_id)
        if state is not None:
            fate = "which was erased for good" if state.purged else "and its answer is not kept"
            raise Failure(
                Code.CONFLICT,
                f"this request key made record {record_id}, {fate}",
                path="$.options.request_key",
                next="Use a new key if it is to be stored again.",
            )
        return record_id


@dataclass(slots=True)
class ClusterCall:
    """One call about the cluster. It runs on the event loop and may wait."""

    author: str
    now_us: int
    cluster: Cluster
    node: NodeFacts


@dataclass(slots=True)
class StreamCall:
    """One call that is answered by a stream. It runs on the event loop and reads in steps."""

    author: str
    agent_id: str
    place: str
    "As of a ReadCall."
    operator: bool
    may_claim: Callable[[str], bool]
    now_us: int
    read: Callable[[Callable[[View], Any]], Awaitable[Any]]
    "Run a function over a consistent view, off the loop."
    log_reaches: Callable[[], int]
    "The last position of the log here."
    wait_beyond: Callable[[int], Awaitable[None]]
    "Return once the log reaches further than this."
    node: NodeFacts
    cluster: Cluster
