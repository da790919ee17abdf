"""What sessions have seen, put together as text."""

from aimem_node.contract.tokens import merged, without
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Origin
from aimem_sync.tokens import Token

ONE, OTHER = Origin("a" * 32, "1" * 16), Origin("b" * 32, "2" * 16)


def token(cluster: str = "c", epoch: int = 1, **seqs: int) -> Token:
    names = {"one": ONE, "other": OTHER}
    return Token(cluster, epoch, Cursor({names[name]: seq for name, seq in seqs.items()}))


def test_two_tokens_of_a_cluster_are_merged_as_the_core_merges_them() -> None:
    first, second = token(one=5), token(epoch=2, one=3, other=7)
    assert merged(first.encode(), second.encode()) == first.merge(second).encode()
    assert merged(first.encode(), second.encode()) == merged(second.encode(), first.encode())


def test_of_two_clusters_the_newer_token_counts() -> None:
    here, there = token("c", one=5).encode(), token("d", one=1).encode()
    assert merged(here, there) == there
    assert merged(there, here) == here


def test_what_cannot_be_read_counts_as_nothing() -> None:
    good = token(one=5).encode()
    for bad in ("", "nonsense", "c/1/x", "c/-1/", "x" * 100_000):
        assert merged(good, bad) == good
        assert merged(bad, good) == good
        assert merged(bad, bad) == ""
        assert without(bad, [f"{ONE}:1"]) == ""


def test_a_lost_log_is_asked_for_no_more_and_the_others_are() -> None:
    both = token(one=5, other=7)
    assert without(both.encode(), [f"{OTHER}:6", f"{OTHER}:7"]) == token(one=5).encode()
    assert without(both.encode(), []) == both.encode()
    assert without(both.encode(), ["what?"]) == ""
