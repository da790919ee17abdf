"""The operator's commands on a node's files. No node runs, and none of them needs one."""

import stat
import time
from pathlib import Path
from typing import Any

import pytest

from aimem_node import admin
from aimem_node.contract.errors import Code, Failure
from tests.harness import DAY_US, Harness


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "d"


def do(data_dir: Path, command: str, **given: Any) -> dict[str, Any]:
    return admin.run(command, {"data_dir": str(data_dir), **given})


def refused(data_dir: Path, command: str, **given: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        do(data_dir, command, **given)
    return caught.value


def test_an_identity_is_made_once_and_its_key_never_shown(data_dir: Path) -> None:
    first = do(data_dir, "identity")
    assert do(data_dir, "identity") == first
    assert "BEGIN CERTIFICATE" in first["certificate"]
    assert "PRIVATE" not in str(first)
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700


def test_a_certificate_is_pinned_listed_and_removed(data_dir: Path, tmp_path: Path) -> None:
    other = do(tmp_path / "other", "identity")
    file = tmp_path / "other.crt"
    file.write_text(other["certificate"])
    added = do(data_dir, "pin-add", certificate=str(file), name="laptop")
    assert added["fingerprint"] == other["fingerprint"]
    [pin] = do(data_dir, "pin-list")["pins"]
    assert pin == {
        "fingerprint": other["fingerprint"], "name": "laptop", "role": "writer", "place": "",
    }  # fmt: skip
    assert added["sees"].startswith("everything")
    assert do(data_dir, "pin-remove", name="laptop")["removed"] == [other["fingerprint"]]
    assert do(data_dir, "pin-list")["pins"] == []
    assert refused(data_dir, "pin-remove", name="laptop").code == Code.NOT_FOUND


def test_a_certificate_that_is_not_there_is_named(data_dir: Path, tmp_path: Path) -> None:
    failure = refused(data_dir, "pin-add", certificate=str(tmp_path / "none.crt"), name="x")
    assert failure.code == Code.INVALID_ARGUMENT
    assert "none.crt" in failure.message


def test_a_token_is_shown_once_and_listed_without_its_secret(data_dir: Path) -> None:
    made = do(data_dir, "token-create", name="ci", role="reader", agent="ai:ci*", days=30)
    listed = do(data_dir, "token-list")
    [token] = listed["tokens"]
    assert (token["name"], token["role"], token["agent"]) == ("ci", "reader", "ai:ci*")
    assert 29 < (token["expires_us"] - time.time_ns() // 1_000) / DAY_US <= 30
    assert made["token"] not in str(listed)
    for file in data_dir.rglob("*"):
        assert file.is_dir() or made["token"] not in file.read_text()
    assert refused(data_dir, "token-create", name="ci").code == Code.CONFLICT
    assert do(data_dir, "token-revoke", name="ci") == {"revoked": "ci"}
    assert do(data_dir, "token-list") == {"tokens": []}


def test_a_token_that_is_not_limited_writes_for_any_agent_and_for_ever(data_dir: Path) -> None:
    do(data_dir, "token-create", name="all")
    [token] = do(data_dir, "token-list")["tokens"]
    assert (token["role"], token["agent"], token["expires_us"]) == ("writer", "*", None)


def test_a_token_made_here_opens_the_node_that_starts_there(data_dir: Path) -> None:
    from aimem_node.contract.calls import Channel, Credentials

    made = do(data_dir, "token-create", name="ci")
    node = Harness(data_dir)
    try:
        who = Credentials(channel=Channel.LOOPBACK, bearer=made["token"], surface="http")
        record_id = node.call("Store", who, title="t", content="c")["id"]
        assert node.memory(record_id)["author"] == "token:ci"
    finally:
        node.stop()


def test_a_backup_is_put_in_the_stores_place_while_no_node_runs(
    data_dir: Path, tmp_path: Path
) -> None:
    node = Harness(data_dir)
    kept = node.store("kept")
    backup = node.call("Backup", to=str(tmp_path / "b"))["path"]
    lost = node.store("after the backup")
    origin = node.core.replica.origin
    assert refused(data_dir, "restore", **{"from": backup}).code == Code.UNAVAILABLE
    node.stop()
    assert isinstance(do(data_dir, "restore", **{"from": backup}), dict)
    again = Harness(data_dir, seed=9)
    try:
        assert again.memory(kept)["title"] == "kept"
        with pytest.raises(Failure):
            again.memory(lost)
        assert again.core.replica.origin != origin  # it must never number an op again
        again.store("goes on")
        assert again.call("Verify", deep=True)["problems"] == []
    finally:
        again.stop()


def test_an_unknown_command_and_a_word_that_is_no_role_are_refused(data_dir: Path) -> None:
    assert refused(data_dir, "dance").code == Code.UNIMPLEMENTED
    failure = refused(data_dir, "token-create", name="x", role="king")
    assert failure.code == Code.INVALID_ARGUMENT
    assert "king" in failure.message


def test_every_setting_is_on_the_page(data_dir: Path) -> None:
    said = do(data_dir, "settings")
    assert "`http_open`" in said["markdown"]
    values = {one["name"]: one["value"] for one in said["settings"]}
    assert values["http_open"] is False
    assert values["data_dir"] == str(data_dir)
