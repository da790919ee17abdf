"""How far a joining is, on disk."""

import stat
from pathlib import Path

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.join_state import (
    FILE_NAME,
    JoinState,
    Step,
    load_state,
    save_state,
    target_of,
)


def test_what_was_saved_is_loaded_by_its_owner_alone(tmp_path: Path) -> None:
    assert load_state(tmp_path) == JoinState()
    state = JoinState(step=Step.IDENTITY.value, said="x", line="aim1", name="lab", epoch=3)
    save_state(tmp_path, state)
    assert load_state(tmp_path) == state
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


@pytest.mark.parametrize("change", ['"step": "flying"', '"epoch": "3"', '"bring": 1', '"line": 1'])
def test_a_file_that_makes_no_sense_is_reported(tmp_path: Path, change: str) -> None:
    save_state(tmp_path, JoinState())
    name = change.split(":", maxsplit=1)[0]
    path = tmp_path / FILE_NAME
    lines = [line for line in path.read_text().splitlines() if not line.strip().startswith(name)]
    path.write_text("{" + change + "," + "".join(lines[1:]))
    with pytest.raises(Failure) as caught:
        load_state(tmp_path)
    assert caught.value.code is Code.CORRUPT


def test_to_knock_needs_an_address_and_a_whole_fingerprint() -> None:
    target = target_of("", "lab-1:7947", "SHA256:" + "AB:" * 31 + "AB")
    assert (target.addresses, target.fingerprint) == (("lab-1:7947",), "ab" * 32)
    assert target.invite_id == ""
    for knock, fingerprint, path in [
        ("lab-1", "ab" * 32, "$.knock"),
        ("lab-1:7947", "", "$.fingerprint"),
        ("lab-1:7947", "ab" * 31, "$.fingerprint"),
        ("lab-1:7947", "xy" * 32, "$.fingerprint"),
    ]:
        with pytest.raises(Failure) as caught:
            target_of("", knock, fingerprint)
        assert caught.value.path == path
