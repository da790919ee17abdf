"""Reading back what was written: by name, by link, by place in the log."""

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.store.listing import Filter
from aimem_node.store.view import all_memories
from aimem_sync.cursor import Cursor
from aimem_sync.digest import Digest, bucket_of, record_hash
from aimem_sync.op import Dot


def test_a_memory_comes_back_as_it_was_written(bench, pen, now_us) -> None:
    bench.put(
        pen.memory(
            "m1",
            "A title",
            "text \U0001f600\nline",
            namespace="team/x",
            tags=["b", "a"],
            metadata={"k": [1, {"deep": None}], "f": 1.5},
            priority=7,
            confidence=0.25,
            tier="long",
            scope="team",
            source="cli",
            session="s1",
            agent_id="ai:x",
            happened_at=5,
            expires_at=now_us * 2,
        )
    )
    row = bench.see(lambda view: view.memory("m1"))
    assert (row.title, row.content, row.namespace) == ("A title", "text \U0001f600\nline", "team/x")
    assert (row.tags, row.metadata) == (("a", "b"), {"k": [1, {"deep": None}], "f": 1.5})
    assert (row.priority, row.confidence, row.tier, row.scope) == (7, 0.25, "long", "team")
    assert (row.source, row.session, row.agent_id, row.author) == ("cli", "s1", "ai:x", "user:ann")
    assert (row.happened_us, row.expires_us, row.created_us) == (5, now_us * 2, now_us)
    assert (row.life, row.lamport, row.conflicts, row.access_count) == ("live", 1, 0, 0)


def test_an_id_is_found_by_its_beginning(bench, pen) -> None:
    bench.put(*(pen.memory(name) for name in ("abc1", "abc2", "abcd", "x", "xy")))
    bench.put(pen.delete("abc2"), pen.archive("abcd"))

    def resolve(text, **more):
        return bench.see(lambda view: view.resolve_id(text, **more))

    assert resolve("abc1") == "abc1"
    assert resolve("abcd") == resolve("abcd") == "abcd"
    assert resolve("x") == "x", "an exact id, although another begins with it"
    assert resolve("xy") == "xy"
    assert resolve("abc2", deleted=True) == "abc2"
    for text in ("abc2", "q", "", "%", "abc1\x00"):
        with pytest.raises(Failure) as raised:
            resolve(text)
        assert raised.value.code in {Code.NOT_FOUND, Code.AMBIGUOUS}
        assert raised.value.path == "$.id"
    with pytest.raises(Failure) as raised:
        resolve("abc", path="$.source_id")
    assert raised.value.code == Code.AMBIGUOUS
    assert raised.value.details["ids"] == ["abc1", "abcd"]
    assert raised.value.path == "$.source_id"


def test_an_ambiguous_id_lists_at_most_five(bench, pen) -> None:
    bench.put(*(pen.memory(f"abc{at}") for at in range(9)))
    with pytest.raises(Failure) as raised:
        bench.see(lambda view: view.resolve_id("abc"))
    assert raised.value.details["ids"] == [f"abc{at}" for at in range(5)]


def test_memories_come_in_the_order_asked(bench, pen) -> None:
    bench.put(*(pen.memory(f"m{at}") for at in range(5)))
    rows = bench.see(lambda view: view.memories(["m3", "nope", "m0", "m4"]))
    assert [row.record_id for row in rows] == ["m3", "m0", "m4"]


def test_a_title_names_the_live_memory_there(bench, pen, now_us) -> None:
    bench.put(
        pen.memory("m1", "same"),
        pen.memory("m2", "same"),
        pen.memory("m3", "same", namespace="other"),
        pen.memory("m4", "ended", expires_at=now_us),
    )

    def by_title(namespace, title):
        row = bench.see(lambda view: view.live_by_title(namespace, title, now_us))
        return row and row.record_id

    assert by_title("global", "same") == "m1"
    assert by_title("other", "same") == "m3"
    assert by_title("global", "Same") is None
    assert by_title("global", "ended") is None
    bench.put(pen.archive("m1"))
    assert by_title("global", "same") == "m2"


