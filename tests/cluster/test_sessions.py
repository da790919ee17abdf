"""Sessions that go from node to node: none of them ever reads backwards."""

import pytest

from aimem_node.contract.calls import Session
from aimem_node.contract.errors import Code, Failure
from chaos.team import Team


def test_a_session_reads_its_own_write_on_another_node(three: Team) -> None:
    session = Session(max_wait_ms=10_000)
    for at in range(20):
        one, other = three.names[at % 3], three.names[(at + 1) % 3]
        record_id = three.call(one, "Store", session, title=f"n{at}", content="x")["id"]
        session.after = session.token
        found = three.call(other, "Get", session, id=record_id)
        assert found["memory"]["title"] == f"n{at}"
        session.after = session.token


def test_a_read_that_cannot_be_fresh_in_time_is_refused_and_not_answered_stale(
    three: Team,
) -> None:
    session = Session(max_wait_ms=50)
    three.part("c")
    three.call("a", "Store", session, title="n", content="x")
    session.after = session.token
    with pytest.raises(Failure) as refused:
        three.call("c", "List", session)
    assert refused.value.code is Code.UNAVAILABLE
    assert refused.value.definite
    three.heal()
    session.max_wait_ms = 20_000
    assert [m["title"] for m in three.call("c", "List", session)["memories"]] == ["n"]


def test_what_a_read_has_shown_is_seen_on_every_other_node(three: Team) -> None:
    three.store("a", "n")
    reader = Session(max_wait_ms=10_000)
    assert len(three.call("a", "List", reader)["memories"]) == 1
    reader.after = reader.token
    for name in ("b", "c", "a"):
        assert len(three.call(name, "List", reader)["memories"]) == 1
        reader.after = reader.token
