"""The node under measurement and what has been put into it so far."""

from collections.abc import Callable

from aimem_node.client.grpc_client import GrpcClient
from aimem_node.contract.values import BulkStoreRequest
from aimem_node.gateways.demo.own_node import OwnNode
from aimem_node.gateways.operator.bench.words import Words

BULK_ITEMS = 1000
"""The most that one BulkStore takes."""

BULK_SECONDS_MAX = 60.0


class Stage:
    """One node, filled as far as each measurement needs it, never emptied in between."""

    def __init__(
        self, node: OwnNode, words: Words, *, quick: bool, say: Callable[[str], None]
    ) -> None:
        self.node = node
        self.words = words
        self.quick = quick
        self.say = say
        self.ids: list[str] = []
        """Ids of the memories that `fill` stored."""

    def runs(self, full: int, quick: int) -> int:
        """How often to measure: `quick` times when only a quick look is wanted."""
        return quick if self.quick else full

    def client(self) -> GrpcClient:
        """A client with a channel of its own on the node's unix socket."""
        return GrpcClient.unix(self.node.socket("grpc"), timeout_s=BULK_SECONDS_MAX)

    def ready(self) -> None:
        """See that the node runs."""
        if not self.node.running:
            self.node.spawn()
            self.node.await_answer()

    async def fill(self, memories: int) -> None:
        """Bring the node to at least `memories` memories of natural text."""
        self.ready()
        async with self.client() as client:
            while len(self.ids) < memories:
                count = min(BULK_ITEMS, memories - len(self.ids))
                chunk = tuple(self.words.memories(count))
                answer = await client.call("BulkStore", BulkStoreRequest(memories=chunk))
                self.ids.extend(answer.ids)
                if len(self.ids) % 10_000 == 0:
                    self.say(f"{len(self.ids):,} memories loaded")
