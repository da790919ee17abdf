"""Records that are no memories: found by kind, passed over when they are gone or another's."""

from typing import Any

from aimem_node.operations.kept import all_kept, is_any_kept, kept
from aimem_node.replica.replica import Intent
from aimem_sync.change import Change
from aimem_sync.op import Kind
from tests.harness import Harness


def write(node: Harness, *changes: Change) -> None:
    def work(tx: Any) -> str:
        for change in changes:
            tx.change(change)
        return ""

    intent: Intent[str] = Intent("node:test", node.clock.now_us(), str.encode, bytes.decode)
    node.run(node.core.replica.write(intent, work))


def see(node: Harness, read: Any) -> Any:
    return node.core.store.readers.submit(read, 5_000).result()


def test_records_of_a_kind_are_found_by_name_and_all_in_order(node: Harness) -> None:
    names = [f"n{at:03}" for at in range(250)]
    write(node, *(Change(f"thing:{name}", "thing", set={"is": name}) for name in names))
    assert [name for name, _ in see(node, lambda view: list(all_kept(view, "thing")))] == names
    assert see(node, lambda view: kept(view, "thing", "n007")).values["is"] == "n007"
    assert see(node, lambda view: kept(view, "thing", "n")) is None


def test_what_was_erased_or_is_of_another_kind_is_passed_over(node: Harness) -> None:
    write(
        node,
        Change("thing:a", "thing", set={"is": 1}),
        Change("thing:b", "impostor", set={"is": 2}),
        Change("thing:c", "thing", set={"is": 3}),
    )
    write(node, Change("thing:c", "thing", kind=Kind.PURGE))
    assert [name for name, _ in see(node, lambda view: list(all_kept(view, "thing")))] == ["a"]
    assert see(node, lambda view: kept(view, "thing", "b")) is None
    assert see(node, lambda view: kept(view, "thing", "c")) is None


def test_whether_there_are_any_is_asked_of_the_kind_and_not_of_what_begins_alike(
    node: Harness,
) -> None:
    write(node, Change("things:a", "things", set={"is": 1}))
    assert see(node, lambda view: is_any_kept(view, "things")) is True
    assert see(node, lambda view: is_any_kept(view, "thing")) is False
