"""Promises that only a cluster can keep or break, one test for each that has no other home."""

from functools import partial
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.replica import Intent
from aimem_node.replica.writing import Tx
from aimem_node.store.view import View
from aimem_sync.dot import Origin
from aimem_sync.op import Op
from chaos.team import Team

UNHURRIED = {"deadline_ms": 60_000}
NEWER_BODY = b'{"newer":{"of":[1,2]},"set":{"glow":7,"title":"seen by none of us"},"type":"memory"}'
"""An edit as a later version may write it: with a part, and a field, that no node here knows."""


def memory(team: Team, name: str, record_id: str) -> dict[str, Any]:
    return dict(team.call(name, "Get", id=record_id)["memory"])


def see(team: Team, name: str, read: Any) -> Any:
    """What a reader of a node sees."""
    return team.core(name).store.readers.submit(read, 10_000).result()


def log_as_sent(view: View, origin: Origin) -> list[bytes]:
    """A log as its holder hands it on."""
    return view.encoded_ops(origin, 1, view.have().get(origin), 1 << 30)


def log_as_kept(view: View, origin: Origin) -> list[Op]:
    return [placed.op for placed in view.ops_of_origin(origin, 0, 10_000)]


def store_many(team: Team, name: str, count: int, **fields: Any) -> None:
    for at in range(0, count, 1_000):
        memories = [
            {"title": f"{at + i}", "content": "x", **fields} for i in range(min(1_000, count - at))
        ]
        team.call(name, "BulkStore", memories=memories, options=UNHURRIED)


def has_the_turn(team: Team, name: str) -> bool:
    plane = team.plane(name)
    return bool(plane.core.is_janitor(plane.clock.monotonic_us()))


def node_of(team: Team, name: str) -> str:
    return f"node:{team.ids[name]}"


# ---- what a node does by itself -----------------------------------------------------------------


def test_recalls_that_are_counted_in_the_background_reach_the_others(three: Team) -> None:
    kept = three.store("a", "apples")["id"]
    three.until_level()
    assert three.call("a", "Recall", context="apples")["memories"]
    before = three.have("b")
    assert three.run(three.core("a").tally.flush()) == 1
    three.until(lambda: three.have("b") != before, "the count has come to b")
    three.until_level()
    assert [memory(three, name, kept)["access_count"] for name in three.names] == [1, 1, 1]


def test_what_expires_is_archived_by_one_node_and_so_on_all(three: Team) -> None:
    gone = three.store("a", "short-lived", ttl_secs=60)["id"]
    three.until_level()
    for clock in three.clocks.values():
        clock.move(seconds=61)
    # One of them has the turn, once they have compared clocks. It tidies for all.
    three.until(lambda: sum(has_the_turn(three, name) for name in three.names) == 1, "a turn")
    collected = [three.run(three.core(name)._collect()) for name in three.names]
    assert sorted(collected) == [0, 0, 1]
    three.until_level()
    shown = [memory(three, name, gone) for name in three.names]
    assert [(one["life"], one["archive_reason"]) for one in shown] == [
        ("archived", "ttl_expired")
    ] * 3
    [newest, _first] = three.call("b", "History", id=gone)["versions"]
    assert newest["author"] == node_of(three, three.names[collected.index(1)])
    assert len({three.digest(name) for name in three.names}) == 1


# ---- what a later version writes ----------------------------------------------------------------


def write_newer(team: Team, name: str) -> None:
    """Have a node write what only a later version understands, and wait until W hold it."""
    core = team.core(name)
    intent: Intent[None] = Intent("user:later", team.clocks[name].now_us(), _no_bytes, _nothing)

    def work(tx: Tx) -> None:
        tx._append("hologram", "h" * 32, b'{"whatever":"it means"}')
        tx._append("edit", "e" * 32, NEWER_BODY)

    written = team.run(core.replica.write(intent, work))
    assert written.ack.outcome.value == "committed"


