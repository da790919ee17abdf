"""A session, as every client keeps it."""

import threading

from aimem_node.client.seen import Seen
from aimem_node.contract.calls import AFTER_KEY, TOKEN_KEY, WAIT_KEY
from aimem_node.contract.errors import Code, Failure

LOGS = [f"{number:032x}.{number:016x}" for number in range(8)]


def token(**seqs: int) -> str:
    return "c/1/" + ",".join(f"{LOGS[int(name[1:])]}:{seq}" for name, seq in sorted(seqs.items()))


def test_it_only_ever_grows() -> None:
    seen = Seen()
    for told in (token(l1=3), token(l2=1), token(l1=2), ""):
        seen.hear(told)
    assert seen.token == token(l1=3, l2=1)


def test_the_node_is_told_that_tokens_are_kept_even_before_there_is_one() -> None:
    assert Seen().headers() == ((AFTER_KEY, ""),)
    assert Seen(70).headers() == ((AFTER_KEY, ""), (WAIT_KEY, "70"))


def test_it_is_heard_of_in_the_metadata_of_an_answer() -> None:
    seen = Seen()
    seen.heard((("other", "x"), (TOKEN_KEY, token(l1=3))))
    seen.heard(None)
    assert seen.headers()[0] == (AFTER_KEY, token(l1=3))


def test_a_failure_that_says_nothing_of_loss_changes_nothing() -> None:
    seen = Seen()
    seen.hear(token(l1=3))
    seen.failed(Failure(Code.UNAVAILABLE, "not yet", details={"missing": [f"{LOGS[1]}:3"]}))
    assert seen.token == token(l1=3)
    seen.failed(Failure(Code.DATA_LOST, "gone"))
    assert seen.token == ""


def test_answers_that_come_to_many_threads_at_once_are_all_taken_in() -> None:
    seen = Seen()

    def hear(log: int) -> None:
        for seq in range(1, 200):
            seen.hear(token(**{f"l{log}": seq}))

    threads = [threading.Thread(target=hear, args=(log,)) for log in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen.token == token(**{f"l{log}": 199 for log in range(8)})
