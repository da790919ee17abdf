"""This node's place in its cluster, as far as inviting, joining and rotating have to know it.

They ask for it in these words so that they can be tested without a cluster; replica/cluster.py is
behind it in a running node.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from aimem_node.replica.identity import Identity
from aimem_sync.members import Config, Proof


@dataclass(frozen=True, slots=True)
class Level:
    """How far this node is from holding all that the others hold."""

    step: str
    "snapshot, catch_up, or level."
    done: int = 0
    "Bytes of a snapshot, or ops."
    total: int = 0
    snapshot_bytes: int = 0
    "Size of the snapshot that was taken in on the way, if one was."


class Seat(Protocol):
    """See the module. On the event loop."""

    @property
    def name(self) -> str:
        """What this machine is called unless somebody says otherwise."""
        ...

    @property
    def identity(self) -> Identity:
        """The key that is in use now."""
        ...

    @property
    def config(self) -> Config:
        """The members of now."""
        ...

    @property
    def history(self) -> Sequence[Config]:
        """Every epoch, in order."""
        ...

    @property
    def proofs(self) -> Sequence[Proof]:
        """One for each epoch of the history; empty ones where none is needed."""
        ...

    def proves(self, old: Config, new: Config, proof: Proof) -> bool:
        """Whether these endorsements are good signatures. replica/standing.py has it."""
        ...

    async def change(self, make: Callable[[Config], Config]) -> Config:
        """Have the voters decide on what `make` makes of the present list.

        `make` may be called several times, may return what it was given (then nothing needs to be
        decided) and may raise a Failure, which is passed on. Raises CONFLICT or UNAVAILABLE.
        """
        ...

    async def adopt(self, history: Sequence[Config], proofs: Sequence[Proof]) -> None:
        """Become a member of that cluster; kept on disk when this returns."""
        ...

    async def listen(self, address: str) -> str:
        """Hear other members from now on; the host:port to tell them.

        An empty address: as set, as remembered, or found by itself.
        """
        ...

    async def has_memories(self) -> bool:
        """Whether anything was ever written on this node."""
        ...

    def level(self) -> Level:
        """How far this node is."""
        ...

    def behind(self, epoch: int) -> frozenset[str]:
        """Members that have not said yet that they applied this epoch; those away included.

        One that comes back must find every other member under a key that it knows, or it could
        learn of the new one from nobody.
        """
        ...

    async def switch(self, identity: Identity) -> None:
        """Use this key from now on: for listening, for dialing, and for signing."""
        ...
