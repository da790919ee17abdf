"""A vote that was told is on disk, and a file that cannot be read is never an empty one."""

import json
import os

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.votes import FILE, VoteFile
from aimem_sync.effects import Vote
from aimem_sync.members import Config, Member, Role
from aimem_sync.messages import NO_BALLOT

A, B = "a" * 32, "b" * 32
CONFIG = Config(
    3,
    (Member(A, ("f" * 64,)), Member(B, ("e" * 64,), Role.LEARNER, "bé", "host:1")),
    cluster_id="c",
)
PROMISED = Vote(2, (4, A), NO_BALLOT, None)
ACCEPTED = Vote(3, (5, B), (5, A), CONFIG)


def test_votes_are_there_after_a_restart(tmp_path) -> None:
    votes = VoteFile(tmp_path)
    assert votes.load() == {}
    votes.keep(PROMISED)
    votes.keep(ACCEPTED)
    assert votes.load() == VoteFile(tmp_path).load() == {2: PROMISED, 3: ACCEPTED}


def test_a_later_vote_takes_the_place_of_the_one_about_its_epoch(tmp_path) -> None:
    VoteFile(tmp_path).keep(PROMISED)
    votes = VoteFile(tmp_path)
    votes.keep(ACCEPTED)  # without having been asked what there is
    again = Vote(2, (9, B), NO_BALLOT, None)
    votes.keep(again)
    assert VoteFile(tmp_path).load() == {2: again, 3: ACCEPTED}


def test_the_file_is_synced_before_it_takes_the_old_ones_place(tmp_path, monkeypatch) -> None:
    steps = []
    fsync, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (steps.append("sync"), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda a, b: (steps.append("rename"), rename(a, b)))
    VoteFile(tmp_path).keep(PROMISED)
    assert steps == ["sync", "rename", "sync"], "the file, its name, the directory"
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_a_vote_that_could_not_be_kept_was_not_cast(tmp_path, monkeypatch) -> None:
    votes = VoteFile(tmp_path)
    votes.keep(PROMISED)

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Failure) as raised:
        votes.keep(ACCEPTED)
    assert raised.value.code == Code.STORAGE
    monkeypatch.undo()
    assert votes.load() == VoteFile(tmp_path).load() == {2: PROMISED}


def test_a_file_that_was_cut_or_changed_is_damaged_and_not_empty(tmp_path) -> None:
    VoteFile(tmp_path).keep(PROMISED)
    path = tmp_path / FILE
    content = path.read_bytes()
    for end in range(len(content) - 1):
        path.write_bytes(content[:end])
        with pytest.raises(Failure) as raised:
            VoteFile(tmp_path).load()
        assert raised.value.code == Code.CORRUPT
        with pytest.raises(Failure):
            VoteFile(tmp_path).keep(ACCEPTED)
    path.write_bytes(content.replace(b"4", b"3"))
    with pytest.raises(Failure):
        VoteFile(tmp_path).load()


@pytest.mark.parametrize(
    "changed",
    [
        {"form": 2},
        {"more": 1},
        {"votes": []},
        {"votes": None},
        {"votes": [{"epoch": 2}]},
    ],
)
def test_a_file_of_another_form_is_damaged(tmp_path, changed) -> None:
    VoteFile(tmp_path).keep(PROMISED)
    path = tmp_path / FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    with pytest.raises(Failure) as raised:
        VoteFile(tmp_path).load()
    assert raised.value.code == Code.CORRUPT
    assert "evict" in raised.value.next


def test_another_cluster_begins_without_votes(tmp_path) -> None:
    votes = VoteFile(tmp_path)
    votes.keep(PROMISED)
    votes.clear()
    votes.clear()
    assert votes.load() == VoteFile(tmp_path).load() == {}
    votes.keep(ACCEPTED)
    assert VoteFile(tmp_path).load() == {3: ACCEPTED}
