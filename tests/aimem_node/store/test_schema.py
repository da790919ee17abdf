"""Old files come forward with their rows, after a backup; newer ones are left to newer versions."""

import apsw
import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.store.database import open_database
from aimem_node.store.schema import (
    MIGRATIONS,
    SCHEMA,
    Migration,
    migrate,
    schema_of,
)


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
