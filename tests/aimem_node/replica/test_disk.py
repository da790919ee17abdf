"""What the core wants kept: in order, reported only once it is there, and honestly if it is not."""

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimem_node.clocks import SystemChance
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica import disk as disk_module
from aimem_node.replica.disk import Disk
from aimem_node.replica.identity import Identity, identity_dir
from aimem_node.replica.standing import decode_proof
from aimem_node.replica.votes import VoteFile
from aimem_node.store.answers import Answer
from aimem_node.store.store import Store
from aimem_sync.cursor import Cursor
from aimem_sync.effects import KeepConfig, Vote
from aimem_sync.events import Event, Installed, Kept, NotKept, Truncated
from aimem_sync.log import Head, append
from aimem_sync.members import Config, Endorsement, Member, decode_config
from aimem_sync.op import Op, Origin, Stamp

LOG = Origin("b" * 32, "c" * 16)
OWN = Origin("a" * 32, "d" * 16)
NOW_US = 1_780_000_000_000_000


def ops_of(count: int, after: int = 0) -> tuple[Op, ...]:
    made: list[Op] = []
    head = Head()
    for at in range(after + count):
        op = append(
            head, Stamp(at + 1, NOW_US, 1), "edit", f"r{at}", b'{"type":"note"}', "user:bob",
            f"k{at}", LOG, lambda chain: b"signed" + chain,
        )  # fmt: skip
        head = Head(op.seq, op.chain)
        made.append(op)
    return tuple(made[after:])


class Stage:
    """A disk over a real store. What it reports waits in a queue."""

    def __init__(self, home: Path) -> None:
        Identity.load_or_create(str(home), SystemChance())
        self.votes = VoteFile(identity_dir(str(home)))
        self.store = Store.open(home, lambda _why: None)
        self.told: queue.Queue[Event] = queue.Queue()
        self.disk = Disk(self.store, self.votes, self.told.put)

    def next(self) -> Event:
        return self.told.get(timeout=20)

    def see(self, read: Any) -> Any:
        return self.store.readers.submit(read, 10_000).result(20)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path / "n")
    yield stage
    stage.disk.close()
    stage.store.close()


def test_ops_are_in_the_file_when_they_are_reported_and_in_the_order_asked_for(
    stage: Stage,
) -> None:
    stage.disk.keep(1, ops_of(2), None)
    stage.disk.keep(2, ops_of(2, after=2), None)
    assert stage.next() == Kept(1)
    assert stage.next() == Kept(2)
    assert stage.see(lambda view: view.have()).get(LOG) == 4


def test_ops_that_do_not_follow_are_not_kept_and_neither_is_any_part_of_them(stage: Stage) -> None:
    stage.disk.keep(1, ops_of(2, after=3), None)
    told = stage.next()
    assert isinstance(told, NotKept)
    assert (told.ticket, bool(told.reason)) == (1, True)
    assert stage.see(lambda view: view.have()).get(LOG) == 0
    stage.disk.keep(2, ops_of(2), None)
    assert stage.next() == Kept(2)


def answer_of(op: Op) -> bytes:
    return Answer(op.dot, op.author, op.request_key, b"", b"said", NOW_US, ("r0",)).encode()


def test_the_answer_that_came_beside_an_op_is_kept_with_it(stage: Stage) -> None:
    one, two = ops_of(2)
    stage.disk.remember([answer_of(two)])
    stage.disk.keep(1, (one, two), None)
    assert stage.next() == Kept(1)
    assert stage.see(lambda view: view.idem("user:bob", "k1")).response == b"said"
    assert stage.see(lambda view: view.idem("user:bob", "k0")) is None


def test_answers_to_ops_that_never_come_do_not_pile_up(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_module, "BESIDE_MAX", 3)
    for op in ops_of(20):
        stage.disk.remember([answer_of(op)])
        assert len(stage.disk._beside) <= 4


def test_a_vote_is_beside_the_key_when_it_is_reported(stage: Stage) -> None:
    vote = Vote(2, (1, "b"), (0, ""), None)
    stage.disk.keep_vote(5, vote)
    assert stage.next() == Kept(5)
    assert VoteFile(stage.votes._path.parent).load() == {2: vote}


