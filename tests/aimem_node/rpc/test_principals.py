"""The connection decides who calls; nothing a request says can change it."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.clocks import SystemChance
from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role
from aimem_node.replica.identity import Identity
from aimem_node.rpc.access import LOOK_EVERY_US, Access
from aimem_node.rpc.access_edit import add_pin, create_token, remove_pin
from aimem_node.rpc.principals import (
    ROLES,
    Authenticator,
    Kind,
    Principal,
    may_claim,
    resolve_agent,
)


class HandClock:
    """Stands still until it is moved."""

    us = 1_000_000

    def now_us(self) -> int:
        return self.us

    def monotonic_us(self) -> int:
        return self.us


class Door:
    """An authenticator with its files and clock, for one test."""

    def __init__(self, home: Path) -> None:
        self.home = str(home)
        self.clock = HandClock()
        self.access = Access(self.home, self.clock)
        self.owner = os.geteuid()

    def admit(
        self,
        channel: Channel,
        *,
        uid: int | None = None,
        bearer: str | None = None,
        fingerprint: str | None = None,
        http_open: bool = False,
        place: str = "",
    ) -> Principal:
        self.clock.us += LOOK_EVERY_US
        authenticator = Authenticator(
            self.access, self.clock, self.owner, http_open=http_open, place=place
        )
        return authenticator.authenticate(
            Credentials(channel=channel, uid=uid, pid=None, bearer=bearer, fingerprint=fingerprint)
        )

    def refusal(self, channel: Channel, **known: object) -> Failure:
        with pytest.raises(Failure) as caught:
            self.admit(channel, **known)  # type: ignore[arg-type]
        assert caught.value.next, "every refusal names the remedy"
        return caught.value


@pytest.fixture
def door(tmp_path: Path) -> Door:
    home = tmp_path / "node"
    home.mkdir()
    return Door(home)


@pytest.fixture
def peer(tmp_path: Path) -> Identity:
    return Identity.load_or_create(str(tmp_path / "peer"), SystemChance())


def test_the_owner_and_root_are_admins_over_the_unix_socket(door: Door) -> None:
    door.owner = 4242
    owner, root = door.admit(Channel.UNIX, uid=4242), door.admit(Channel.UNIX, uid=0)
    assert owner == Principal("user:4242", Kind.LOCAL, ROLES[Role.ADMIN])
    assert (root.id, root.roles) == ("user:root", ROLES[Role.ADMIN])


@pytest.mark.parametrize("uid", [4243, None])
def test_another_user_and_an_unknown_one_are_refused(door: Door, uid: int | None) -> None:
    door.owner = 4242
    assert door.refusal(Channel.UNIX, uid=uid).code is Code.PERMISSION_DENIED


def test_the_node_itself_is_its_owner(door: Door) -> None:
    door.owner = 4242
    assert door.admit(Channel.INPROCESS).id == "user:4242"
    assert door.refusal(Channel.INPROCESS, uid=4243).code is Code.PERMISSION_DENIED


def test_loopback_takes_a_token_unless_it_was_opened(door: Door) -> None:
    assert door.refusal(Channel.LOOPBACK).code is Code.UNAUTHENTICATED
    assert door.refusal(Channel.LOOPBACK, uid=os.geteuid()).code is Code.UNAUTHENTICATED
    opened = door.admit(Channel.LOOPBACK, http_open=True)
    assert opened == Principal("loopback", Kind.LOOPBACK, ROLES[Role.WRITER])


def test_a_pinned_key_has_the_role_of_its_pin(door: Door, peer: Identity) -> None:
    add_pin(door.home, peer.cert_pem, "laptop", Role.WRITER)
    principal = door.admit(Channel.TLS, fingerprint=peer.fingerprint)
    assert principal == Principal("cert:laptop", Kind.CERTIFICATE, ROLES[Role.WRITER])
    principal.require(Role.WRITER)
    with pytest.raises(Failure, match="takes the role admin") as caught:
        principal.require(Role.ADMIN)
    assert "access/pins.txt" in caught.value.next


def test_a_key_that_is_not_pinned_is_refused_even_with_a_good_token(
    door: Door, peer: Identity
) -> None:
    bearer = create_token(door.home, "ci", Role.ADMIN)
    refused = door.refusal(Channel.TLS, fingerprint=peer.fingerprint, bearer=bearer)
    assert refused.code is Code.UNAUTHENTICATED
    assert peer.fingerprint in refused.message


def test_removing_a_pin_refuses_its_key(door: Door, peer: Identity) -> None:
    add_pin(door.home, peer.cert_pem, "laptop", Role.WRITER)
    door.admit(Channel.TLS, fingerprint=peer.fingerprint)
    remove_pin(door.home, "laptop")
    assert door.refusal(Channel.TLS, fingerprint=peer.fingerprint).code is Code.UNAUTHENTICATED


@pytest.mark.parametrize("channel", [Channel.TLS, Channel.LOOPBACK])
def test_a_token_says_who_calls_where_the_connection_does_not(door: Door, channel: Channel) -> None:
    bearer = create_token(door.home, "ci", Role.READER, "ai:ci-*")
    principal = door.admit(channel, bearer=bearer)
    assert principal == Principal("token:ci", Kind.TOKEN, ROLES[Role.READER], "ai:ci-*")
    assert door.refusal(channel, bearer=bearer + "x").code is Code.UNAUTHENTICATED
    assert door.refusal(channel, bearer="").code is Code.UNAUTHENTICATED


def test_a_token_ends_at_its_moment(door: Door) -> None:
    bearer = create_token(door.home, "ci", Role.READER, expires_us=10_000_000)
    door.clock.us = 10_000_000 - LOOK_EVERY_US - 1
    door.admit(Channel.TLS, bearer=bearer)
    door.clock.us = 10_000_000 - LOOK_EVERY_US
    assert "expired" in door.refusal(Channel.TLS, bearer=bearer).message


def test_a_token_never_widens_what_the_connection_may_do(door: Door, peer: Identity) -> None:
    add_pin(door.home, peer.cert_pem, "laptop", Role.READER)
    bearer = create_token(door.home, "boss", Role.ADMIN)
    principal = door.admit(Channel.TLS, fingerprint=peer.fingerprint, bearer=bearer)
    assert (principal.id, principal.roles) == ("token:boss", ROLES[Role.READER])
    door.owner = 4242
    assert door.refusal(Channel.UNIX, uid=1, bearer=bearer).code is Code.PERMISSION_DENIED


def test_a_bad_token_is_refused_even_where_none_was_needed(door: Door) -> None:
    refused = door.refusal(Channel.UNIX, uid=os.geteuid(), bearer="wrong")
    assert refused.code is Code.UNAUTHENTICATED


def test_a_certificate_without_tls_counts_for_nothing(door: Door, peer: Identity) -> None:
    add_pin(door.home, peer.cert_pem, "laptop", Role.ADMIN)
    refused = door.refusal(Channel.LOOPBACK, fingerprint=peer.fingerprint)
    assert refused.code is Code.UNAUTHENTICATED


def test_everybody_stands_where_the_operator_put_them(door: Door, peer: Identity) -> None:
    assert door.admit(Channel.UNIX, uid=door.owner, place="acme").place == "acme"
    assert door.admit(Channel.INPROCESS, place="acme").place == "acme"
    assert door.admit(Channel.LOOPBACK, http_open=True, place="acme").place == "acme"
    add_pin(door.home, peer.cert_pem, "laptop", Role.WRITER, "acme/eng")
    assert door.admit(Channel.TLS, fingerprint=peer.fingerprint, place="acme").place == "acme/eng"
    bearer = create_token(door.home, "ci", Role.READER, place="acme/web")
    assert door.admit(Channel.LOOPBACK, bearer=bearer, http_open=True).place == "acme/web"
    assert door.admit(Channel.UNIX, uid=door.owner).place == ""


def test_a_token_never_stands_elsewhere_than_the_connection(door: Door, peer: Identity) -> None:
    add_pin(door.home, peer.cert_pem, "laptop", Role.WRITER, "acme/eng")
    plain = create_token(door.home, "plain", Role.READER)
    same = create_token(door.home, "same", Role.READER, place="acme/eng")
    other = create_token(door.home, "other", Role.READER, place="acme")
    for bearer in (plain, same):
        principal = door.admit(Channel.TLS, fingerprint=peer.fingerprint, bearer=bearer)
        assert principal.place == "acme/eng"
    refused = door.refusal(Channel.TLS, fingerprint=peer.fingerprint, bearer=other)
    assert refused.code is Code.PERMISSION_DENIED
    assert door.admit(Channel.UNIX, uid=door.owner, bearer=plain, place="acme").place == "acme"


def test_a_place_that_is_changed_in_the_file_is_in_force_at_once(door: Door) -> None:
    bearer = create_token(door.home, "ci", Role.READER, place="acme/web")
    tokens = Path(door.home, "access", "tokens.txt")
    tokens.write_text(tokens.read_text().replace("acme/web", "acme/eng"))
    assert door.admit(Channel.LOOPBACK, bearer=bearer).place == "acme/eng"


ANN = Principal("user:ann", Kind.LOCAL, ROLES[Role.ADMIN])
CI = Principal("token:ci", Kind.TOKEN, ROLES[Role.WRITER], "ai:ci-*")


def test_an_agent_id_is_the_claim_then_the_hint_then_the_principal() -> None:
    assert resolve_agent(ANN, "ai:claude", "ai:hint") == "ai:claude"
    assert resolve_agent(ANN, None, "ai:hint") == "ai:hint"
    assert resolve_agent(ANN, None, "") == "user:ann"
    assert resolve_agent(ANN, "user:ann") == "user:ann"


def test_a_hint_that_may_not_be_used_is_passed_over() -> None:
    for hint in ("system", "user:bob", "node:x", "has space", "x" * 129, "ünïcode"):
        assert resolve_agent(ANN, None, hint) == "user:ann"
    assert resolve_agent(CI, None, "ai:other") == "token:ci"


def test_a_token_speaks_only_for_the_agents_granted_to_it() -> None:
    assert resolve_agent(CI, "ai:ci-7") == "ai:ci-7"
    assert resolve_agent(CI, "token:ci") == "token:ci"
    assert may_claim(CI, "ai:ci-7")
    assert not may_claim(CI, "ai:boss")
    with pytest.raises(Failure) as caught:
        resolve_agent(CI, "ai:boss")
    assert (caught.value.code, caught.value.path) == (Code.PERMISSION_DENIED, "$.agent_id")
    assert "'ai:ci-*'" in caught.value.next


reserved = st.sampled_from(["system", "loopback", "node", "user", "token", "cert"])
capitals = st.lists(st.booleans(), min_size=8, max_size=8)


@given(reserved, capitals, st.just("") | st.text("abn01:@./-_", max_size=8).map(":".__add__))
def test_an_internal_name_cannot_be_spelled_by_anyone(
    word: str, upper: list[bool], tail: str
) -> None:
    letters = zip(word, upper, strict=False)
    claim = "".join(letter.upper() if high else letter for letter, high in letters) + tail
    for principal in (ANN, Principal("cert:x", Kind.CERTIFICATE, ROLES[Role.ADMIN], "*")):
        assert may_claim(principal, claim) == (claim == principal.id)


@given(st.text(max_size=140), st.text(max_size=140))
def test_whatever_is_claimed_the_answer_is_a_sound_id_or_a_refusal(claim: str, hint: str) -> None:
    for principal in (ANN, CI):
        try:
            agent_id = resolve_agent(principal, claim, hint)
        except Failure:
            assert claim
            assert not may_claim(principal, claim)
            continue
        assert agent_id in {claim, hint, principal.id}
        assert agent_id.isascii()
        assert 0 < len(agent_id) <= 128
        assert agent_id == principal.id or may_claim(principal, agent_id)
