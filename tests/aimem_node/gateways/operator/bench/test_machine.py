"""The bench's arithmetic and its report. What it measures is proved by running it."""

from pathlib import Path

from aimem_node.gateways.demo import conversation
from aimem_node.gateways.operator.bench import machine

SAMPLE = conversation.load(conversation.SAMPLE)


def test_the_machine_is_described_with_what_an_fsync_costs(tmp_path: Path) -> None:
    facts = machine.describe(tmp_path)
    assert "fsync" in facts["disk"]
    assert facts["measured"].endswith(machine.commit())
