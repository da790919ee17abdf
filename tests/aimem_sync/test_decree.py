"""One epoch has one config, whoever proposes and whatever is lost on the way."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from aimem_sync.decree import GIVE_UP_US, Council
from aimem_sync.effects import Applied, Changed, Effect, KeepConfig, KeepVote, Send, Vote
from aimem_sync.members import Config
from aimem_sync.messages import NO_BALLOT, Accept, Learn, Prepare
from tests.aimem_sync.cluster import ABC, A, B, C, D, key, of


class Room:
    """Councils with a disk each, and the messages between them."""

    def __init__(self, config: Config = ABC) -> None:
        self.tickets = 0
        self.mail: list[tuple[str, Send]] = []
        self.done: list[Effect] = []
        self.councils = {n: Council(n, [config], {}, self.ticket) for n in sorted(config.everyone)}

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
    assert council.hear(A, Prepare(2, (1, A))) == [Send(A, Learn((wanted,)))]


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
