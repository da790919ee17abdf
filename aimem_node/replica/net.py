"""What the plane wants of connections to other members, and a node without any.

The real ones are in rpc/peer_net.py, which this room may not know.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.vectors import VectorAnswer, VectorAsk
from aimem_sync.cursor import Cursor
from aimem_sync.digest import Digest
from aimem_sync.dot import Origin
from aimem_sync.members import Config
from aimem_sync.messages import Message

NOBODY: Final = Failure(Code.UNAVAILABLE, "this node has no way to other members")


class Net(Protocol):
    """The connections to the other members. rpc/peer_net.py is the real one."""

    def send(self, node_id: str, message: Message) -> None:
        """Send a message without ops, or forget it if there is no connection."""
        ...

    def send_append(
        self, node_id: str, epoch: int, durable_upto: int, ops: list[bytes], beside: list[bytes]
    ) -> None:
        """Send the next ops of this node's log, encoded, with the answers beside them."""
        ...

    def send_page(self, node_id: str, pull_id: int, ops: list[bytes], beside: list[bytes]) -> None:
        """Send what a pull asked for."""
        ...

    def download(self, node_id: str, pull_id: int) -> None:
        """Fetch a snapshot; ends in Plane.downloaded or the event Disconnected."""
        ...

    def follow(self, config: Config, history: Sequence[Config]) -> None:
        """The members have changed."""
        ...

    async def chain_at(
        self, node_id: str, origin: Origin, seqs: tuple[int, ...]
    ) -> tuple[bytes, ...]:
        """A member's hashes of a log at these places; empty where it does not reach. Failure."""
        ...

    async def sums(self, node_id: str) -> tuple[Cursor, Digest]:
        """A member's cursor and the sums of its state, of one moment. Failure."""
        ...

    async def record_hashes(self, node_id: str, buckets: Sequence[int]) -> dict[str, bytes]:
        """Hashes of a member's records in some buckets. Failure."""
        ...

    async def ops_at(
        self, node_id: str, origin: Origin, seqs: tuple[int, ...]
    ) -> tuple[bytes, ...]:
        """Ops that a member holds, encoded, as this node may hold them. Failure."""
        ...

    async def vectors_at(self, node_id: str, ask: VectorAsk) -> VectorAnswer:
        """Vectors that a member has, as this node may hold their texts. Failure."""
        ...

    def why_not(self, node_id: str) -> str:
        """Why there is no connection to a member, in words; empty if there is one, or no reason."""
        ...


class Nobody:
    """The connections of a node that has none."""

    def send(self, node_id: str, message: Message) -> None:
        """Nobody is there."""

    def send_append(
        self, node_id: str, epoch: int, durable_upto: int, ops: list[bytes], beside: list[bytes]
    ) -> None:
        """Nobody is there."""

    def send_page(self, node_id: str, pull_id: int, ops: list[bytes], beside: list[bytes]) -> None:
        """Nobody is there."""

    def download(self, node_id: str, pull_id: int) -> None:
        """Nobody is there."""

    def follow(self, config: Config, history: Sequence[Config]) -> None:
        """Nobody is there."""

    def why_not(self, node_id: str) -> str:  # noqa: ARG002  as the others
        """Nobody is there."""
        return "this node has no listener for other members"

    async def chain_at(
        self,
        node_id: str,  # noqa: ARG002
        origin: Origin,  # noqa: ARG002
        seqs: tuple[int, ...],  # noqa: ARG002
    ) -> tuple[bytes, ...]:
        """Nobody is there."""
        raise NOBODY

    async def sums(self, node_id: str) -> tuple[Cursor, Digest]:  # noqa: ARG002
        """Nobody is there."""
        raise NOBODY

    async def record_hashes(self, node_id: str, buckets: Sequence[int]) -> dict[str, bytes]:  # noqa: ARG002
        """Nobody is there."""
        raise NOBODY

    async def ops_at(
        self,
        node_id: str,  # noqa: ARG002
        origin: Origin,  # noqa: ARG002
        seqs: tuple[int, ...],  # noqa: ARG002
    ) -> tuple[bytes, ...]:
        """Nobody is there."""
        raise NOBODY

    async def vectors_at(self, node_id: str, ask: VectorAsk) -> VectorAnswer:  # noqa: ARG002
        """Nobody is there."""
        raise NOBODY
