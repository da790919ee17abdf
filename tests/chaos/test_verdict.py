"""Each check of a kill run, shown a bad history that only it may catch."""

from dataclasses import replace

import pytest

from chaos.checker.check import table
from chaos.verdict import Answer, Evidence, Found, Kill, Wish, judge

GOOD = Evidence(
    wishes={f"k{n}": Wish(f"title {n}", f"content {n}") for n in range(3)},
    answers={f"k{n}": Answer(f"id{n}", (f"origin:{n}",), replayed=False) for n in range(3)},
    replays={f"k{n}": Answer(f"id{n}", (f"origin:{n}",), replayed=True) for n in range(3)},
    refused={},
    found=tuple(Found(f"id{n}", f"title {n}", f"content {n}", ops=1) for n in range(3)),
    kills=(Kill(in_flight=2, acknowledged=1, restart_ms=900),),
    there_after_replays=3,
    problems=(),
)

LOST = replace(GOOD, found=GOOD.found[:2])
CHANGED = replace(GOOD, found=(*GOOD.found[:2], Found("id2", "title 2", "content 1", 1)))
DOUBLED = replace(GOOD, found=(*GOOD.found, Found("id9", "title 2", "content 2", 1)))
WRITTEN_TWICE = replace(GOOD, found=(*GOOD.found[:2], replace(GOOD.found[2], ops=2)))
STRANGE = replace(GOOD, found=(*GOOD.found, Found("id9", "title 9", "content 9", 1)))
SILENT = replace(
    GOOD,
    answers={key: GOOD.answers[key] for key in ("k0", "k1")},
    replays={key: GOOD.replays[key] for key in ("k0", "k1")},
)
REFUSED = replace(SILENT, refused={"k2": "there is no room"})
DONE_AGAIN = replace(GOOD, replays={**GOOD.replays, "k2": GOOD.answers["k2"]})
ANOTHER_ANSWER = replace(GOOD, replays={**GOOD.replays, "k2": Answer("id7", ("origin:7",), True)})
GROWN = replace(GOOD, there_after_replays=4)
BROKEN_CHAIN = replace(GOOD, problems=("op 7 does not follow op 6",))
IDLE_KILL = replace(GOOD, kills=(Kill(0, 1, 900),))
EARLY_KILL = replace(GOOD, kills=(Kill(2, 0, 900),))
NO_KILL = replace(GOOD, kills=())

HISTORIES = [
    (LOST, "every acknowledged memory is there"),
    (CHANGED, "every acknowledged memory is there"),
    (DOUBLED, "no memory is there twice"),
    (WRITTEN_TWICE, "each memory was written by one op"),
    (STRANGE, "nothing is there that nobody stored"),
    (SILENT, "every store was answered in the end"),
    (REFUSED, "every store was answered in the end"),
    (DONE_AGAIN, "a retry gets the first answer"),
    (ANOTHER_ANSWER, "a retry gets the first answer"),
    (GROWN, "a retry gets the first answer"),
    (BROKEN_CHAIN, "log, fold and indexes verify"),
    (IDLE_KILL, "each kill struck stores in flight"),
    (EARLY_KILL, "each kill struck stores in flight"),
    (NO_KILL, "each kill struck stores in flight"),
]


def broken(evidence: Evidence) -> set[str]:
    return {check.name for check in judge(evidence) if not check.holds}


def test_a_good_history_breaks_no_check() -> None:
    assert broken(GOOD) == set()


@pytest.mark.parametrize(("evidence", "check"), HISTORIES)
def test_a_bad_history_breaks_the_check_that_is_meant_for_it(
    evidence: Evidence, check: str
) -> None:
    assert check in broken(evidence)


def test_every_check_has_a_bad_history_that_breaks_it() -> None:
    assert {check.name for check in judge(GOOD)} == {name for _, name in HISTORIES}


def test_a_run_that_acknowledged_nothing_proves_nothing() -> None:
    idle = replace(GOOD, answers={}, replays={}, found=())
    assert "every acknowledged memory is there" in broken(idle)


def test_a_memory_that_was_never_acknowledged_may_be_missing() -> None:
    assert broken(replace(SILENT, found=GOOD.found[:2], there_after_replays=2)) == {
        "every store was answered in the end"
    }


def test_the_table_names_a_few_broken_places_and_counts_the_rest() -> None:
    many = replace(GOOD, problems=tuple(f"problem {n}" for n in range(9)))
    shown = table(judge(many))
    assert "problem 0" in shown
    assert "problem 8" not in shown
    assert "and 6 more" in shown
