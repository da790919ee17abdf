"""Who wrote an op, whoever passed it on."""

from dataclasses import replace
from pathlib import Path

import pytest

from aimem_node.clocks import SystemChance
from aimem_node.replica.certs import der_of
from aimem_node.replica.identity import Identity
from aimem_node.replica.signatures import ForgedError, Verifier, runs_of
from aimem_sync.dot import Origin
from aimem_sync.log import Head, append
from aimem_sync.members import Config, Member
from aimem_sync.op import Op, Stamp


def made(home: Path, name: str) -> Identity:
    return Identity.load_or_create(str(home / name), SystemChance())


def member(identity: Identity) -> Member:
    der = der_of(identity.cert_pem)
    return Member(identity.node_id, (identity.fingerprint,), certificates=(der,))


def config_of(*identities: Identity) -> Config:
    members = sorted(map(member, identities), key=lambda one: one.node_id)
    return Config(1, tuple(members), cluster_id="c")


def ops_of(
    writer: Identity, count: int, signer: Identity, head: Head | None = None, record: str = "r"
) -> list[Op]:
    """A run of the writer's log, signed by the signer."""
    origin, head, run = Origin(writer.node_id, "01" * 8), head or Head(), []
    for _ in range(count):
        op = append(
            head, Stamp(head.seq + 1, 1, 1), "edit", record, b"{}", "user:ann", "", origin,
            signer.sign,
        )  # fmt: skip
        run.append(op)
        head = Head(op.seq, op.chain)
    return run


def test_a_run_is_believed_for_the_signature_of_its_last_op(tmp_path: Path) -> None:
    ann, bob = made(tmp_path, "ann"), made(tmp_path, "bob")
    verifier = Verifier([config_of(ann, bob)])
    run = ops_of(ann, 5, ann)
    verifier.check([*run, *ops_of(bob, 2, bob)])
    verifier.check([replace(op, sig=b"never looked at") for op in run[:-1]] + run[-1:])
    verifier.check([])


def test_an_op_signed_by_another_member_is_forged(tmp_path: Path) -> None:
    ann, bob = made(tmp_path, "ann"), made(tmp_path, "bob")
    verifier = Verifier([config_of(ann, bob)])
    with pytest.raises(ForgedError, match="is not signed by its origin"):
        verifier.check([*ops_of(bob, 2, bob), *ops_of(ann, 2, bob)])
    assert not verifier.holds(ops_of(ann, 1, bob)[0])
    assert verifier.holds(ops_of(ann, 1, ann)[0])


def test_no_op_can_be_put_before_a_true_one(tmp_path: Path) -> None:
    """Each of these ends in a true op with a true signature."""
    ann, bob = made(tmp_path, "ann"), made(tmp_path, "bob")
    verifier = Verifier([config_of(ann, bob)])
    true, false = ops_of(ann, 3, ann), ops_of(ann, 3, bob, record="false")
    changed = replace(true[0], record_id="another")
    ways = [
        [false[0], true[2]],
        [false[0], replace(true[1], prev_chain=false[0].chain)],
        [changed, true[1]],
        [true[0], replace(true[1], body_sha256=b"\1" * 32), true[2]],
        [true[1], true[0]],
        [true[0], true[2]],
    ]
    for way in ways:
        with pytest.raises(ForgedError):
            verifier.check(way)


def test_a_body_that_is_not_here_changes_nothing(tmp_path: Path) -> None:
    ann = made(tmp_path, "ann")
    run = ops_of(ann, 2, ann)
    Verifier([config_of(ann)]).check([replace(run[0], body=None), run[1]])


def test_what_an_evicted_node_wrote_while_it_belonged_is_believed(tmp_path: Path) -> None:
    ann, bob = made(tmp_path, "ann"), made(tmp_path, "bob")
    before = config_of(ann, bob)
    verifier = Verifier([before, before.without(bob.node_id)])
    verifier.check(ops_of(bob, 2, bob))
    assert verifier.knows(bob.node_id)


def test_every_key_that_a_node_ever_had_vouches_for_what_it_signed(tmp_path: Path) -> None:
    ann = made(tmp_path, "ann")
    new = ann.make_next(str(tmp_path / "ann"), SystemChance())
    first = config_of(ann)
    both = first.with_key(ann.node_id, new.fingerprint, der_of(new.cert_pem))
    verifier = Verifier([first, both, both.without_key(ann.node_id, ann.fingerprint)])
    old_run = ops_of(ann, 2, ann)
    verifier.check(old_run)
    verifier.check([*old_run, *ops_of(ann, 1, new, Head(2, old_run[-1].chain))])


def test_a_stranger_vouches_for_nothing(tmp_path: Path) -> None:
    ann, eve = made(tmp_path, "ann"), made(tmp_path, "eve")
    verifier = Verifier([config_of(ann)])
    assert not verifier.knows(eve.node_id)
    with pytest.raises(ForgedError):
        verifier.check(ops_of(eve, 1, eve))
    no_keys = Config(1, (Member(ann.node_id, (ann.fingerprint,)),))
    assert not Verifier([no_keys]).holds(ops_of(ann, 1, ann)[0])


def test_ops_are_told_apart_by_their_logs(tmp_path: Path) -> None:
    ann, bob = made(tmp_path, "ann"), made(tmp_path, "bob")
    of_ann, of_bob = ops_of(ann, 2, ann), ops_of(bob, 2, bob)
    mixed = [of_ann[0], of_bob[0], of_ann[1], of_bob[1]]
    assert list(runs_of(mixed).values()) == [of_ann, of_bob]
    Verifier([config_of(ann, bob)]).check(mixed)
