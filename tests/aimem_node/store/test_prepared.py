"""A snapshot is believed only after every check; one that fails is named as damaged."""

import shutil

import apsw
import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.store.database import open_database
from aimem_node.store.prepared import open_snapshot
from aimem_node.store.schema import MIGRATIONS, SCHEMA


@pytest.fixture
def snapshot(bench, pen, tmp_path):
    bench.put(pen.memory("m1", tags=["x"]), pen.memory("m2"), pen.link("l1", "m1", "m2"))
    bench.put(pen.memory("m3"), pen.memory("m4"), pen=pen("b", "user:bob"))
    bench.put(pen.purge("m4"))
    return bench.store.export_snapshot(tmp_path / "snap").path


def damaged(path, sql: str) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(sql)
    connection.close()


def refusal(path, check=lambda op: True) -> Failure:
    with pytest.raises(Failure) as raised:
        open_snapshot(path, check).close()
    return raised.value


def test_a_sound_snapshot_is_opened_and_the_last_op_of_every_log_is_shown(snapshot, bench) -> None:
    seen = []
    open_snapshot(snapshot, lambda op: not seen.append(op)).close()
    heads = bench.see(lambda view: view.heads())
    assert {(op.origin, op.seq, op.chain) for op in seen} == {
        (origin, head.seq, head.chain) for origin, head in heads.items()
    }


def test_a_signature_that_does_not_hold_refuses_all_of_it(snapshot, bench) -> None:
    failure = refusal(snapshot, lambda op: op.origin == bench.pen.origin)
    assert failure.code == Code.CORRUPT
    assert "signature" in failure.message


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE op SET body = x'7b7d' WHERE record_id = 'm1'",
        "UPDATE op SET author = 'user:eve' WHERE seq = 1",
        "UPDATE op SET chain = zeroblob(32) WHERE record_id = 'm3'",
        "UPDATE op SET body = NULL WHERE record_id = 'm1'",
        "UPDATE origin SET head = zeroblob(32)",
        "UPDATE origin SET have = have + 1",
        "DELETE FROM op WHERE record_id = 'm2'",
        "UPDATE record SET hash = zeroblob(32) WHERE record_id = 'm1'",
        "DELETE FROM record WHERE record_id = 'm3'",
        "UPDATE bucket SET sum = zeroblob(32)",
        "CREATE TRIGGER sly AFTER INSERT ON op BEGIN DELETE FROM op; END",
        "CREATE VIEW more AS SELECT 1",
        "DROP INDEX op_by_key",
        "PRAGMA application_id = 7",
    ],
)
def test_a_snapshot_that_lies_is_refused(snapshot, sql) -> None:
    damaged(snapshot, sql)
    assert refusal(snapshot).code == Code.CORRUPT


def test_bytes_that_are_no_store_are_refused(snapshot, tmp_path) -> None:
    content = snapshot.read_bytes()
    for name, made in {
        "empty": b"",
        "text": b"not a file" * 1_000,
        "cut": content[: len(content) // 2],
        "holed": content[:8192] + bytes(8192) + content[16384:],
    }.items():
        path = tmp_path / name
        path.write_bytes(made)
        assert refusal(path).code == Code.CORRUPT, name
    assert refusal(tmp_path / "missing").code == Code.CORRUPT


def test_a_snapshot_of_a_later_version_is_not_taken_for_a_damaged_one(snapshot) -> None:
    damaged(snapshot, f"UPDATE meta SET v = CAST('{SCHEMA + 1}' AS BLOB) WHERE k = 'schema'")
    assert refusal(snapshot).code == Code.UNAVAILABLE


def test_a_snapshot_of_an_older_version_is_brought_forward(tmp_path) -> None:
    (tmp_path / "old").mkdir()
    open_database(tmp_path / "old", MIGRATIONS[:1]).close()
    shutil.copy(tmp_path / "old" / "aimem.db", tmp_path / "snap")
    connection = open_snapshot(tmp_path / "snap", lambda op: True)
    assert connection.execute("SELECT count(*) FROM config").get == 0
    connection.close()
