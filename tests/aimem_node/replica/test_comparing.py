"""A node compares its state with another's, finds the record, and has broken ops from elsewhere."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from aimem_node.replica.comparing import compare_with_members, fetch_broken, record_hashes
from aimem_node.replica.net import Nobody
from aimem_sync.cursor import Cursor
from aimem_sync.digest import BUCKETS, Digest, bucket_of
from aimem_sync.dot import Dot, Origin
from aimem_sync.members import Member
from aimem_sync.op import encode_op
from tests.harness import Harness

OTHER = Member("b" * 32, ("f" * 64,), name="bob")


class Bob(Nobody):
    """Another member, whose state is what a test says."""

    def __init__(self, have: Cursor, digest: Digest, hashes: dict[str, bytes]) -> None:
        self.have, self.digest, self.hashes = have, digest, hashes
        self.ops: tuple[bytes, ...] = ()

    async def sums(self, node_id: str) -> tuple[Cursor, Digest]:
        return self.have, self.digest

    async def record_hashes(self, node_id: str, buckets: Sequence[int]) -> dict[str, bytes]:
        return {name: one for name, one in self.hashes.items() if bucket_of(name) in buckets}

    async def ops_at(
        self, node_id: str, origin: Origin, seqs: tuple[int, ...]
    ) -> tuple[bytes, ...]:
        return self.ops


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Harness]:
    running = Harness(tmp_path)
    yield running
    running.stop()


def read(node: Harness, what: Any) -> Any:
    return node.core.store.readers.submit(what, 5_000).result()


def compared(node: Harness, bob: Bob) -> str:
    plane = node.core.plane
    plane.net = bob
    council = plane.core.council
    council.history[-1] = council.history[-1].with_learner(OTHER.node_id, "f" * 64, "bob")
    (line,) = node.run(compare_with_members(plane))
    return str(line)


def as_here(node: Harness) -> Bob:
    everything = frozenset(range(BUCKETS))
    have, digest, hashes = read(
        node, lambda view: (view.have(), view.digest(), dict(record_hashes(view, everything)))
    )
    return Bob(have, digest, hashes)


def test_a_member_with_the_same_records_is_equal(node: Harness) -> None:
    node.store("n")
    assert compared(node, as_here(node)) == "bob: equal, 1 logs and all records"


def test_a_member_that_differs_is_told_with_the_record_that_does(node: Harness) -> None:
    kept = node.store("n")
    bob = as_here(node)
    old, new = bob.hashes[kept], bytes(31) + b"\1"
    bob.digest = bob.digest.remove(bucket_of(kept), old).add(bucket_of(kept), new)
    bob.hashes[kept] = new
    assert compared(node, bob) == f"bob: the records differ: {kept}"


def test_a_member_that_lacks_ops_is_not_called_different(node: Harness) -> None:
    node.store("n")
    bob = Bob(Cursor(), Digest(), {})
    assert compared(node, bob) == "bob: not level, it has 0 ops more and 1 ops less than this node"


def test_a_member_out_of_reach_is_said_not_to_be_compared(node: Harness) -> None:
    nobody: Any = Nobody()
    assert compared(node, nobody).startswith("bob: not compared, ")


def test_a_broken_op_comes_back_from_a_member_and_a_forged_one_does_not(node: Harness) -> None:
    node.store("n")
    plane = node.core.plane
    dot = Dot(plane.origin, 1)
    op = read(node, lambda view: view.op(dot))
    bob = Bob(Cursor(), Digest(), {})
    plane.net = bob
    plane.core.links["b" * 32] = object()  # type: ignore[assignment]
    forged = encode_op(op).replace(op.sig, bytes(len(op.sig)))
    bob.ops = (forged,)
    assert node.run(fetch_broken(plane, [dot])) == ["1 broken ops are held by no member in reach"]
    bob.ops = (encode_op(op),)
    assert node.run(fetch_broken(plane, [dot])) == ["1 broken ops fetched from other members"]
    plane.core.links.clear()