def test_a_vote_that_cannot_be_kept_is_reported_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_vote: Vote) -> None:
        raise Failure(Code.STORAGE, "no room beside the key")

    monkeypatch.setattr(stage.votes, "keep", refuse)
    stage.disk.keep_vote(5, Vote(2, (1, "b"), (0, ""), None))
    told = stage.next()
    assert isinstance(told, NotKept)
    assert told.ticket == 5
    assert "no room beside the key" in told.reason


def test_votes_in_hand_are_forgotten_too_and_later_ones_are_kept(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, may_go_on = stage.votes.keep, threading.Event()

    def late(vote: Vote) -> None:
        may_go_on.wait(20)
        keep(vote)

    monkeypatch.setattr(stage.votes, "keep", late)
    stage.disk.keep_vote(5, Vote(2, (1, "b"), (0, ""), None))
    forgotten = stage.disk.forget_votes()
    later = Vote(3, (1, "b"), (0, ""), None)
    stage.disk.keep_vote(6, later)
    may_go_on.set()
    forgotten.result(20)
    assert [stage.next(), stage.next()] == [Kept(5), Kept(6)]
    assert VoteFile(stage.votes._path.parent).load() == {3: later}


def test_epochs_are_kept_with_their_proofs(stage: Stage) -> None:
    config = Config(3, (Member("a", ("f",)),), cluster_id="c")
    proof = (Endorsement("a", "f", b"sig"),)
    stage.disk.keep_config(KeepConfig(7, (config,), (proof,)))
    assert stage.next() == Kept(7)
    ((epoch, kept, proved),) = stage.see(lambda view: view.configs())
    assert (epoch, decode_config(kept), decode_proof(proved)) == (3, config, proof)


def test_bodies_are_given_up_only_if_they_are_old_enough_and_it_says_how_far(stage: Stage) -> None:
    stage.disk.keep(1, ops_of(3), None)
    assert stage.next() == Kept(1)
    stage.disk.truncate(Cursor({LOG: 2}), NOW_US - 1)
    assert stage.next() == Truncated(Cursor())
    stage.disk.truncate(Cursor({LOG: 2}), NOW_US + 1)
    assert stage.next() == Truncated(Cursor({LOG: 2}))


def test_a_snapshot_takes_the_place_of_the_state(stage: Stage, tmp_path: Path) -> None:
    far = Stage(tmp_path / "far")
    try:
        far.disk.keep(1, ops_of(3), None)
        assert far.next() == Kept(1)
        made = far.store.export_snapshot(tmp_path / "snapshot")
        over: list[str] = []
        stage.disk.install(
            made.path, OWN, lambda _op: True, Installed({}, Cursor()), lambda: over.append("over")
        )
        told = stage.next()
        assert isinstance(told, Installed)
        assert {origin: head.seq for origin, head in told.heads.items()} == {LOG: 3}
        assert told.refused == ()
        assert over == ["over"]
        assert not made.path.exists()
        assert stage.see(lambda view: view.have()).get(LOG) == 3
    finally:
        far.disk.close()
        far.store.close()


def test_a_file_that_is_no_snapshot_changes_nothing_and_what_was_here_is_reported(
    stage: Stage, tmp_path: Path
) -> None:
    stage.disk.keep(1, ops_of(2), None)
    assert stage.next() == Kept(1)
    file = tmp_path / "bad"
    file.write_bytes(b"no snapshot" * 100)
    here = Installed({LOG: Head(2)}, Cursor(), (OWN,))
    stage.disk.install(file, OWN, lambda _op: True, here, lambda: None)
    assert stage.next() == here
    assert not file.exists()
    assert stage.see(lambda view: view.have()).get(LOG) == 2


def test_a_store_that_takes_nothing_any_more_is_reported_and_raises_nothing(stage: Stage) -> None:
    stage.store.close()
    stage.disk.keep(1, ops_of(1), None)
    told = stage.next()
    assert isinstance(told, NotKept)
    assert told.ticket == 1


def test_a_truncation_that_the_store_has_no_room_for_is_let_be(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_job: Any) -> Any:
        raise Failure(Code.LIMITED, "too much waits")

    monkeypatch.setattr(stage.store.writer, "submit", full)
    stage.disk.truncate(Cursor({LOG: 1}), NOW_US)
    assert stage.told.empty()