def _no_bytes(_response: None) -> bytes:
    return b""


def _nothing(_kept: bytes) -> None:
    return None


def test_kinds_and_fields_of_a_later_version_are_confirmed_and_relayed_byte_for_byte(
    three: Team,
) -> None:
    origin = three.plane("a").origin
    three.hold("a", "c")
    three.hold("c", "a")
    write_newer(three, "a")
    # c has no way to a: what it has of this log has gone through b.
    three.until_level()
    sent = [see(three, name, partial(log_as_sent, origin=origin)) for name in three.names]
    assert len(sent[0]) == 2
    assert sent[0] == sent[1] == sent[2]
    kept = see(three, "c", partial(log_as_kept, origin=origin))
    assert [op.kind for op in kept] == ["hologram", "edit"]
    assert kept[1].body == NEWER_BODY
    three.heal()
    written = three.store("a", "and on", options={"w": 3, **UNHURRIED})["write"]
    assert written["outcome"] == "committed"
    three.until_level()
    for name in three.names:
        assert three.call(name, "Verify", deep=True)["ok"]
    assert len({three.digest(name) for name in three.names}) == 1


# ---- what may be where ---------------------------------------------------------------------------

CANARY = {
    "title": "quetzal title",
    "content": "quetzal content",
    "tags": ["quetzal-tag"],
    "metadata": {"m": "quetzal"},
}


def has_words(team: Team, name: str, words: bytes = b"quetzal") -> bool:
    """Whether these words stand in any file of a node."""
    files = [file for file in team.dir(name).rglob("*") if file.is_file()]
    return any(words in file.read_bytes() for file in files)


def has_none(team: Team, name: str) -> bool:
    return not has_words(team, name)


def test_nothing_that_is_done_to_a_withheld_memory_shows_on_a_member_without_a_grant(
    three: Team,
) -> None:
    three.call("a", "SetNamespaceCopies", namespace="secret", holders=["a", "b"])
    three.until_level()
    options = {"request_key": "quetzal-of-a-key"}
    here = three.call("a", "Store", namespace="secret", options=options, **CANARY)["id"]
    open_to_all = three.store("a", "open to all")["id"]
    three.call("a", "Link", source_id=open_to_all, target_id=here)
    three.call("b", "Update", id=here, content="quetzal again")
    three.call("a", "Promote", id=here)
    three.call("b", "Archive", ids=[here], reason="quetzal is why")
    three.call("a", "ArchiveRestore", id=here)
    three.call("a", "Import", memories=[{"id": "m-1", "namespace": "secret", **CANARY}])
    three.until_level()
    assert [has_words(three, name, b"quetzal content") for name in three.names] == [
        True, True, False,
    ]  # fmt: skip
    # The key of a request is part of the log's header, which every member holds.
    for words in (b"quetzal title", b"quetzal-tag", b"quetzal again", b"quetzal is why"):
        assert not has_words(three, "c", words)
    assert three.titles("c") == ["open to all"]
    with pytest.raises(Failure) as missing:
        memory(three, "c", here)
    assert missing.value.code is Code.NOT_FOUND
    assert three.call("c", "Verify", deep=True)["ok"]


def test_what_is_erased_on_one_node_is_gone_from_every_file_of_every_node(three: Team) -> None:
    options = {"request_key": "k"}
    gone = three.call("a", "Store", options=options, **CANARY)["id"]
    three.call("b", "Update", id=gone, content="quetzal second")
    three.until_level()
    three.stop("c")
    one_is_enough = [{"action": "purge", "level": "admin"}]
    three.call("b", "PolicySet", namespace="*", rules=one_is_enough)
    assert three.call("b", "Forget", pattern="quetzal", erase=True)["deleted"] == 1
    three.start("c")
    three.until_level()
    for name in three.names:
        three.until(partial(has_none, three, name), f"{name} has no word of it")
    three.store("a", "and on", options={"w": 3, **UNHURRIED})
    assert [three.titles(name) for name in three.names] == [["and on"]] * 3
    assert len({three.digest(name) for name in three.names}) == 1


