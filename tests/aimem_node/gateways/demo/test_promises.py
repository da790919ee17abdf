"""Promises that were broken are written down, but never without end."""

from aimem_node.gateways.demo.promises import BROKEN_MAX, Promises


def test_a_kept_promise_leaves_no_trace() -> None:
    promises = Promises()
    assert promises.expect(True, "not this")
    assert promises.broken == []


def test_broken_promises_are_told_in_order_and_counted_beyond_what_is_told() -> None:
    promises = Promises()
    for number in range(BROKEN_MAX + 3):
        assert not promises.expect(False, f"broken {number}")
    assert promises.broken[0] == "broken 0"
    assert len(promises.broken) == BROKEN_MAX
    assert promises.more == 3
