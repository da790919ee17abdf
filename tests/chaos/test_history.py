"""The lines that a run leaves."""

from pathlib import Path

import pytest

from chaos.history import HISTORY, Recorder, events, faults


def test_what_is_written_down_can_be_read_again_in_its_order(tmp_path: Path) -> None:
    times = iter((10, 20, 30))
    recorder = Recorder(tmp_path / "run", lambda: next(times))
    asked = recorder.event(proc=1, node="a", type="invoke", f="put", key="x", idem="k")
    recorder.fault("kill", "begin", ("b",), count=1)
    recorder.event(
        proc=1, node="a", type="ok", f="put", of=asked.i, write_ids=("a.1:7",), acked=("a", "b")
    )
    recorder.close()
    question, answer = events(tmp_path / "run")
    [fault] = faults(tmp_path / "run")
    assert (question.t_ns, fault.t_ns, answer.t_ns) == (10, 20, 30)
    assert (answer.of, answer.write_ids, answer.acked) == (question.i, ("a.1:7",), ("a", "b"))
    assert (fault.i, fault.nodes, fault.detail) == (2, ("b",), {"count": 1})


def test_a_line_is_out_as_soon_as_it_is_written(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, lambda: 1)
    recorder.event(proc=1, node="a", type="invoke", f="read")
    assert len(list(events(tmp_path))) == 1
    recorder.close()


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    (tmp_path / HISTORY).write_text('{"i":1,"t_ns":1,"proc":1,"node":"a","type":"ok","f":"put"}\n{')
    with pytest.raises(ValueError, match="line 2"):
        list(events(tmp_path))


def test_a_directory_without_files_has_no_events(tmp_path: Path) -> None:
    assert list(events(tmp_path)) == list(faults(tmp_path)) == []
