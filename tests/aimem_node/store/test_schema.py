"""Old files come forward with their rows, after a backup; newer ones are left to newer versions."""

from pathlib import Path

import apsw
import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.store.answers import dot_of
from aimem_node.store.database import open_database
from aimem_node.store.schema import (
    MIGRATIONS,
    SCHEMA,
    Migration,
    migrate,
    schema_of,
)
from aimem_node.store.store import Store
from aimem_sync.change import Change
from aimem_sync.dot import Dot
from tests.aimem_node.store.scribes import NOW_US, history, whole


def with_one_more(apply) -> tuple[Migration, ...]:
    return (*MIGRATIONS, Migration(SCHEMA + 1, "a note on every op", apply))


def add_a_column(connection: apsw.Connection) -> None:
    connection.execute("ALTER TABLE op ADD COLUMN note TEXT")


def test_an_older_file_is_backed_up_and_brought_forward_with_its_rows(bench, pen) -> None:
    bench.put(pen.memory("m1", "kept"))
    bench.store.close()
    connection = open_database(bench.data_dir, with_one_more(add_a_column))
    assert schema_of(connection) == SCHEMA + 1
    assert connection.execute("SELECT record_id, note FROM op").get == ("m1", None)
    connection.close()
    saved = apsw.Connection(str(bench.data_dir / "backups" / f"before-schema-{SCHEMA + 1}.db"))
    assert schema_of(saved) == SCHEMA
    assert saved.execute("SELECT title FROM memory").get == "kept"
    saved.close()


def test_a_step_that_fails_leaves_the_file_as_it_was(bench, pen) -> None:
    bench.put(pen.memory("m1"))
    bench.store.close()

    def fails(connection: apsw.Connection) -> None:
        add_a_column(connection)
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError):
        open_database(bench.data_dir, with_one_more(fails))
    bench.again()
    assert bench.see(lambda view: view.memory("m1")) is not None
    assert bench.do(lambda s: schema_of(s._connection)) == SCHEMA
    bench.store.close()
    open_database(bench.data_dir, with_one_more(add_a_column)).close()  # nothing half done is left


def test_a_file_of_a_later_version_is_refused(bench) -> None:
    bench.store.close()
    open_database(bench.data_dir, with_one_more(add_a_column)).close()
    with pytest.raises(Failure) as raised:
        bench.again()
    assert raised.value.code == Code.UNAVAILABLE
    assert "newer version" in raised.value.next
    open_database(bench.data_dir, with_one_more(add_a_column)).close()


def test_the_steps_are_numbered_from_one_without_gaps() -> None:
    assert [step.number for step in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_no_step_is_taken_twice() -> None:
    connection = apsw.Connection(":memory:")
    assert schema_of(connection) == 0
    migrate(connection, 0)
    migrate(connection, SCHEMA)
    assert schema_of(connection) == SCHEMA


def of_schema_1(source: Path, data_dir: Path) -> None:
    """Write the rows of a store of today into a file as the first version made it."""
    data_dir.mkdir()
    connection = open_database(data_dir, MIGRATIONS[:1])
    connection.execute("ATTACH ? AS new", (str(source),))
    connection.execute("DELETE FROM meta")
    for table in ("origin", "op", "idem", "idem_record", "record", "bucket", "memory",
                  "memory_tag", "link", "meta"):  # fmt: skip
        names = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
        columns = ", ".join(name for (name,) in names)
        connection.execute(f"INSERT INTO main.{table}({columns}) SELECT {columns} FROM new.{table}")
    # It knew no start that stood for none, and no observer that was the author.
    connection.execute("UPDATE link SET valid_from_us = NULL WHERE record_id = 'k1'")
    connection.execute("UPDATE link SET observed_by = '' WHERE observed_by = author")
    connection.execute("UPDATE meta SET v = ? WHERE k = 'schema'", (b"1",))
    connection.execute("INSERT INTO memory_fts(memory_fts) VALUES('rebuild')")
    connection.close()


def put_graph(bench, pen) -> None:
    """Links with and without a start that somebody named, and entities with their names."""
    named = {"metadata": {"kind": "entity"}, "tags": ["entity"]}
    bench.put(
        pen.memory("e1", "Big  Blue", **named),
        pen.memory("e2", "gone", **named),
        pen.memory("e3", "no entity", tags=["entity"]),
        pen.delete("e2"),
        Change("entity:e1", "entity", tag=("IBM", "ﬁrm")),
        Change("entity:e9", "entity", tag=("x",)),
        Change("entity:e9", "entity", {"life": {"is": "deleted"}}),
    )
    for at, start in enumerate([{"valid_from_given": True}, {"valid_from": None}, {}]):
        link = pen.link(f"k{at}", "e1", "e3")
        body = {**link.set["body"], **start}
        bench.do(
            lambda s, b=body, at=at: bench.pen.write(
                s, Change(f"k{at}", "link", {"body": b, "valid_until": None}), at_us=NOW_US + at
            )
        )
        if at:
            bench.do(
                lambda s, at=at: bench.pen.write(
                    s, pen.edit(f"k{at}", "link", valid_until=NOW_US), at_us=NOW_US - at
                )
            )


def test_a_store_of_the_first_schema_comes_forward_with_all_that_the_second_adds(
    bench, pen, tmp_path
) -> None:
    ops = history(11, 150, withheld=0.0)
    bench.do(lambda session: session.take_run(ops))

    def with_answers(session):
        bench.pen.write(session, pen.memory("mine"), "k-mine")
        bench.pen.write(session, pen.memory("mine2"), "k-mine")
        session.put_idem("user:ann", "k-mine", b"h" * 32, b"answer", 7, ["mine", "mine2"])
        session.put_idem("user:ann", "k-nothing", b"h" * 32, b"none", 8, [])

    put_graph(bench, pen)
    bench.do(with_answers)
    last = bench.see(lambda view: view.head(bench.pen.origin)).seq
    expected = bench.see(whole)
    bench.store.close()
    of_schema_1(bench.data_dir / "aimem.db", tmp_path / "old")
    store = Store.open(tmp_path / "old", lambda _: None, readers=1)
    assert store.verify(deep=True).problems == []
    now = store.readers.submit(whole).result(30)
    for tables in (expected, now):
        tables["meta"] = [row for row in tables["meta"] if row["k"] != "unscrubbed"]
    assert now == expected
    assert any(row["written_id"] != row["write_id"] for row in now["memory"])
    assert all(row["written_id"] for row in now["memory"])
    read = store.readers.submit(lambda view: view.answers_of(bench.pen.origin, 1, last))
    (beside,) = read.result(30)
    assert dot_of(beside) == Dot(bench.pen.origin, last)
    backups = list((tmp_path / "old" / "backups").iterdir())
    assert [path.name for path in backups] == ["before-schema-2.db"]
    store.close()
