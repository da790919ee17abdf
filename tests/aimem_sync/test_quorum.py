"""A write has three outcomes, one deadline, and is held by voters, each counted once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aimem_sync.dot import Dot
from aimem_sync.effects import Answer, Outcome
from aimem_sync.events import WriteWanted, Wrote
from aimem_sync.log import Head
from aimem_sync.members import Config
from aimem_sync.quorum import Quorum, acks_in, commit_seq, counted_in, needed_in
from tests.aimem_sync.cluster import ABC, AT_A, AT_B, A, B, C, D, key

DOT = Dot(AT_A, 1)


def opened(config: Config = ABC, **more: int) -> Quorum:
    quorum = Quorum()
    assert quorum.admit(WriteWanted(1, 1_000, **more), config, {A, B, C}) is None
    assert quorum.wrote(Wrote(1, DOT, Head(1)), A) is None
    return quorum


def settle(quorum: Quorum, now_us: int, *holders: str) -> list[Outcome]:
    return [answer.outcome for answer in quorum.settle(now_us, lambda dot: frozenset(holders))]


def test_enough_voters_commit_a_write_and_it_is_answered_once() -> None:
    quorum = opened()
    assert settle(quorum, 1, A) == []
    (answer,) = quorum.settle(2, lambda dot: frozenset({A, B}))
    assert answer == Answer(1, Outcome.COMMITTED, (A, B), 2)
    assert settle(quorum, 3, A, B, C) == []


def test_an_ack_one_millisecond_before_the_deadline_counts_and_one_at_it_does_not() -> None:
    assert settle(opened(), 999, A, B) == [Outcome.COMMITTED]
    assert settle(opened(), 1_000, A, B) == [Outcome.PENDING]


def test_a_pending_write_says_how_many_hold_it_and_if_they_were_late() -> None:
    (few,) = opened().settle(1_000, lambda dot: frozenset({A}))
    assert few.reason == "1 of 2 voters hold it so far"
    (late,) = opened().settle(1_000, lambda dot: frozenset({A, B, C}))
    assert late.reason == "3 voters hold it, but not before its time was up"


def test_a_write_that_is_not_on_disk_yet_has_no_fate() -> None:
    quorum = Quorum()
    quorum.admit(WriteWanted(1, 1_000), ABC, {A, B})
    assert settle(quorum, 5_000, A) == []
    assert quorum.refused(1, "full") == Answer(1, Outcome.NOT_WRITTEN, reason="full")
    assert quorum.refused(1, "full") is None


def test_too_few_in_reach_is_told_before_anything_is_logged() -> None:
    quorum = Quorum()
    answer = quorum.admit(WriteWanted(1, 1_000), ABC, {A})
    assert answer is not None
    assert (answer.outcome, answer.reason) == (
        Outcome.NOT_WRITTEN,
        "1 of the 2 voters that are needed are in sync",
    )
    assert quorum.admit(WriteWanted(2, 1_000, allow_pending=True), ABC, {A}) is None
    assert quorum.admit(WriteWanted(3, 1_000, known=DOT), ABC, {A}) is None
    assert quorum.admit(WriteWanted(4, 1_000, 4), ABC, {A, B, C}) is not None


def test_learners_and_strangers_count_for_nothing() -> None:
    config = ABC.with_learner(D, key(D))
    assert acks_in(config, [A, A, D, "stranger"]) == {A}


def test_a_write_that_spans_a_change_must_be_held_in_both_epochs() -> None:
    quorum = opened(needed=2)
    quorum.meet(ABC.without(C))
    assert settle(quorum, 1, A, C) == []
    assert settle(quorum, 2, A, B, C) == [Outcome.COMMITTED]


def test_the_next_deadline_is_the_earliest_of_what_is_on_disk() -> None:
    quorum = opened()
    quorum.admit(WriteWanted(2, 500), ABC, {A, B})
    assert quorum.next_deadline_us() == 1_000
    quorum.wrote(Wrote(2, DOT, Head(1, b"h")), A)
    assert quorum.next_deadline_us() == 500
    assert Quorum().next_deadline_us() is None


def test_a_log_is_committed_as_far_as_a_majority_holds_it() -> None:
    assert commit_seq(ABC, [(A, 9), (B, 5), (C, 2)]) == 5
    assert commit_seq(ABC, [(A, 9), (D, 9)]) == 0


def test_w_and_who_counts_are_known_only_once_the_namespace_is() -> None:
    quorum = Quorum()
    quorum.admit(WriteWanted(1, 1_000), ABC, {A, B, C})
    quorum.wrote(Wrote(1, DOT, Head(1), needed=3), A)
    assert settle(quorum, 1, A, B) == []
    assert settle(quorum, 2, A, B, C) == [Outcome.COMMITTED]


def test_who_may_not_hold_a_write_does_not_count_for_it() -> None:
    quorum = Quorum()
    quorum.admit(WriteWanted(1, 1_000), ABC, {A, B, C})
    quorum.wrote(Wrote(1, DOT, Head(1), eligible=frozenset({A, C})), A)
    assert settle(quorum, 1, A, B) == []
    assert settle(quorum, 2, A, C) == [Outcome.COMMITTED]


def test_what_is_kept_local_needs_nobody_else() -> None:
    quorum = Quorum()
    alone = WriteWanted(1, 1_000, eligible=frozenset({A}))
    assert quorum.admit(alone, ABC, {A}) is None
    quorum.wrote(Wrote(1, DOT, Head(1), needed=2), A)
    (answer,) = quorum.settle(1, lambda dot: frozenset({A}))
    assert (answer.outcome, answer.acked_by, answer.needed) == (Outcome.COMMITTED, (A,), 1)


def test_w_is_never_more_than_those_that_may_hold_it() -> None:
    few = frozenset({A, B, "evicted"})
    assert counted_in(ABC, few) == {A, B}
    assert [needed_in(ABC, w, few) for w in (0, 1, 2, 3)] == [2, 1, 2, 2]
    assert needed_in(ABC, 0, frozenset()) == 1
    learner = ABC.with_learner(D, key(D))
    assert counted_in(learner, frozenset({D})) == {D}
    assert acks_in(learner, {D}, frozenset({A, D})) == frozenset()


def test_a_write_that_had_nothing_to_write_is_answered_at_once() -> None:
    quorum = Quorum()
    quorum.admit(WriteWanted(1, 1_000), ABC, {A, B})
    done = quorum.wrote(Wrote(1, None, Head(7)), A)
    assert done == Answer(1, Outcome.COMMITTED, (A,), 1)
    assert settle(quorum, 1, A, B) == []


def test_who_did_not_confirm_is_named_in_every_answer_but_the_good_one() -> None:
    told = ((B, "unreachable", "not heard of"),)
    quorum = Quorum(standings=lambda dot, eligible: told)
    refused = quorum.admit(WriteWanted(1, 1_000), ABC, {A})
    assert refused is not None
    assert refused.peers == told
    for request in (2, 3):
        quorum.admit(WriteWanted(request, 1_000), ABC, {A, B})
    failed = quorum.refused(2, "disk full")
    assert failed is not None
    assert failed.peers == told
    quorum.wrote(Wrote(3, DOT, Head(1)), A)
    (late,) = quorum.settle(1_000, lambda dot: frozenset({A}))
    assert late.peers == told


WAITING = st.lists(
    st.tuples(
        st.integers(1, 6), st.integers(0, 3), st.booleans(), st.integers(1, 40), st.booleans()
    ),
    max_size=12,
)  # fmt: skip


@given(WAITING, st.tuples(*[st.integers(0, 6)] * 2), st.integers(0, 40), st.integers(0, 12))
def test_all_fates_at_once_are_those_of_each_by_itself(
    writes: list[tuple[int, int, bool, int, bool]], held: tuple[int, int], now_us: int, met: int
) -> None:
    def holders(dot: Dot) -> frozenset[str]:
        found = {A} | {n for n, seq in zip((B, C), held, strict=True) if seq >= dot.seq}
        return frozenset(found)

    quorum, config = Quorum(), ABC
    for at, (seq, needed, own, deadline_us, narrow) in enumerate(writes):
        if at == met:
            config = ABC.without(C)
            quorum.meet(config)
        eligible = frozenset({A, B}) if narrow else None
        dot = Dot(AT_A if own else AT_B, seq)
        wanted = WriteWanted(at, deadline_us, needed, known=dot, eligible=eligible)
        quorum.admit(wanted, config, {A, B, C})
    each = [quorum.fate(w, now_us, holders(w.dot)) for w in quorum.open.values() if w.dot]
    assert quorum.settle(now_us, holders) == [answer for answer in each if answer is not None]


def test_of_many_writes_that_wait_for_the_same_only_the_first_is_looked_at() -> None:
    quorum = Quorum()
    for seq in range(1, 100):
        quorum.admit(WriteWanted(seq, 1_000, known=Dot(AT_A, seq)), ABC, {A, B, C})
    asked: list[Dot] = []

    def holders(dot: Dot) -> frozenset[str]:
        asked.append(dot)
        return frozenset({A, B} if dot.seq < 3 else {A})

    assert [answer.request for answer in quorum.settle(0, holders)] == [1, 2]
    assert [dot.seq for dot in asked] == [1, 2, 3]
