"""What an operation is given: who calls, what time it is, and what it may read and change.

A handler is a plain function. A read runs on a reader's thread over one consistent view; a
write runs on the writer's thread inside the transaction, so what it reads is what it changes.
It never waits for anything.
"""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from aimem_node.clocks import Chance
from aimem_node.contract.errors import Code, Failure
from aimem_node.operations.identity import registered_to_another
from aimem_node.replica.cluster import Cluster
from aimem_node.replica.replica import Tx
from aimem_node.replica.subscribed import Desk
from aimem_node.replica.touch import Touches
from aimem_node.replica.vectors import Progress
from aimem_node.store.view import View

if TYPE_CHECKING:
    from aimem_node.embedding.worker import Embedding
    from aimem_node.operations.policy import Book

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
    vectors: Callable[[], Progress]
    "How far the memories here have vectors."


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
    now_us: int
    view: View
    chance: Chance
    touches: Touches
    node: NodeFacts
    says: Callable[[str | None], str]
    """Who the connection lets speak, given the request's claim. It knows nothing of the register of
    agents: ask speaker."""
    agent_pattern: str
    "The agent ids it was granted, with * and ? as in file names."
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
    desk: Desk
    "Where to ask how deliveries to subscribers go."
    book: "Book"
    "What the rules are."
    embedding: "Embedding"
    "The node's model of texts. It is always there, if only to say that it is off."
    found_out: dict[str, Any] = field(default_factory=dict, init=False, repr=False)
    "What was found out for this call and is asked for more than once."

    @property
    def principal(self) -> str:
        """The caller's name in the whole cluster: another node's user:ann is somebody else."""
        return f"{self.author}@{self.node.node_id}"

    @property
    def agent_id(self) -> str:
        """Who speaks when the request claims nothing."""
        if "agent_id" not in self.found_out:
            self.found_out["agent_id"] = self.speaker(None)
        return str(self.found_out["agent_id"])

    def speaker(self, claim: str | None) -> str:
        """Who speaks, given the request's claim.

        Raises PERMISSION_DENIED for one that the connection does not allow, or that another
        principal has registered. What the surface only hinted at is passed over instead.
        """
        agent_id = self.says(claim)
        holder = registered_to_another(self.view, agent_id, self.principal)
        if not holder:
            return agent_id
        if not claim:
            return self.author
        raise Failure(
            Code.PERMISSION_DENIED,
            f"{self.author} may not speak as {agent_id!r}: {holder} has registered it",
            path="$.agent_id",
            next="Leave agent_id out, or have one who is bound to it, or the operator, bind you: "
            f"agent-register {agent_id} ... --principals {self.principal}",
        )

    def may_claim(self, agent_id: str) -> bool:
        """Whether this caller may speak for an agent id."""
        try:
            return self.speaker(agent_id) == agent_id
        except Failure:
            return False


@dataclass(slots=True)
class WriteCall(ReadCall):
    """One call that writes. `tx.session` is its view."""

    tx: Tx = field(kw_only=True)
    spoken: str = field(default="", init=False)
    "Who was last found to be speaking: the claim of the request, once the handler has checked it."
    claimed: set[str] = field(default_factory=set, init=False)
    "The agent ids that this caller was found to be allowed to speak for."

    def speaker(self, claim: str | None) -> str:
        """See ReadCall. The rules want to know who speaks, and so does who approves it later."""
        self.spoken = ReadCall.speaker(self, claim)
        return self.spoken

    def may_claim(self, agent_id: str) -> bool:
        """See ReadCall."""
        spoken = self.spoken
        may = ReadCall.may_claim(self, agent_id)
        self.spoken = spoken
        if may:
            self.claimed.add(agent_id)
        return may

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
    agent_pattern: str
    place: str
    operator: bool
    "These four as of a ReadCall."
    now_us: int
    read: Callable[[Callable[[View], Any]], Awaitable[Any]]
    "Run a function over a consistent view, off the loop."
    log_reaches: Callable[[], int]
    "The last position of the log here."
    wait_beyond: Callable[[int], Awaitable[None]]
    "Return once the log reaches further than this."
    node: NodeFacts
    cluster: Cluster

    @property
    def principal(self) -> str:
        """As of a ReadCall."""
        return f"{self.author}@{self.node.node_id}"
