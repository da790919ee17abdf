"""What is said of the machine."""

from pathlib import Path

from aimem_node.gateways.operator.bench import machine


def test_the_machine_is_described_with_what_an_fsync_costs(tmp_path: Path) -> None:
    facts = machine.describe(tmp_path)
    assert "fsync" in facts["disk"]
    assert facts["measured"].endswith(machine.commit())
