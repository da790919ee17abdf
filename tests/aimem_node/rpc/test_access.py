"""The access list follows its files, and what cannot be read never takes effect."""

import os
from pathlib import Path

import pytest

from aimem_node.clocks import SystemChance
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role
from aimem_node.replica.identity import Identity
from aimem_node.rpc.access import LOOK_EVERY_US, Access, read_access
from aimem_node.rpc.access_edit import add_pin, create_token, remove_pin, revoke_token


class HandClock:
    """Stands still until it is moved."""

    us = 1_000_000

    def now_us(self) -> int:
        return self.us

    def monotonic_us(self) -> int:
        return self.us

    def to_next_look(self) -> None:
        self.us += LOOK_EVERY_US


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def peer(tmp_path: Path) -> Identity:
    return Identity.load_or_create(str(tmp_path / "peer"), SystemChance())


@pytest.fixture
def home(tmp_path: Path) -> str:
    path = tmp_path / "node"
    path.mkdir()
    return str(path)


def test_without_files_nobody_may_call(home: str, clock: HandClock) -> None:
    found = Access(home, clock).current()
    assert (found.pins, found.tokens, found.roots_pem) == ({}, {}, b"")


def test_a_change_of_the_files_is_in_force_at_the_next_look(
    home: str, clock: HandClock, peer: Identity
) -> None:
    access = Access(home, clock)
    add_pin(home, peer.cert_pem, "laptop", Role.WRITER)
    assert not access.current().pins
    clock.to_next_look()
    assert access.current().pins[peer.fingerprint].name == "laptop"
    assert access.current().roots_pem == peer.cert_pem
    remove_pin(home, "laptop")
    clock.to_next_look()
    assert not access.current().pins
    assert access.error is None


def test_a_file_that_breaks_while_running_leaves_the_last_good_list_in_force(
    home: str, clock: HandClock, peer: Identity
) -> None:
    add_pin(home, peer.cert_pem, "laptop", Role.WRITER)
    access = Access(home, clock)
    pins = Path(home, "access", "pins.txt")
    good = pins.read_bytes()
    pins.write_bytes(good + b"what is this\n")
    clock.to_next_look()
    assert peer.fingerprint in access.current().pins
    assert access.error is not None
    assert access.error.path == "access/pins.txt:4"
    pins.write_bytes(good)
    clock.to_next_look()
    assert peer.fingerprint in access.current().pins
    assert access.error is None


@pytest.mark.parametrize("name", ["pins.txt", "tokens.txt"])
def test_a_file_that_is_broken_at_the_start_refuses_to_start(
    home: str, clock: HandClock, name: str
) -> None:
    Path(home, "access").mkdir()
    Path(home, "access", name).write_text("what is this\n")
    with pytest.raises(Failure, match="line 1"):
        Access(home, clock)


def test_a_list_that_another_user_could_write_refuses_to_start(home: str, clock: HandClock) -> None:
    create_token(home, "ci", Role.READER)
    os.chmod(Path(home, "access", "tokens.txt"), 0o620)
    with pytest.raises(Failure, match="another user") as caught:
        Access(home, clock)
    assert "chmod 600" in caught.value.next


def test_a_pin_whose_certificate_is_missing_or_another_one_refuses_to_start(
    home: str, clock: HandClock, peer: Identity, tmp_path: Path
) -> None:
    add_pin(home, peer.cert_pem, "laptop", Role.WRITER)
    cert = Path(home, "access", "certs", f"{peer.fingerprint}.pem")
    other = Identity.load_or_create(str(tmp_path / "other"), SystemChance())
    for content, why in ((other.cert_pem, "another certificate"), (b"x", "PEM"), (None, "missing")):
        if content is None:
            cert.unlink()
        else:
            cert.write_bytes(content)
        with pytest.raises(Failure, match=why) as caught:
            Access(home, clock)
        assert caught.value.path == "access/pins.txt:3"


def test_deleting_the_file_revokes_everybody(home: str, clock: HandClock, peer: Identity) -> None:
    add_pin(home, peer.cert_pem, "laptop", Role.WRITER)
    access = Access(home, clock)
    Path(home, "access", "pins.txt").unlink()
    clock.to_next_look()
    assert not access.current().pins


def test_the_files_are_not_even_looked_at_more_often_than_promised(
    home: str, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = Access(home, clock)
    looks = []
    monkeypatch.setattr(access, "_reload", lambda: looks.append(clock.us))
    for _ in range(40):
        clock.us += LOOK_EVERY_US // 10
        access.current()
    assert len(looks) == 4


def test_a_token_is_found_by_its_text_and_kept_only_as_a_hash(home: str, clock: HandClock) -> None:
    bearer = create_token(home, "ci", Role.WRITER, "ai:*", expires_us=99)
    found = Access(home, clock).current()
    token = found.token(bearer)
    assert token is not None
    assert (token.name, token.role, token.agent_pattern, token.expires_us) == (
        "ci",
        Role.WRITER,
        "ai:*",
        99,
    )
    assert found.token(bearer + "x") is None
    assert found.token("\ud800") is None
    assert bearer not in Path(home, "access", "tokens.txt").read_text()
    assert token.sha256 not in repr(found)


def test_a_directory_where_a_file_should_be_is_a_failure_and_not_an_empty_list(
    home: str, clock: HandClock
) -> None:
    Path(home, "access", "pins.txt").mkdir(parents=True)
    with pytest.raises(Failure) as caught:
        read_access(home)
    assert caught.value.code in {Code.STORAGE, Code.INVALID_ARGUMENT}


def test_revoking_a_token_takes_effect_at_the_next_look(home: str, clock: HandClock) -> None:
    bearer = create_token(home, "ci", Role.READER)
    access = Access(home, clock)
    revoke_token(home, "ci")
    clock.to_next_look()
    assert access.current().token(bearer) is None
