"""The sponsor believes a proof and nothing else, and says which part of it is wrong."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from aimem_node.clocks import SystemChance
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica import admission as module
from aimem_node.replica.handshake import (
    KNOCKING,
    Begin,
    Begun,
    Prove,
    Proved,
    Stage,
    is_mac_of,
    joiner_words,
    mac_of,
    sponsor_words,
    transcript,
)
from aimem_node.replica.identity import Identity
from aimem_node.replica.knocks import KNOCK_LASTS_US
from aimem_node.replica.line import Line, parse_line
from aimem_sync.members import Role
from tests.aimem_node.replica.joining_stage import Pair, bent, play

SECOND_US = 1_000_000


class Guest:
    """The joining machine, done by hand."""

    def __init__(self, pair: Pair, line: Line | None, identity: Identity | None = None) -> None:
        self.pair = pair
        self.line = line
        self.identity = identity or pair.new.identity
        self.address = "192.0.2.7:7946"

    def begin(self, **changes: Any) -> tuple[Begin, Begun]:
        invite_id = self.line.invite_id if self.line else KNOCKING
        begin = Begin(invite_id, self.identity.cert_pem, b"n" * 16, "lab-2", self.address)
        begin = bent(begin, **changes)
        return begin, self.pair.office.begin(begin, "ipv4:192.0.2.7")

    def proof(self, begin: Begin, begun: Begun, secret: bytes | None = None) -> Prove:
        words = self.words(begin, begun)
        mac = b""
        if self.line is not None:
            mac = mac_of(secret or self.line.secret, self.line.invite_id, words)
        return Prove(begun.session, self.identity.sign(words), mac)

    def words(self, begin: Begin, begun: Begun) -> bytes:
        return joiner_words(transcript(begin, begun, self.pair.old.identity.certificate))

    async def enter(self) -> Proved:
        begin, begun = self.begin()
        return await self.pair.office.prove(self.proof(begin, begun))


async def refused(call: Awaitable[Any], code: Code, why: str) -> Failure:
    with pytest.raises(Failure) as caught:
        await call
    assert caught.value.code is code
    assert why in caught.value.message
    return caught.value


async def guest(pair: Pair, **asked: Any) -> Guest:
    return Guest(pair, parse_line(await pair.line(**asked)))


def test_a_line_says_where_whom_and_until_when(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        made = await pair.office.invite("lab-2", 900, "lab-1.example:7946")
        line = parse_line(made.line)
        assert line.addresses[0] == made.address == "lab-1.example:7947"
        assert line.fingerprint == pair.old.identity.fingerprint
        assert line.cluster_id == "c-lab-1"
        assert line.expires_us == made.expires_us == pair.clock.us + 900 * SECOND_US
        assert (line.name, line.invite_id) == ("lab-2", made.invite_id)
        assert pair.listener.port == 7947

    play(tmp_path, scene)


def test_a_machine_with_the_line_becomes_a_learner(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        one = await guest(pair)
        begin, begun = one.begin()
        proved = await pair.office.prove(one.proof(begin, begun))
        member = pair.old.config.member(pair.new.identity.node_id)
        assert member is not None
        assert (member.role, member.name, member.address) == (Role.LEARNER, "lab-2", one.address)
        assert pair.old.config.certificate_of(pair.new.identity.fingerprint)
        assert proved.word.stage is Stage.ADMITTED
        assert list(proved.word.history) == pair.old.history
        assert list(proved.word.proofs) == pair.old.proofs
        words = sponsor_words(transcript(begin, begun, pair.old.identity.certificate))
        assert pair.old.identity.certificate.verifies(proved.signature, words)
        assert one.line is not None
        assert is_mac_of(proved.mac, one.line.secret, one.line.invite_id, words)
        assert (await pair.office.poll(begun.session)).stage is Stage.ADMITTED

    play(tmp_path, scene)


def test_the_same_machine_may_come_again_and_changes_nothing(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        one = await guest(pair)
        await one.enter()
        epoch = pair.old.config.epoch
        pair.office = pair.make_office()
        assert (await one.enter()).word.stage is Stage.ADMITTED
        assert pair.old.config.epoch == epoch

    play(tmp_path, scene)


def test_another_machine_with_the_same_line_is_refused(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        one = await guest(pair)
        await one.enter()
        thief = Identity.load_or_create(str(tmp_path / "thief"), SystemChance())
        with pytest.raises(Failure, match="used already"):
            Guest(pair, one.line, thief).begin()

    play(tmp_path, scene)


def test_a_wrong_secret_is_refused_and_the_fifth_ends_the_invitation(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        one = await guest(pair)
        for left in range(4, -1, -1):
            wrong = one.proof(*one.begin(), secret=b"x" * 16)
            failure = await refused(
                pair.office.prove(wrong), Code.PERMISSION_DENIED, "secret is not the one"
            )
            assert failure.details["tries_left"] == left
        with pytest.raises(Failure, match="ended after 5 wrong proofs"):
            one.begin()
        assert len(pair.old.config.members) == 1

    play(tmp_path, scene)


def test_a_repeated_proof_is_refused_in_its_session_and_in_another(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        one = await guest(pair)
        proof = one.proof(*one.begin())
        await pair.office.prove(proof)
        await refused(pair.office.prove(proof), Code.PERMISSION_DENIED, "given already")
        _, begun = one.begin()
        again = Prove(begun.session, proof.signature, proof.mac)
        await refused(pair.office.prove(again), Code.PERMISSION_DENIED, "not over what was agreed")

    play(tmp_path, scene)


def test_a_session_has_one_try(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        one = await guest(pair)
        begin, begun = one.begin()
        wrong = one.proof(begin, begun, secret=b"x" * 16)
        await refused(pair.office.prove(wrong), Code.PERMISSION_DENIED, "secret")
        await refused(pair.office.prove(one.proof(begin, begun)), Code.NOT_FOUND, "session")

    play(tmp_path, scene)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "evil"},
        {"address": "192.0.2.66:7946"},
        {"nonce": b"m" * 16},
        {"certificate": "the sponsor's own"},
    ],
)
def test_whatever_is_changed_on_the_way_is_noticed(tmp_path: Path, change: dict[str, Any]) -> None:
    async def scene(pair: Pair) -> None:
        one = await guest(pair)
        if "certificate" in change:
            change["certificate"] = pair.old.identity.cert_pem
        meant, _ = one.begin()
        _, begun = one.begin(**change)
        await refused(
            pair.office.prove(one.proof(meant, begun)),
            Code.PERMISSION_DENIED,
            "signature is not over what was agreed",
        )
        assert len(pair.old.config.members) == 1

    play(tmp_path, scene)


def test_a_key_that_is_not_the_certificates_is_refused(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        one = await guest(pair)
        begin, begun = one.begin()
        one.identity = pair.old.identity
        await refused(
            pair.office.prove(one.proof(begin, begun)), Code.PERMISSION_DENIED, "signature"
        )

    play(tmp_path, scene)


def test_an_expired_line_is_refused_by_the_sponsors_clock(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        one = await guest(pair, ttl_s=10)
        begin, begun = one.begin()
        pair.clock.us += 10 * SECOND_US
        with pytest.raises(Failure, match="has expired"):
            one.begin()
        await refused(
            pair.office.prove(one.proof(begin, begun)), Code.PERMISSION_DENIED, "has expired"
        )

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("change", "code", "why"),
    [
        ({"protocol": 2}, Code.UNIMPLEMENTED, "speaks version 2"),
        ({"certificate": b"no"}, Code.INVALID_ARGUMENT, "not a PEM"),
        ({"nonce": b"short"}, Code.INVALID_ARGUMENT, "nonce"),
        ({"name": "a\nb"}, Code.INVALID_ARGUMENT, "name"),
        ({"name": "x" * 65}, Code.INVALID_ARGUMENT, "name"),
        ({"address": "nowhere"}, Code.INVALID_ARGUMENT, "host:port"),
        ({"invite_id": "00" * 8}, Code.NOT_FOUND, "no such invitation"),
    ],
)
def test_an_odd_introduction_is_refused(
    tmp_path: Path, change: dict[str, Any], code: Code, why: str
) -> None:
    async def scene(pair: Pair) -> None:
        one = await guest(pair)
        with pytest.raises(Failure) as caught:
            one.begin(**change)
        assert caught.value.code is code
        assert why in caught.value.message

    play(tmp_path, scene)


def test_a_session_that_nobody_proves_is_forgotten(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        one = await guest(pair)
        proof = one.proof(*one.begin())
        pair.clock.us += module.PROVE_WITHIN_US
        await refused(pair.office.prove(proof), Code.NOT_FOUND, "session")
        await refused(pair.office.poll("unknown"), Code.NOT_FOUND, "session")

    play(tmp_path, scene)


def test_those_who_only_begin_never_become_too_many(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        one = await guest(pair)
        first = one.proof(*one.begin())
        for _ in range(module.SESSIONS_MAX):
            one.begin()
        await refused(pair.office.prove(first), Code.NOT_FOUND, "session")
        assert len(pair.office._new) == module.SESSIONS_MAX

    play(tmp_path, scene)


def test_no_majority_means_wait_and_the_next_question_asks_again(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        one = await guest(pair)
        pair.old.refuses = [Failure(Code.UNAVAILABLE, "no majority has answered")]
        begin, begun = one.begin()
        word = (await pair.office.prove(one.proof(begin, begun))).word
        assert (word.stage, word.said) == (Stage.DECIDING, "no majority has answered")
        assert (await pair.office.poll(begun.session)).stage is Stage.ADMITTED

    play(tmp_path, scene)


def test_a_slow_decree_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_WITHIN_S", 0)

    async def scene(pair: Pair) -> None:
        one = await guest(pair)
        pair.old.hold = asyncio.Event()
        begin, begun = one.begin()
        assert (await pair.office.prove(one.proof(begin, begun))).word.stage is Stage.DECIDING
        pair.old.hold.set()
        await asyncio.gather(*pair.office._deciding.values())
        assert (await pair.office.poll(begun.session)).stage is Stage.ADMITTED

    play(tmp_path, scene)


def test_an_evicted_machine_does_not_come_back_under_its_old_key(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        one = await guest(pair)
        await one.enter()
        pair.old.decided(pair.old.config.without(pair.new.identity.node_id), ())
        await refused(one.enter(), Code.CONFLICT, "was evicted")

    play(tmp_path, scene)


def test_a_copy_of_a_members_directory_with_another_key_is_refused(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        await (await guest(pair)).enter()
        copy = pair.new.identity.make_next(str(pair.new.data_dir), SystemChance())
        line = parse_line(await pair.line())
        await refused(Guest(pair, line, copy).enter(), Code.CONFLICT, "under another key")

    play(tmp_path, scene)


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        pair.old.name = "lab-2"
        pair.old.decided(pair.old.config.with_address(pair.old.identity.node_id, "lab-2", ""), ())
        await (await guest(pair)).enter()
        assert sorted(m.name for m in pair.old.config.members) == ["lab-2", "lab-2-2"]

    play(tmp_path, scene)


def test_who_does_not_vote_invites_nobody(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        pair.old.decided(pair.old.config.with_learner("f" * 32, "e" * 64), ())
        pair.old.identity = bent(pair.old.identity, node_id="f" * 32)
        await refused(pair.office.invite("", 900), Code.CONFLICT, "does not vote")
        await refused(pair.office.approve("ab" * 8), Code.CONFLICT, "does not vote")

    play(tmp_path, scene)


def test_a_machine_that_knocks_waits_until_it_is_approved(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        one = Guest(pair, None)
        begin, begun = one.begin()
        proved = await pair.office.prove(one.proof(begin, begun))
        assert proved.word.stage is Stage.WAITING
        assert proved.mac == b""
        (shown,) = pair.office.knocks()
        assert (shown.fingerprint, shown.name) == (pair.new.identity.fingerprint, "lab-2")
        assert (await pair.office.poll(begun.session)).stage is Stage.WAITING
        wanted = "sha256:" + pair.new.identity.fingerprint[:12].upper()
        member, epoch = await pair.office.approve(wanted, "lab-9")
        assert (member.name, epoch) == ("lab-9", 2)
        assert pair.office.knocks() == ()
        assert (await pair.office.poll(begun.session)).stage is Stage.ADMITTED
        again, _ = await pair.office.approve(pair.new.identity.fingerprint)
        assert again == member

    play(tmp_path, scene)


def test_a_knock_with_a_wrong_signature_is_not_remembered(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        one = Guest(pair, None)
        begin, begun = one.begin()
        one.identity = pair.old.identity
        await refused(
            pair.office.prove(one.proof(begin, begun)), Code.PERMISSION_DENIED, "signature"
        )
        assert pair.office.knocks() == ()

    play(tmp_path, scene)


def test_a_knock_that_nobody_answers_ends(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        one = Guest(pair, None)
        begin, begun = one.begin()
        await pair.office.prove(one.proof(begin, begun))
        for _ in range(3):
            pair.clock.us += KNOCK_LASTS_US // 4
            await pair.office.poll(begun.session)
        pair.clock.us += KNOCK_LASTS_US // 4
        await refused(pair.office.poll(begun.session), Code.NOT_FOUND, "waits here")
        await refused(
            pair.office.approve(pair.new.identity.fingerprint), Code.NOT_FOUND, "waits here"
        )

    play(tmp_path, scene)


def test_an_approval_without_a_majority_holds_until_the_machine_asks_again(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        one = Guest(pair, None)
        begin, begun = one.begin()
        await pair.office.prove(one.proof(begin, begun))
        pair.old.refuses = [Failure(Code.UNAVAILABLE, "no majority has answered")]
        await refused(
            pair.office.approve(pair.new.identity.fingerprint), Code.UNAVAILABLE, "no majority"
        )
        pair.office = pair.make_office()
        assert (await one.enter()).word.stage is Stage.ADMITTED

    play(tmp_path, scene)


def test_the_way_in_is_open_while_an_invitation_is_good_also_after_a_restart(
    tmp_path: Path,
) -> None:
    async def scene(pair: Pair) -> None:
        async def turns(office: Any) -> None:
            door = asyncio.create_task(office.keep_door())
            await pair.listener.turned.wait()
            pair.listener.turned.clear()
            door.cancel()

        await turns(pair.office)
        assert pair.listener.port == 0
        await pair.line(ttl_s=10)
        pair.listener.port = 0
        pair.listener.turned.clear()
        await turns(pair.make_office())
        assert pair.listener.port == pair.old.port + 1
        pair.clock.us += 10 * SECOND_US
        await turns(pair.make_office())
        assert pair.listener.port == 0

    play(tmp_path, scene)


def test_the_way_in_opens_for_an_invitation_and_closes_by_itself(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        door = asyncio.create_task(pair.office.keep_door())
        await pair.listener.turned.wait()
        await pair.line(ttl_s=10)
        assert pair.listener.port
        pair.clock.us += 10 * SECOND_US
        pair.listener.turned.clear()
        pair.office.look_again()
        while pair.listener.port:
            await pair.listener.turned.wait()
            pair.listener.turned.clear()
        door.cancel()

    play(tmp_path, scene)