# ---- cursors ------------------------------------------------------------------------------------


def test_ten_thousand_ops_with_nothing_to_see_are_passed_in_few_rounds(three: Team) -> None:
    three.call("a", "SetNamespaceCopies", namespace="secret", holders=["a", "b"])
    three.until_level()
    three.stop("c")
    store_many(three, "a", 10_000, namespace="secret")
    visible = three.store("a", "at the end")["id"]
    three.until_level("a", "b")
    three.start("c")
    three.until_level()
    assert three.titles("c") == ["at the end"]
    assert memory(three, "c", visible)["content"] == "worth keeping"
    # 256 ops a page are 40 of them; the rest is room for a question that is asked twice.
    assert three.plane("c").core.catchup.last_pull_id < 120


def test_five_thousand_ops_of_one_moment_are_all_pulled(
    three: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    three.stop("c")
    moment_us = three.clocks["a"].now_us()
    monkeypatch.setattr(three.clocks["a"], "now_us", lambda: moment_us)
    store_many(three, "a", 5_000)
    three.until_level("a", "b")
    origin = three.plane("a").origin
    written = see(three, "a", partial(log_as_kept, origin=origin))
    assert len(written) == 5_000
    assert {op.wall_us for op in written} == {moment_us}
    three.start("c")
    three.until_level()
    assert three.call("c", "Stats")["total"] == 5_000
    assert len({three.digest(name) for name in three.names}) == 1


# ---- failures that repeat -----------------------------------------------------------------------


def test_a_member_whose_disk_takes_nothing_is_named_in_status_metric_and_write(
    three: Team,
) -> None:
    three.stop("c")
    three.start("c", ready_lag_ops=2)
    three.until_in_sync("a", 3)
    three.until_in_sync("c", 3)
    full(three, "c")
    for at in range(20):
        three.store("a", f"n{at}", content="x" * 60_000, options=UNHURRIED)
    three.until_level("a", "b")
    three.until(lambda: "disk" in reason_of(three, "a", "c"), "a says why c is behind")
    # A gauge that stays up, on the sender; and a node that is no longer called ready.
    lag = [
        line
        for line in three.core("a").metrics.text().decode().splitlines()
        if line.startswith("aimem_peer_lag_ops{") and 'peer="c"' in line
    ]
    assert max(float(line.split()[-1]) for line in lag) > 2
    three.until(
        lambda: three.core("c").cluster.status(2).state == "catching up", "c says it lacks ops"
    )
    assert not three.core("c").cluster.status(2).ready
    assert any("its disk did not take it" in what_c_is_said_to_lack(three) for _ in range(20))
    full(three, "c", pages_max=1 << 30)
    three.until_level()
    three.until(lambda: three.core("c").cluster.status(2).ready, "c is ready again")


def full(team: Team, name: str, pages_max: int = 0) -> None:
    """Let the file of a node grow to so many pages and no further; 0: not at all."""

    def limit(session: Any) -> None:
        session._connection.pragma(
            "max_page_count", pages_max or session._connection.pragma("page_count")
        )

    team.core(name).store.writer.submit(limit).result()


def reason_of(team: Team, name: str, of: str) -> str:
    found = team.core(name).cluster.status(0)
    return str(next(m.reason for m in found.members if m.node_id == team.ids[of]))


def what_c_is_said_to_lack(team: Team) -> str:
    """Why a write that wants all three does not get c, be it refused or pending."""
    options = {"w": 3, "deadline_ms": 150}
    try:
        peers = team.store("a", "all three", options=options)["write"]["peers"]
    except Failure as refused:
        if refused.code is not Code.NOT_WRITTEN:
            raise
        peers = refused.details["peers"]
    return str(next(one["reason"] for one in peers if one["name"] == "c"))
