"""Two versions of the program in one cluster."""

from pathlib import Path

import pytest

from chaos import run
from chaos.faults import upgrade
from chaos.run import Plan


@pytest.mark.skipif(
    not upgrade.can_be_had(), reason=f"this checkout has no commit {upgrade.OLDER[:12]}"
)
def test_a_machine_of_an_older_version_works_among_newer_ones_and_is_upgraded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaos.net.network.requirements", lambda: ["a port is enough for this"])
    result, checks = run.make(Plan(("upgrade", "upgrade"), 3, seed=1, hold_s_max=1.0), tmp_path)
    assert [(one.name, one.broken) for one in checks if not one.holds] == []
    assert (result.cycles, result.lost, result.convergence) == (2, 0, 1.0)


def test_the_older_source_is_unpacked_once_and_whole(tmp_path: Path) -> None:
    if not upgrade.can_be_had():
        pytest.skip("this checkout does not reach back so far")
    place = upgrade.unpack(tmp_path)
    assert (place / "aimem_node" / "main.py").is_file()
    assert upgrade.unpack(tmp_path) == place
