"""The one write path: stamps, retries, and an origin that never numbers an op twice."""

import threading
from pathlib import Path

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.identity import verify
from aimem_sync.log import Head, verify_chain
from tests.harness import Harness


def ops(node: Harness) -> list:
    read = node.core.store.readers.submit(lambda view: view.ops_after(0, 10_000), 5_000)
    return [placed.op for placed in read.result()]


def test_every_write_is_an_op_in_one_chain_signed_by_the_node(node: Harness) -> None:
    record_id = node.store("a")
    node.call("Update", id=record_id, content="b")
    node.call("Delete", id=record_id)
    log = ops(node)
    assert [op.seq for op in log] == [1, 2, 3]
    assert verify_chain(log, Head()).seq == 3
    pem = node.core.replica.identity.cert_pem
    assert all(verify(pem, op.sig, op.chain) for op in log)
    assert not verify(pem, log[0].sig, log[1].chain)
    assert [op.lamport for op in log] == sorted({op.lamport for op in log})
    assert {op.author for op in log} == {log[0].author}


def test_a_refused_write_leaves_nothing(node: Harness) -> None:
    node.store("a")
    before = node.call("NodeStatus")["digest"]
    with pytest.raises(Failure):
        node.call("BulkStore", memories=[
            {"title": "b", "content": "c"},
            {"title": "a", "content": "c", "on_conflict": "error"},
        ])  # fmt: skip
    assert len(ops(node)) == 1
    assert node.call("NodeStatus")["digest"] == before


def test_the_same_title_from_many_callers_at_once_is_one_memory(node: Harness) -> None:
    ids: list[str] = []
    workers = [
        threading.Thread(target=lambda: ids.append(node.store("the one title"))) for _ in range(40)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(ids) == 40
    assert len(set(ids)) == 1
    assert node.call("List")["count"] == 1


def test_a_request_key_is_kept_across_a_restart(tmp_path: Path) -> None:
    fields = {"title": "t", "content": "c", "options": {"request_key": "k"}}
    first = Harness(tmp_path / "n")
    stored = first.call("Store", **fields)
    origin = first.core.replica.origin
    first.stop()
    again = Harness(tmp_path / "n", seed=7)
    try:
        replay = again.call("Store", **fields)
        assert replay["id"] == stored["id"]
        assert replay["write"]["replayed"] is True
        assert again.core.replica.origin == origin
        assert again.call("List")["count"] == 1
    finally:
        again.stop()


def test_a_key_of_one_caller_means_nothing_to_another(node: Harness) -> None:
    from dataclasses import replace

    from aimem_node.contract.calls import Channel
    from aimem_node.contract.operations import Role
    from aimem_node.rpc.access_edit import create_token

    token = create_token(str(node.data_dir), "ci", Role.WRITER)
    node.clock.move(seconds=1)
    other = replace(node.me, channel=Channel.LOOPBACK, uid=None, bearer=token)
    key = {"options": {"request_key": "k"}}
    first = node.call("Store", title="a", content="c", **key)
    second = node.call("Store", other, title="b", content="d", **key)
    assert second["write"]["replayed"] is False
    assert second["id"] != first["id"]


def test_a_node_refuses_a_store_that_belongs_to_another(tmp_path: Path) -> None:
    import shutil

    one = Harness(tmp_path / "a")
    one.store("t")
    one.stop()
    other = Harness(tmp_path / "b", seed=5)
    other.stop()
    for file in (tmp_path / "a").glob("aimem.db*"):
        shutil.copy(file, tmp_path / "b" / file.name)
    with pytest.raises(Failure) as caught:
        Harness(tmp_path / "b", seed=6)
    assert caught.value.code == Code.CORRUPT


def test_what_a_memory_keeps_of_its_past_in_the_store_does_not_grow_with_every_edit(
    node: Harness,
) -> None:
    record_id = node.store("t", tags=["x"])
    for n in range(30):
        node.call("Update", id=record_id, content=f"c{n}", tags=[f"x{n % 3}"], remove_tags=["x"])
    read = node.core.store.readers.submit(lambda view: view.state(record_id), 1_000)
    state = read.result()
    assert len(state.overwritten) + len(state.untagged) <= 4
    assert node.call("Verify", deep=True)["problems"] == []
