"""The last ops in memory: whole runs or nothing, within bounds, and for those who may have them."""

import pytest

from aimem_node.replica import recent
from aimem_node.replica.recent import Recent, Travelling
from aimem_sync.cursor import Range
from aimem_sync.dot import Origin

LOG = Origin("a" * 32, "b" * 16)
PLENTY = 1 << 20


def run(first: int, last: int) -> Range:
    return Range(LOG, first, last)


def holding(*seqs: int, size: int = 4) -> Recent:
    kept = Recent()
    for seq in seqs:
        kept.add(Travelling(seq, b"%04d" % seq + b"x" * (size - 4), b"answer %d" % seq))
    return kept


def test_a_run_that_is_here_is_given_whole_with_what_is_beside_it() -> None:
    found = holding(3, 4, 5, 6).run(run(4, 5), PLENTY, "b")
    assert found == ([b"0004", b"0005"], [b"answer 4", b"answer 5"])


@pytest.mark.parametrize("wanted", [run(1, 3), run(2, 4), run(5, 7), run(7, 9)])
def test_a_run_that_is_not_all_here_is_not_begun(wanted: Range) -> None:
    assert holding(3, 4, 5, 6).run(wanted, PLENTY, "b") is None


def test_nothing_is_here_at_the_beginning_and_after_it_was_cleared() -> None:
    kept = holding(1, 2)
    kept.clear()
    assert kept.run(run(1, 1), PLENTY, "b") is None
    assert Recent().run(run(1, 1), PLENTY, "b") is None
    assert kept.mean_bytes() == Recent().mean_bytes() == 0


@pytest.mark.parametrize("gap", [5, 2, 1])
def test_an_op_that_does_not_follow_the_last_one_begins_anew(gap: int) -> None:
    kept = holding(1, 2, gap)
    assert kept.run(run(gap, gap), PLENTY, "b") == ([b"%04d" % gap], [b"answer %d" % gap])
    assert kept.run(run(1, 2), PLENTY, "b") is None


def test_a_batch_ends_before_it_is_too_large_but_is_never_empty() -> None:
    kept = holding(1, 2, 3, size=100)
    sizes = {
        limit: len((kept.run(run(1, 3), limit, "b") or ([], []))[0]) for limit in (1, 250, 300)
    }
    assert sizes == {1: 1, 250: 2, 300: 3}


def test_the_oldest_make_room_and_the_last_one_stays_however_large_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recent, "BYTES_MAX", 250)
    kept = holding(1, 2, 3, 4, size=100)
    assert kept.run(run(3, 4), PLENTY, "b") is not None
    assert kept.run(run(2, 4), PLENTY, "b") is None
    kept.add(Travelling(5, b"z" * 1_000))
    assert kept.run(run(5, 5), PLENTY, "b") == ([b"z" * 1_000], [])
    assert kept.run(run(4, 5), PLENTY, "b") is None


def test_the_mean_counts_what_is_here_and_what_travels_beside_it() -> None:
    kept = Recent()
    kept.add(Travelling(1, b"x" * 10, b"y" * 20))
    kept.add(Travelling(2, b"x" * 50))
    assert kept.mean_bytes() == 40


def test_who_may_not_hold_a_body_gets_the_bare_op_and_no_answer() -> None:
    kept = Recent()
    kept.add(Travelling(1, b"open", b"answer 1"))
    kept.add(Travelling(2, b"secret", b"answer 2", frozenset({"b"}), b"bare"))
    assert kept.run(run(1, 2), PLENTY, "b") == ([b"open", b"secret"], [b"answer 1", b"answer 2"])
    assert kept.run(run(1, 2), PLENTY, "c") == ([b"open", b"bare"], [b"answer 1"])


def test_an_answer_goes_to_those_only_who_may_have_all_that_it_speaks_of() -> None:
    kept = Recent()
    kept.add(Travelling(1, b"open", b"answer", told=frozenset({"b"})))
    assert kept.run(Range(LOG, 1, 1), 1_000, "b") == ([b"open"], [b"answer"])
    assert kept.run(Range(LOG, 1, 1), 1_000, "c") == ([b"open"], [])
