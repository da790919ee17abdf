"""A store that is not what its log says: noticed by the others, found, and mended."""

from collections.abc import Callable
from functools import partial
from typing import Any

import apsw

from aimem_sync.digest import bucket_of, sum_minus, sum_plus
from chaos.team import Team


def tamper(team: Team, name: str, change: Callable[[apsw.Connection], None]) -> None:
    """Change the file of a node behind its back."""
    team.stop(name)
    connection = apsw.Connection(str(team.dir(name) / "aimem.db"))
    try:
        with connection:
            change(connection)
    finally:
        connection.close()
    team.start(name)
    for one in team.names:
        team.until_in_sync(one, len(team.names))
    team.until_level()


def record_row(team: Team, name: str, record_id: str) -> tuple[Any, Any]:
    """What a node has made of a record: its state and the hash of it."""

    connection = apsw.Connection(str(team.dir(name) / "aimem.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        sql = "SELECT state, hash FROM record WHERE record_id = ?"
        ((state, hashed),) = connection.execute(sql, (record_id,)).fetchall()
        return state, hashed
    finally:
        connection.close()


def update_undone(record_id: str, before: tuple[Any, Any]) -> Callable[[apsw.Connection], None]:
    """As if an op had been logged and acknowledged, and never folded: all sums are consistent."""

    def change(connection: apsw.Connection) -> None:
        state, old = before
        execute, bucket = connection.execute, bucket_of(record_id)
        new = execute("SELECT hash FROM record WHERE record_id = ?", (record_id,)).get
        total = execute("SELECT sum FROM bucket WHERE b = ?", (bucket,)).get
        assert isinstance(new, bytes)
        assert isinstance(total, bytes)
        assert new != old
        undone = sum_plus(sum_minus(total, new), old)
        execute("UPDATE bucket SET sum = ? WHERE b = ?", (undone, bucket))
        execute(
            "UPDATE record SET state = ?, hash = ? WHERE record_id = ?", (state, old, record_id)
        )

    return change


def test_a_state_that_differs_is_noticed_everywhere_and_mended_and_then_all_is_well(
    three: Team,
) -> None:
    record_id = three.store("a", "n", content="first")["id"]
    three.store("a", "another")
    three.until_level()
    before = record_row(three, "c", record_id)
    three.call("a", "Update", id=record_id, content="second")
    three.until_level()
    tamper(three, "c", update_undone(record_id, before))
    for name, others in (("a", 1), ("b", 1), ("c", 2)):
        three.until(
            lambda n=name, o=others: len(three.plane(n).diverged_from()) == o, f"{name} noticed"
        )
    # The two that agree name the one that does not; that one names them both.
    said = three.status("a")
    assert (said["state"], said["ready"]) == ("degraded", False)
    assert said["reason"].startswith("diverged from c:")
    assert "diverged from a, b" in three.status("c")["reason"].replace("b, a", "a, b")
    assert "aimem_divergence_total 1.0" in three.core("a").metrics.text().decode()
    # A look at the others says where; a look at the log says who is wrong.
    found = three.call("a", "Verify")
    assert found["problems"] == []
    (line,) = [one for one in found["peers"] if one.startswith("c:")]
    assert record_id in line
    assert three.call("a", "Verify", deep=True)["problems"] == []
    found = three.call("c", "Verify", deep=True)
    assert not found["ok"]
    assert any(record_id in problem for problem in found["problems"])
    assert not found.get("repaired")
    mended = three.call("c", "Verify", deep=True, repair=True)
    assert mended["repaired"]
    assert mended["problems"] == []
    assert mended["ok"]
    assert three.call("c", "Get", id=record_id)["memory"]["content"] == "second"
    assert len({three.digest(name) for name in three.names}) == 1
    for name in three.names:
        three.until(partial(_is_ready, three, name), f"{name} is ready again")
        assert all("equal" in line for line in three.call(name, "Verify")["peers"])


def _is_ready(team: Team, name: str) -> bool:
    status = team.core(name).cluster.status(0)
    return bool(status.ready) and status.state == "serving"


def test_a_record_whose_bytes_have_changed_is_found_and_made_again_from_the_log(
    three: Team,
) -> None:
    record_id = three.store("a", "n", content="first")["id"]
    three.until_level()
    three.call("a", "Update", id=record_id, content="second")
    three.until_level()
    whole = record_row(three, "b", record_id)
    rotten = bytes(whole[0]).replace(b"second", b"zecond")
    assert rotten != whole[0]

    def rot(connection: apsw.Connection) -> None:
        connection.execute("UPDATE record SET state = ? WHERE record_id = ?", (rotten, record_id))

    tamper(three, "b", rot)
    found = three.call("b", "Verify")
    assert not found["ok"]
    assert any(record_id in problem for problem in found["problems"])
    mended = three.call("b", "Verify", repair=True)
    assert mended["ok"], mended
    assert record_row(three, "b", record_id)[1] == whole[1]
    assert three.call("b", "Get", id=record_id)["memory"]["content"] == "second"
    assert three.call("b", "Verify", deep=True)["ok"]


def test_a_damaged_op_is_had_again_from_a_member_that_holds_it(three: Team) -> None:
    record_id = three.store("a", "n", content="canary")["id"]
    three.store("a", "later")
    three.until_level()

    def damage(connection: apsw.Connection) -> None:
        connection.execute(
            "UPDATE op SET body = ? WHERE record_id = ?", (b"not what was written", record_id)
        )

    tamper(three, "b", damage)
    found = three.call("b", "Verify")
    assert not found["ok"]
    assert any("broken" in problem for problem in found["problems"])
    mended = three.call("b", "Verify", repair=True)
    assert any("fetched" in line for line in mended["repaired"])
    assert mended["ok"], mended
    assert three.call("b", "Verify", deep=True)["ok"]
    assert three.call("b", "Get", id=record_id)["memory"]["content"] == "canary"
