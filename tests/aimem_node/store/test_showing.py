"""A file of an earlier version brings rows by earlier rules; opening it makes them again."""

import json

from tests.aimem_node.store.scribes import Scribe, whole

_OF_SCHEMA_4 = "UPDATE meta SET v = CAST('4' AS BLOB) WHERE k = 'schema';"
_SHOWN_EARLIER = """
UPDATE memory SET title = 'as it was shown', life = 'live', conflicts = 9, tags = '["was"]'
    WHERE rid = {rid};
DELETE FROM memory_tag WHERE rid = {rid};
INSERT INTO memory_tag(tag, rid) VALUES('was', {rid});
INSERT INTO memory_fts(memory_fts) VALUES('rebuild')
"""


def rids_in_doubt(session) -> list[int]:
    """Memories that two have written at once."""
    rows = session._connection.execute("SELECT rid, state FROM record JOIN memory USING(rid)")
    return [
        rid
        for rid, state in rows
        if any(len(versions) > 1 for versions in json.loads(state).get("h", {}).values())
    ]


def test_rows_of_an_earlier_version_show_what_is_shown_now(bench, pen) -> None:
    both = (Scribe("b"), Scribe("c"))
    at_once = [
        writer.write(change, f"k{at}")
        for at, change in enumerate((pen.memory("m1", "one", tags=["x"]), pen.delete("m2")))
        for writer in both
    ]
    bench.put(pen.memory("m2", "two"), pen.memory("m3", "three"))
    bench.do(lambda session: session.take_run(at_once))
    rids = bench.do(rids_in_doubt)
    assert len(rids) == 2
    expected = bench.see(whole)
    for rid in rids:
        bench.do(lambda s, rid=rid: s._connection.execute(_SHOWN_EARLIER.format(rid=rid)))
    bench.do(lambda s: s._connection.execute(_OF_SCHEMA_4))
    assert bench.store.verify().problems
    bench.again()
    assert bench.store.verify(deep=True).problems == []
    now = bench.see(whole)
    for tables in (expected, now):
        tables["meta"] = [row for row in tables["meta"] if row["k"] != "unscrubbed"]
    assert now == expected


def test_a_record_that_cannot_be_read_keeps_no_file_from_being_opened(bench, pen) -> None:
    bench.put(pen.memory("m1", "one"), pen.memory("m2"))
    for state in ("x'7b'", """CAST('{"h":{"life":[1,2]}}' AS BLOB)"""):
        damage = f"UPDATE record SET state = {state} WHERE record_id = 'm1';"
        bench.do(lambda s, d=damage: s._connection.execute(d + _OF_SCHEMA_4))
        bench.again()
        assert "record m1 cannot be read" in bench.store.verify().problems
        assert bench.see(lambda view: view.memory("m1")).title == "one"
