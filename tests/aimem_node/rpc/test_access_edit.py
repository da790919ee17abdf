"""Changing who may call never leaves a list behind that a node would not start on."""

import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimem_node.clocks import SystemChance
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role
from aimem_node.replica.identity import Identity
from aimem_node.rpc import access_edit
from aimem_node.rpc.access import read_access
from aimem_node.rpc.access_edit import add_pin, create_token, remove_pin, revoke_token


@pytest.fixture
def peer(tmp_path: Path) -> Identity:
    return Identity.load_or_create(str(tmp_path / "peer"), SystemChance())


@pytest.fixture
def home(tmp_path: Path) -> str:
    path = tmp_path / "node"
    path.mkdir()
    return str(path)


def test_pinning_twice_changes_nothing_and_pinning_differently_is_refused(
    home: str, peer: Identity
) -> None:
    add_pin(home, peer.cert_pem, "a", Role.WRITER)
    before = Path(home, "access", "pins.txt").read_bytes()
    assert add_pin(home, peer.cert_pem, "a", Role.WRITER) == peer.fingerprint
    assert Path(home, "access", "pins.txt").read_bytes() == before
    with pytest.raises(Failure) as caught:
        add_pin(home, peer.cert_pem, "a", Role.ADMIN)
    assert caught.value.code is Code.CONFLICT


def test_a_place_is_kept_and_a_bad_one_changes_nothing(home: str, peer: Identity) -> None:
    add_pin(home, peer.cert_pem, "a", Role.WRITER, "acme/eng")
    create_token(home, "ci", Role.READER, place="acme")
    kept = read_access(home)
    assert [pin.place for pin in kept.pins.values()] == ["acme/eng"]
    assert [token.place for token in kept.tokens.values()] == ["acme"]
    for place in ("a b", "a//b", "_x", " a", "a #b", "a\nb", "é"):
        with pytest.raises(Failure) as caught:
            create_token(home, "other", Role.READER, place=place)
        assert caught.value.code is Code.INVALID_ARGUMENT
    with pytest.raises(Failure, match="writer in acme/eng"):
        add_pin(home, peer.cert_pem, "a", Role.WRITER)
    assert read_access(home) == kept


def test_comments_and_other_lines_survive_every_change(home: str, peer: Identity) -> None:
    path = Path(home, "access", "pins.txt")
    path.parent.mkdir()
    path.write_text("# ours, keep\n\n# no newline at the end")
    add_pin(home, peer.cert_pem, "a", Role.WRITER)
    assert path.read_text().startswith("# ours, keep\n\n# no newline at the end\nsha256:")
    remove_pin(home, "a")
    assert path.read_text() == "# ours, keep\n\n# no newline at the end\n"


@pytest.mark.parametrize("spelling", ["name", "fingerprint", "sha256", "colons"])
def test_a_pin_is_removed_by_name_and_by_any_spelling_of_its_fingerprint(
    home: str, peer: Identity, spelling: str
) -> None:
    add_pin(home, peer.cert_pem, "a", Role.WRITER)
    digits = peer.fingerprint.upper()
    which = {
        "name": "a",
        "fingerprint": digits,
        "sha256": f"sha256:{digits}",
        "colons": ":".join(digits[at : at + 2] for at in range(0, 64, 2)),
    }[spelling]
    assert remove_pin(home, which) == (peer.fingerprint,)
    assert not read_access(home).pins
    assert not list(Path(home, "access", "certs").iterdir())


def test_what_is_not_there_cannot_be_removed(home: str) -> None:
    for remove in (remove_pin, revoke_token):
        with pytest.raises(Failure) as caught:
            remove(home, "nobody")
        assert caught.value.code is Code.NOT_FOUND


def test_two_tokens_cannot_share_a_name(home: str) -> None:
    create_token(home, "ci", Role.READER)
    with pytest.raises(Failure) as caught:
        create_token(home, "CI", Role.ADMIN)
    assert caught.value.code is Code.CONFLICT
    assert revoke_token(home, "ci").role is Role.READER
    assert create_token(home, "ci", Role.ADMIN).startswith("aimem_")


def test_only_the_owner_can_read_the_files(home: str, peer: Identity) -> None:
    add_pin(home, peer.cert_pem, "a", Role.WRITER)
    create_token(home, "ci", Role.READER)
    for name in ("pins.txt", "tokens.txt"):
        assert stat.S_IMODE(os.stat(Path(home, "access", name)).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(Path(home, "access")).st_mode) == 0o700


def test_a_malformed_list_is_not_edited(home: str, peer: Identity) -> None:
    path = Path(home, "access", "tokens.txt")
    path.parent.mkdir()
    path.write_text("what is this\n")
    with pytest.raises(Failure, match="line 1"):
        add_pin(home, peer.cert_pem, "a", Role.WRITER)
    assert not Path(home, "access", "pins.txt").exists()


@settings(max_examples=60, deadline=None)
@given(name=st.text(max_size=12), pattern=st.text(max_size=12))
def test_no_name_or_pattern_smuggles_in_another_line(
    tmp_path_factory: pytest.TempPathFactory, name: str, pattern: str
) -> None:
    home = str(tmp_path_factory.mktemp("n"))
    try:
        create_token(home, name, Role.READER, pattern)
    except Failure:
        assert not read_access(home).tokens
        return
    (token,) = read_access(home).tokens.values()
    assert (token.name, token.agent_pattern, token.role) == (name, pattern, Role.READER)


def test_a_failure_to_write_is_told_and_leaves_the_old_list(
    home: str, peer: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_token(home, "ci", Role.READER)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(access_edit.os, "fsync", full)
        with pytest.raises(Failure) as caught:
            create_token(home, "job", Role.READER)
    assert caught.value.code is Code.STORAGE
    assert [token.name for token in read_access(home).tokens.values()] == ["ci"]


def test_editors_at_the_same_time_lose_nothing(home: str) -> None:
    threads = [
        threading.Thread(target=create_token, args=(home, f"job-{number}", Role.READER))
        for number in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_access(home).tokens) == 12
