"""An op costs one message and one ack for each other member, however many members there are."""

import pytest

from tests.sim.traffic import OPS_PER_COPY_MAX, measure, table


@pytest.mark.parametrize("members", [2, 3, 9])
def test_messages_and_bytes_per_op_grow_with_the_members_and_no_faster(members: int) -> None:
    row = measure(members, 20)
    assert 2.0 <= row.messages_per_copy <= OPS_PER_COPY_MAX
    assert row.bytes_per_op <= (members - 1) * (row.op_bytes + 200)
    assert f"| {members} |" in table([row])


def test_a_quiet_member_sends_two_beats_a_second_to_each_other() -> None:
    row = measure(3, 5)
    assert 3.0 <= row.beats_per_s <= 5.0