def test_links_are_seen_from_both_ends_until_they_are_deleted(bench, pen) -> None:
    bench.put(
        *(pen.memory(name) for name in ("a", "b", "c")),
        pen.link("l1", "a", "b"),
        pen.link("l2", "b", "a", "contradicts"),
        pen.link("l3", "c", "c"),
    )

    def of(name):
        return [row.record_id for row in bench.see(lambda view: view.links_of(name))]

    assert of("a") == of("b") == ["l1", "l2"]
    assert of("c") == ["l3"]
    between = bench.see(lambda view: view.links_between("a", "b"))
    assert [(row.record_id, row.relation, row.valid_until_us) for row in between] == [
        ("l1", "related_to", None)
    ]
    assert bench.see(lambda view: view.links_between("a", "b", "contradicts")) == []
    bench.put(pen.edit("l1", "link", valid_until=99))
    assert bench.see(lambda view: view.link("l1")).valid_until_us == 99
    bench.put(pen.delete("l1", "link"))
    assert of("a") == ["l2"]
    assert bench.see(lambda view: view.link("l1")).life == "deleted"
    first, after = bench.see(lambda view: view.list_links(None, 1))
    rest, end = bench.see(lambda view: view.list_links(after, 1))
    assert [row.record_id for row in (*first, *rest)] == ["l2", "l3"]
    assert end is None


def test_the_log_is_read_by_record_by_arrival_and_by_origin(bench, pen) -> None:
    bob = pen("b", "user:bob")
    bench.put(pen.memory("m1"), pen.memory("m2"), key="k")
    bench.put(pen.edit("m1", priority=9), pen=bob)
    after = bench.see(lambda view: view.ops_after(1, 10))
    assert [(placed.pos, placed.op.record_id) for placed in after] == [(2, "m2"), (3, "m1")]
    of = bench.see(lambda view: view.ops_of("m1", None, 10))
    assert [placed.pos for placed in of] == [3, 1]
    assert [placed.pos for placed in bench.see(lambda view: view.ops_of("m1", 3, 10))] == [1]
    assert bench.see(lambda view: view.op(Dot(bob.origin, 1))) == of[0].op
    assert bench.see(lambda view: view.op(Dot(bob.origin, 2))) is None
    assert of[1].op.request_key == "k"
    have = bench.see(lambda view: view.have())
    assert (have.get(bench.pen.origin), have.get(bob.origin)) == (2, 1)
    head = bench.see(lambda view: view.head(bob.origin))
    assert (head.seq, head.chain) == (1, of[0].op.chain)
    assert bench.see(lambda view: view.lamport()) == 3


def test_the_digest_is_the_sum_of_all_records(bench, pen) -> None:
    bench.put(pen.memory("m1"), pen.memory("m2"), pen.link("l1", "m1", "m2"))
    bench.put(pen.edit("m1", priority=9), pen.delete("m2"), pen.purge("l1"))

    def read(view):
        digest = Digest()
        for name in ("m1", "m2", "l1"):
            digest = digest.add(bucket_of(name), record_hash(view.state(name)))
        return digest, view.digest()

    summed, kept = bench.see(read)
    assert summed == kept


def test_counts_say_what_is_there(bench, pen, now_us) -> None:
    bench.put(
        pen.memory("m1", tier="short", namespace="a", expires_at=now_us),
        pen.memory("m2", namespace="a/b"),
        pen.memory("m3", namespace="ab"),
        pen.memory("m4", namespace="a"),
        pen.memory("m5", namespace="a"),
        pen.link("l1", "m1", "m2"),
    )
    bench.put(pen.archive("m4"), pen.delete("m5"))
    counts = bench.see(lambda view: view.counts())
    assert (counts.live, counts.archived, counts.deleted, counts.links) == (3, 1, 1, 1)
    assert counts.by_tier == {"short": 1, "mid": 2}
    assert (counts.ops, counts.origins, counts.records, counts.conflicts) == (8, 1, 6, 0)
    assert bench.see(lambda view: view.counts(now_us)).live == 2
    names = bench.see(lambda view: view.namespace_counts(Filter()))
    assert names == [("a", 1), ("a/b", 1), ("ab", 1)]
    assert bench.see(lambda view: view.namespace_counts(Filter(now_us=now_us, below="a"))) == [
        ("a/b", 1)
    ]
    assert bench.see(lambda view: view.namespace_counts(Filter(), limit=1)) == [("a", 1)]
    archived = Filter(life="archived")
    assert bench.see(lambda view: view.namespace_counts(archived)) == [("a", 1)]


