"""One epoch has one config, whoever proposes and whatever is lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimem_sync.decree import GIVE_UP_US, Council
from aimem_sync.effects import Applied, Changed, Effect, KeepConfig, KeepVote, Note, Send, Vote
from aimem_sync.members import Config, Endorsement, Proof, endorsed_bytes
from aimem_sync.messages import NO_BALLOT, Accept, Accepted, Learn, Prepare
from tests.aimem_sync.cluster import ABC, A, B, C, D, config, key, of


def sign_as(node: str) -> Callable[[bytes], bytes]:
    """Signatures that anybody can check and nobody else would make."""
    return lambda said: key(node).encode() + b":" + said


def proves(old: Config, new: Config, proof: Proof) -> bool:
    return all(
        one.sig == one.fingerprint.encode() + b":" + endorsed_bytes(new)
        and old.node_of(one.fingerprint) == one.node_id
        for one in proof
    )


def endorsed(config: Config, *nodes: str) -> Proof:
    """What these nodes have signed."""
    said = endorsed_bytes(config)
    return tuple(Endorsement(node, key(node), sign_as(node)(said)) for node in nodes)


class Room:
    """Councils with a disk and a key each, and the messages between them."""

    def __init__(self, config: Config = ABC) -> None:
        self.tickets = 0
        self.mail: list[tuple[str, Send]] = []
        self.done: list[Effect] = []
        self.councils = {
            n: Council(n, [config], {}, self.ticket, sign=sign_as(n), proves=proves)
            for n in sorted(config.everyone)
        }

    def ticket(self) -> int:
        self.tickets += 1
        return self.tickets

    def do(self, node: str, effects: Sequence[Effect]) -> None:
        """Disks are at once; messages wait."""
        for effect in effects:
            if isinstance(effect, Send):
                self.mail.append((node, effect))
            elif isinstance(effect, KeepVote | KeepConfig):
                self.do(node, self.councils[node].kept(effect.ticket))
            else:
                self.done.append(effect)

    def deliver(self, at: int) -> None:
        sender, sent = self.mail.pop(at)
        if sent.to in self.councils:
            self.do(sent.to, self.councils[sent.to].hear(sender, sent.message))

    def everything(self) -> None:
        while self.mail:
            self.deliver(0)


def test_a_proposal_is_decided_and_everyone_learns_it() -> None:
    room = Room()
    wanted = ABC.with_learner(D, key(D))
    room.do(A, room.councils[A].propose(0, 7, wanted))
    room.everything()
    assert all(council.config == wanted for council in room.councils.values())
    assert Changed(7, won=True) in room.done
    assert len(of(Applied, room.done)) == 3


@settings(max_examples=150)
@given(st.data())
def test_two_proposers_with_any_order_and_loss_decide_at_most_one_config(
    data: st.DataObject,
) -> None:
    room = Room()
    room.do(A, room.councils[A].propose(0, 1, ABC.without(C)))
    room.do(C, room.councils[C].propose(0, 2, ABC.without(A)))
    now_us = 0
    for _ in range(data.draw(st.integers(0, 60))):
        if room.mail and data.draw(st.booleans()):
            at = data.draw(st.integers(0, len(room.mail) - 1))
            if data.draw(st.integers(0, 5)) == 0:
                room.mail.pop(at)
            else:
                room.deliver(at)
        elif data.draw(st.booleans()):
            now_us += 500_000
            for node, council in room.councils.items():
                room.do(node, council.tick(now_us))
    decided = {council.config for council in room.councils.values() if council.config.epoch == 2}
    assert len(decided) <= 1


def test_a_vote_is_told_only_once_it_is_on_disk() -> None:
    council = Council(B, [ABC], {}, lambda: 5)
    effects = council.hear(A, Prepare(2, (1, A)))
    assert effects == [KeepVote(5, Vote(2, (1, A), NO_BALLOT, None))]
    (promise,) = council.kept(5)
    assert isinstance(promise, Send)
    assert council.kept(5) == []


def test_a_lower_ballot_is_not_answered() -> None:
    council = Council(B, [ABC], {2: Vote(2, (3, C), NO_BALLOT, None)}, lambda: 5)
    assert council.hear(A, Prepare(2, (2, A))) == []
    assert council.hear(A, Accept(2, (2, A), ABC.without(C))) == []


def test_a_learner_is_neither_asked_nor_heard() -> None:
    config = ABC.with_learner(D, key(D))
    room = Room(config)
    room.do(A, room.councils[A].propose(0, 1, config.with_voter(D)))
    assert {sent.to for _, sent in room.mail} == {B, C}
    assert room.councils[B].hear(D, Prepare(3, (9, D))) == []
    (refused,) = room.councils[D].propose(0, 2, config.without(A))
    assert refused == Changed(2, won=False, reason="only a voter can propose")


def test_who_asks_about_a_decided_epoch_is_told_what_it_is() -> None:
    wanted = ABC.without(C)
    council = Council(B, [ABC, wanted], {}, lambda: 5)
    assert council.hear(A, Prepare(2, (1, A))) == [Send(A, Learn((wanted,), ((),)))]


def test_an_impossible_epoch_is_not_learned() -> None:
    council = Council(B, [ABC], {}, lambda: 5)
    effects = council.learn((Config(2, ABC.members[:1]),))
    assert of(KeepConfig, effects) == []
    assert council.learn((ABC.without(A).without(C),)) == []


def test_a_proposer_gives_up_in_the_end_and_may_try_again() -> None:
    council = Council(A, [ABC], {}, lambda: 5)
    council.propose(0, 1, ABC.without(C))
    assert of(Changed, council.propose(1, 2, ABC.without(B)))[0].won is False
    (told,) = of(Changed, council.tick(GIVE_UP_US))
    assert (told.request, told.won) == (1, False)
    assert of(KeepVote, council.propose(GIVE_UP_US, 3, ABC.without(C)))


def council_of(node: str, *history: Config) -> Council:
    return Council(node, list(history or (ABC,)), {}, lambda: 5, proves=proves)


def test_every_decided_epoch_is_kept_with_the_signatures_of_a_majority() -> None:
    room = Room()
    wanted = ABC.with_learner(D, key(D))
    room.do(A, room.councils[A].propose(0, 7, wanted))
    room.everything()
    for council in room.councils.values():
        assert council.proofs[2] == endorsed(wanted, A, B)
        assert council.since(1) == Learn((wanted,), (endorsed(wanted, A, B),))


@pytest.mark.parametrize(
    "proof",
    [
        (),
        endorsed(ABC.without(C), A),
        endorsed(ABC.without(C), A, A),
        endorsed(ABC.without(C), A, D),
        endorsed(ABC.without(B), A, B),
        (*endorsed(ABC.without(C), A), Endorsement(B, key(B), b"nothing")),
        (*endorsed(ABC.without(C), A), Endorsement(B, key(C), b"nothing")),
    ],
    ids=["none", "too few", "one twice", "a stranger", "of another epoch", "bad", "bad key"],
)
def test_an_epoch_that_no_majority_has_signed_is_not_believed(proof: Proof) -> None:
    effects = council_of(B).learn((ABC.without(C),), (proof,))
    assert effects == [Note("an epoch that cannot be: nothing proves it")]


def test_a_learner_endorses_nothing() -> None:
    config = ABC.with_learner(D, key(D))
    new = config.with_voter(D)
    assert council_of(B, config).learn((new,), (endorsed(new, A, D),))[0] == Note(
        "an epoch that cannot be: nothing proves it"
    )


def test_a_chain_of_epochs_is_believed_as_far_as_it_is_proved() -> None:
    second = ABC.with_learner(D, key(D))
    third = second.without(C)
    good = (endorsed(second, A, B), endorsed(third, A, B))
    assert council_of(B).learn((third, second), good[::-1]) == [
        KeepConfig(5, (second, third), good)
    ]
    note, keep = council_of(B).learn((second, third), good[:1])
    assert isinstance(note, Note)
    assert keep == KeepConfig(5, (second,), good[:1])


def test_an_acceptance_without_a_good_signature_does_not_count() -> None:
    room = Room()
    wanted = ABC.without(C)
    room.do(A, room.councils[A].propose(0, 1, wanted))
    while not isinstance(room.mail[-1][1].message, Accepted):
        room.deliver(0)
    accepted = room.mail[-1][1].message
    council = room.councils[A]
    assert council.hear(B, replace(accepted, sig=b"forged")) == [
        Note("an acceptance without a good signature", B)
    ]
    assert of(KeepConfig, council.hear(B, accepted))


def test_a_signature_by_either_key_will_do_while_a_key_is_replaced() -> None:
    config = ABC.with_key(B, "key-new")
    new = config.without(C)
    council = council_of(A, config)
    old = Endorsement(B, key(B), key(B).encode() + b":" + endorsed_bytes(new))
    assert council._endorsement(B, new, old.sig) == old
    fresh = Endorsement(B, "key-new", b"key-new:" + endorsed_bytes(new))
    assert council._endorsement(B, new, fresh.sig) == fresh


def test_an_operator_forces_an_epoch_without_a_proof_and_nobody_else_believes_it() -> None:
    forced = ABC.forced((A,), "after the fire")
    council = council_of(A)
    assert council.force(forced) == [KeepConfig(5, (forced,), ((),))]
    assert of(Applied, council.kept(5)) == [Applied(forced)]
    assert council.config == forced
    assert of(KeepConfig, council_of(B).learn((forced,), ((),))) == []
    (left_out,) = council_of(B).force(forced)
    assert left_out == Note("an epoch that cannot be forced: this node would be left out")


def test_a_forced_epoch_that_the_disk_refused_is_not_adopted() -> None:
    council = council_of(A)
    council.force(ABC.forced((A,), "after the fire"))
    council.not_kept(5)
    assert council.kept(5) == []
    assert council.config == ABC


def test_a_lone_voter_decides_by_itself_and_proves_it() -> None:
    room = Room(config(A))
    wanted = config(A).with_learner(D, key(D))
    room.do(A, room.councils[A].propose(0, 1, wanted))
    assert Changed(1, won=True) in room.done
    assert room.councils[A].proofs == {2: endorsed(wanted, A)}
