"""What the store tells other members: sums, hashes, and ops as whoever asks may have them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimem_node.replica.granting import anybody
from aimem_node.rpc.peer_asks import (
    LEVEL_BUCKETS,
    LEVEL_HASHES,
    LEVEL_RECORDS,
    ChainAsk,
    DigestAsk,
)
from aimem_node.rpc.peer_books import StoreBooks
from aimem_sync.digest import BUCKETS, Digest, bucket_of
from aimem_sync.op import decode_op
from tests.harness import Harness


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Harness]:
    running = Harness(tmp_path)
    yield running
    running.stop()


def books(node: Harness, allowed: Any = anybody) -> StoreBooks:
    return StoreBooks(node.core.store, lambda _node_id: allowed)


def test_the_sums_are_those_of_the_store_at_the_cursor_told_with_them(node: Harness) -> None:
    node.store("n")
    answer = node.run(books(node).digest(DigestAsk(LEVEL_BUCKETS)))
    digest = Digest.decode(b"".join(total for _, total in answer.entries))
    assert len(answer.entries) == BUCKETS
    assert digest.root().hex() == node.call("NodeStatus")["digest"]
    assert answer.have.get(node.core.plane.origin) == 1


def test_hashes_are_told_of_the_buckets_asked_about_and_no_others(node: Harness) -> None:
    kept = node.store("n")
    here, there = bucket_of(kept), (bucket_of(kept) + 1) % BUCKETS
    told = node.run(books(node).digest(DigestAsk(LEVEL_HASHES, (here,))))
    assert [name for name, _ in told.entries] == [kept]
    assert node.run(books(node).digest(DigestAsk(LEVEL_HASHES, (there,)))).entries == ()


def test_records_themselves_are_told_to_nobody(node: Harness) -> None:
    kept = node.store("n")
    assert node.run(books(node).digest(DigestAsk(LEVEL_RECORDS, (), (kept,)))).entries == ()


def test_a_chain_is_told_place_by_place_and_ends_where_the_log_does(node: Harness) -> None:
    node.store("n")
    origin = node.core.plane.origin
    head = node.core.plane.core.intake.durable[origin]
    assert node.run(books(node).chain_at(ChainAsk(origin, (1, 2)))) == [head.chain, b""]


def test_ops_are_given_without_text_to_who_may_not_hold_it(node: Harness) -> None:
    node.store("n", content="under the oak")
    ask = ChainAsk(node.core.plane.origin, (1, 2))
    (whole,) = node.run(books(node).ops_at("b", ask))
    assert b"under the oak" in whole
    (kept_back,) = node.run(books(node, lambda _view, _op: False).ops_at("c", ask))
    assert decode_op(kept_back).body is None


def test_what_was_erased_here_is_given_to_nobody(node: Harness) -> None:
    node.store("gone", namespace="old")
    node.store("kept")
    node.call("Forget", namespace="old", erase=True)
    ask = ChainAsk(node.core.plane.origin, tuple(range(1, 9)))
    ops = [decode_op(one) for one in node.run(books(node).ops_at("b", ask))]
    assert 1 not in [op.seq for op in ops]
    assert {2} <= {op.seq for op in ops}
    assert all(op.body is not None for op in ops)