def test_what_has_ended_and_what_is_about_to(bench, pen, now_us) -> None:
    bench.put(*(pen.memory(f"m{at}", expires_at=now_us + at) for at in range(5)), pen.memory("m9"))
    ended = bench.see(lambda view: view.expired(now_us + 1, 10))
    assert [row.record_id for row in ended] == ["m0", "m1"]
    assert bench.see(lambda view: view.expiring(now_us + 1, now_us + 3, Filter())) == 2
    bench.put(pen.edit("m0", expires_at=None))
    assert [row.record_id for row in bench.see(lambda v: v.expired(now_us + 1, 10))] == ["m1"]


def test_removed_memories_are_listed_for_a_purge(bench, pen, now_us) -> None:
    bench.put(*(pen.memory(f"m{at}") for at in range(4)))
    bench.put(pen.archive("m0", at_us=now_us - 9), pen.archive("m1"), pen.delete("m2"))

    def removed(before, after=0):
        rows = bench.see(lambda view: view.removed(before, after, 10))
        return [row.record_id for row in rows]

    assert removed(None) == ["m0", "m1", "m2"]
    assert removed(now_us) == ["m0"]
    first = bench.see(lambda view: view.removed(None, 0, 1))[0]
    assert removed(None, first.rid) == ["m1", "m2"]


def test_an_export_reads_everything_in_one_order(bench, pen, now_us) -> None:
    bench.put(*(pen.memory(f"m{at}", created_at=now_us - at // 3) for at in range(10)))
    rows = bench.see(lambda view: list(all_memories(view, Filter(life=None), page=3)))
    keys = [(row.created_us, row.lamport, row.record_id) for row in rows]
    assert len(keys) == 10
    assert keys == sorted(keys)


def test_logs_floors_and_members_are_read_in_one_moment(bench, pen) -> None:
    assert bench.see(lambda v: (v.heads(), v.floor(), v.configs())) == ({}, Cursor(), [])
    bench.put(pen.memory("m1"))
    bench.put(pen.memory("m2"), pen=pen("b", "user:bob"))
    heads = bench.see(lambda view: view.heads())
    assert heads == {
        origin: bench.see(lambda view, o=origin: view.head(o))
        for origin in (bench.pen.origin, pen("b").origin)
    }
    bench.do(lambda s: [s.put_config(2, b"two", b"p2"), s.put_config(1, b"one", b"")])
    assert bench.see(lambda view: view.configs()) == [(1, b"one", b""), (2, b"two", b"p2")]
    bench.do(lambda s: s.put_config(2, b"other", b"q"))
    assert bench.see(lambda view: view.configs())[1] == (2, b"other", b"q")
    bench.do(lambda s: s.reset_configs([(5, b"five", b"")]))
    assert bench.see(lambda view: view.configs()) == [(5, b"five", b"")]


def test_a_memory_names_the_op_that_last_shows_in_it(bench, pen) -> None:
    bench.put(pen.memory("m1"))
    bench.put(pen.edit("m1", priority=7))
    bob = pen("b", "user:bob")
    bench.put(pen.edit("m1", tier="long"), pen=bob)
    row = bench.see(lambda view: view.memory("m1"))
    assert row.write_id == f"{bench.pen.origin}:1"
    assert row.written_id == f"{bob.origin}:1"
