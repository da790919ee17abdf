"""Whether ops that came from elsewhere are what their origins wrote, whoever passed them on.

One signature is checked for a whole run of ops, the last one's: it signs the hash of a chain, and
that stands for all before it. But only if the run is a chain, so every hash in it is computed anew.
Without that, a relay could put an op of its own in front of a true one with a true signature, and
whoever takes ops in one by one would have taken in the first before it stumbled over the second.

A key that was replaced or revoked since still vouches for what it signed: what a node wrote while
it belonged is history.
"""

from collections.abc import Iterable, Sequence

from aimem_node.contract.errors import Failure
from aimem_node.replica.certs import certificate_from
from aimem_node.replica.identity import Certificate
from aimem_sync.dot import Origin
from aimem_sync.faults import PeerFault
from aimem_sync.members import Config
from aimem_sync.op import Op, chain_hash


class ForgedError(PeerFault):
    """Ops that their origin did not write so. The argument says which, for the log."""

    next_step = "Take in nothing of it, and see who passed it on: it is damaged or lies."


class Verifier:
    """The certificates of all nodes that ever belonged. Make a new one when an epoch comes."""

    def __init__(self, history: Iterable[Config]) -> None:
        self._keys: dict[str, dict[str, bytes]] = {}
        for config in history:
            for member in config.members:
                self._keys.setdefault(member.node_id, {}).update(member.keys())

    def knows(self, node_id: str) -> bool:
        """Whether the node belongs, or belonged once."""
        return node_id in self._keys

    def holds(self, op: Op) -> bool:
        """Whether the signature of this op is its origin's, by any key it ever had."""
        return any(one.verifies(op.sig, op.chain) for one in self._certificates(op.origin.node_id))

    def check(self, ops: Iterable[Op]) -> None:
        """Raise ForgedError unless the ops of each origin are one run that it has signed."""
        for run in runs_of(ops).values():
            last = _linked(run)
            if not self.holds(last):
                raise ForgedError(f"{last.dot} is not signed by its origin")

    def _certificates(self, node_id: str) -> Iterable[Certificate]:
        # The newest first: it is nearly always that one.
        for der in reversed(self._keys.get(node_id, {}).values()):
            try:
                yield certificate_from(der)
            except Failure:  # of a cluster without certificates, or one that may not be pinned
                continue


def runs_of(ops: Iterable[Op]) -> dict[Origin, list[Op]]:
    """The ops by origin, in the order in which they came."""
    runs: dict[Origin, list[Op]] = {}
    for op in ops:
        runs.setdefault(op.origin, []).append(op)
    return runs


def _linked(run: Sequence[Op]) -> Op:
    """The last op of a run that is a chain. Raises ForgedError.

    Bodies are not hashed here: their hashes are in the chain, and whoever takes them in compares.
    """
    before: Op | None = None
    for op in run:
        follows = before is None or (op.seq == before.seq + 1 and op.prev_chain == before.chain)
        if not follows or chain_hash(op.prev_chain, op.header, op.body_sha256) != op.chain:
            raise ForgedError(f"{op.dot} does not follow what is before it")
        before = op
    assert before is not None, "a run has an op"
    return before
