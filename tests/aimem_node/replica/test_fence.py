"""An image that was put back is noticed, and a node that merely crashed is not taken for one."""

import os

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.fence import BLOCK_OPS, FILE, Fence


def written(directory, *seqs, close=False) -> None:
    """A run of the node that begins where the last one ended, and writes."""
    fence = Fence(directory)
    fence.rolled_back(seqs[0] - 1)
    for seq in seqs:
        fence.reach(seq)
    if close:
        fence.close()


def test_a_node_that_kept_no_note_yet_goes_on(tmp_path) -> None:
    assert not Fence(tmp_path).rolled_back(0)
    assert not Fence(tmp_path).rolled_back(5_000)


def test_after_a_clean_stop_one_missing_op_is_noticed(tmp_path) -> None:
    written(tmp_path, 1, 2, 37, close=True)
    assert not Fence(tmp_path).rolled_back(37)
    assert Fence(tmp_path).rolled_back(36)
    assert Fence(tmp_path).rolled_back(0)
    assert not Fence(tmp_path).rolled_back(40)


def test_a_crash_is_no_rollback(tmp_path) -> None:
    last = 5 * BLOCK_OPS
    written(tmp_path, *range(1, last + 1))
    # Whatever of the last block came to disk, or did not.
    for have in (last, last - 1, last - BLOCK_OPS + 1):
        assert not Fence(tmp_path).rolled_back(have)


def test_after_a_crash_more_than_two_missing_blocks_are_noticed(tmp_path) -> None:
    last = 5 * BLOCK_OPS
    written(tmp_path, *range(1, last + 1))
    assert Fence(tmp_path).rolled_back(last - 2 * BLOCK_OPS - 1)
    assert Fence(tmp_path).rolled_back(0)


def test_what_was_there_at_the_start_counts_from_the_first_write_on(tmp_path) -> None:
    written(tmp_path, 1, 2, close=True)
    written(tmp_path, 3)
    assert Fence(tmp_path).rolled_back(1)
    assert not Fence(tmp_path).rolled_back(2), "the third may never have come to disk"


def test_a_run_that_writes_nothing_changes_nothing(tmp_path) -> None:
    written(tmp_path, 1, 9, close=True)
    before = (tmp_path / FILE).read_bytes()
    fence = Fence(tmp_path)
    assert not fence.rolled_back(9)
    fence.close()
    assert (tmp_path / FILE).read_bytes() == before


def test_the_disk_is_synced_once_in_a_block(tmp_path, monkeypatch) -> None:
    renames = []
    rename = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (renames.append(b), rename(a, b)))
    fence = Fence(tmp_path)
    fence.renew()
    renames.clear()
    for seq in range(1, 3 * BLOCK_OPS + 1):
        fence.reach(seq)
    assert len(renames) == 3


def test_a_new_log_begins_at_nothing(tmp_path) -> None:
    written(tmp_path, *range(1, 3_000), close=True)
    fence = Fence(tmp_path)
    assert fence.rolled_back(10)
    fence.renew()
    assert not Fence(tmp_path).rolled_back(0)
    fence.reach(1)
    assert not Fence(tmp_path).rolled_back(0), "its first op may never have come to disk"
    assert not Fence(tmp_path).rolled_back(1)


def test_a_log_that_was_given_up_is_not_taken_up_again(tmp_path) -> None:
    written(tmp_path, 1, 2, 3, close=True)
    Fence(tmp_path).renew()
    # A crash before the new log's name came to disk: the store still names the old one.
    assert Fence(tmp_path).rolled_back(3)
    Fence(tmp_path).renew("1" * 16)
    assert Fence(tmp_path).rolled_back(0, "2" * 16)
    assert not Fence(tmp_path).rolled_back(0, "1" * 16)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b'{"incarnation": "", "since": 5, "upto": 4}',
        b'{"incarnation": "", "since": -1, "upto": 4}',
        b'{"incarnation": "", "since": 1, "upto": true}',
        b'{"incarnation": "", "since": 1, "upto": 4, "more": 1}',
        b'{"incarnation": 7, "since": 1, "upto": 4}',
    ],
)
def test_a_damaged_note_is_not_taken_for_none(tmp_path, content) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(Failure) as raised:
        Fence(tmp_path)
    assert raised.value.code == Code.CORRUPT
