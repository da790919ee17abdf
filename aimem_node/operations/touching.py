"""What being recalled does to a memory, when it is told to the log."""

from typing import Any

from aimem_node.contract.values import Tier
from aimem_node.operations.lives import ACCESS_COUNT_MAX, touched
from aimem_node.operations.shapes import MEMORY
from aimem_node.replica.replica import Tx
from aimem_node.replica.touch import Touch
from aimem_sync.change import Change


def flush_one(tx: Tx, record_id: str, touch: Touch) -> int:
    """Log the recalls of one memory, if it still lives. Returns how many ops that took."""
    row = tx.session.memory(record_id)
    if row is None or row.life != "live":
        return 0
    lived = touched(
        Tier(row.tier), row.expires_us, row.priority, row.access_count, touch.times, touch.at_us
    )
    registers: dict[str, Any] = {"accessed_at": max(row.accessed_us or 0, touch.at_us)}
    if lived.tier.value != row.tier:
        registers["tier"] = lived.tier.value
    if lived.expires_us != row.expires_us:
        registers["expires_at"] = lived.expires_us
    if lived.priority != row.priority:
        registers["priority"] = lived.priority
    times = min(touch.times, max(0, ACCESS_COUNT_MAX - row.access_count))
    count = {"access": times} if times else {}
    tx.change(Change(record_id, MEMORY, set=registers, count=count))
    return 1
