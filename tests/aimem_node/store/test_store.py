"""One directory, opened and closed."""

from aimem_node.store.store import Store


def test_what_was_written_is_there_after_a_restart(bench, pen) -> None:
    bench.put(pen.memory("m1", tags=["x"]), pen.link("l1", "m1", "m1"))
    before = bench.see(lambda view: (view.memory("m1"), view.digest(), view.have()))
    bench.again()
    assert bench.see(lambda view: (view.memory("m1"), view.digest(), view.have())) == before
    bench.put(pen.edit("m1", priority=9))
    assert bench.store.verify(deep=True).problems == []


def test_closing_leaves_one_file_with_everything(bench, pen) -> None:
    bench.put(pen.memory("m1"))
    bench.store.close()
    assert {path.name for path in bench.data_dir.iterdir()} == {"aimem.db", "aimem.lock"}
    bench.store.close()


def test_the_size_counts_the_write_ahead_log(bench, pen) -> None:
    before = bench.store.size_bytes()
    bench.put(pen.memory("m1", content="x" * 50_000))
    assert bench.store.size_bytes() > before + 50_000


def test_two_directories_are_two_stores(bench, pen, tmp_path) -> None:
    second = Store.open(tmp_path / "second", print, readers=1)
    bench.put(pen.memory("m1"))
    assert second.readers.submit(lambda view: view.memory("m1")).result(30) is None
    second.close()
