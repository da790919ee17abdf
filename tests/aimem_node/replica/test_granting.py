"""Who may hold the text of which ops, and what everybody else is sent instead."""

from typing import Any

from aimem_node.replica.granting import Grants, bare, may_hold, speaks_of_grants, stripped
from aimem_node.store.answers import Answer
from aimem_sync.log import CHAIN_START, Head, append, check_op
from aimem_sync.op import Op, Origin, Stamp, decode_op, encode_op

LOG = Origin("a" * 32, "b" * 16)
VIEW: Any = None
SECRET = Grants(
    is_any=lambda _view: True,
    holders=lambda _view, record_id: frozenset({"b"}) if record_id == "secret" else None,
    excludes=lambda _view, node_id: node_id != "b",
)


def log(*records: tuple[str, str]) -> list[Op]:
    ops: list[Op] = []
    head = Head(0, CHAIN_START)
    for kind, record_id in records:
        op = append(
            head, Stamp(head.seq + 1, 1, 1), kind, record_id, b'{"text":"gold"}', "user:ann", "k",
            LOG, lambda chain: chain,
        )  # fmt: skip
        ops.append(op)
        head = Head(op.seq, op.chain)
    return ops


def test_a_member_without_a_grant_gets_the_op_without_its_text_and_the_chain_still_holds() -> None:
    ops = log(("edit", "secret"), ("edit", "open"))
    sent, _ = stripped(VIEW, [encode_op(op) for op in ops], [], SECRET, "c")
    first, second = (decode_op(one) for one in sent)
    assert first.body is None
    assert second.body is not None
    check_op(first)
    assert first.chain == second.prev_chain
    assert b"gold" not in sent[0]


def test_a_member_with_a_grant_gets_everything_to_the_byte() -> None:
    ops = [encode_op(op) for op in log(("edit", "secret"), ("edit", "open"))]
    assert stripped(VIEW, ops, [], SECRET, "b")[0] == ops


def test_the_answer_beside_an_op_is_kept_back_with_its_text() -> None:
    ops = log(("edit", "secret"), ("edit", "open"))
    beside = [
        Answer(op.dot, "user:ann", f"k{op.seq}", b"", b"says gold", 1, (op.record_id,)).encode()
        for op in ops
    ]
    encoded = [encode_op(op) for op in ops]
    assert stripped(VIEW, encoded, beside, SECRET, "c")[1] == beside[1:]
    assert stripped(VIEW, encoded, beside, SECRET, "b")[1] == beside


def test_purges_and_what_says_who_may_hold_what_go_to_everybody() -> None:
    purge, says = log(("purge", "secret"), ("edit", "copies:vault"))
    allowed = may_hold(SECRET, "c")
    assert allowed(VIEW, purge)
    assert allowed(VIEW, says)
    assert speaks_of_grants([says])
    assert not speaks_of_grants([purge])


def test_a_bare_op_is_the_op_in_all_but_its_text() -> None:
    (op,) = log(("edit", "secret"))
    assert bare(op).header == op.header
    assert bare(op).body_sha256 == op.body_sha256
    assert bare(op).body is None


def test_an_answer_that_may_speak_of_a_withheld_record_is_kept_back_beside_any_op() -> None:
    ops = log(("edit", "secret"), ("edit", "open"))
    last = ops[1]
    beside = [Answer(last.dot, "user:ann", "k", b"", b"gold", 1, ("open", "secret")).encode()]
    encoded = [encode_op(op) for op in ops]
    assert stripped(VIEW, encoded, beside, SECRET, "c")[1] == []
    assert stripped(VIEW, encoded, beside, SECRET, "b")[1] == beside
