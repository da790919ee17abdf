"""What a node of a small cluster answers, for the tests of those who show it."""

from typing import Any

from tests.aimem_node.gateways.cli.fake_node import Asked

LAB_1: dict[str, Any] = {
    "node_id": "aaaa1111", "name": "lab-1", "role": "voter", "address": "lab-1.example:8379",
    "fingerprints": ["a1" * 32], "state": "self", "heard_ms": 0, "clock_offset_ms": 0,
    "origins": [],
}  # fmt: skip
LAB_2: dict[str, Any] = {
    "node_id": "bbbb2222", "name": "lab-2", "role": "voter", "address": "lab-2.example:8379",
    "fingerprints": ["b1" * 32, "b2" * 32], "state": "in sync", "lag_ops": 0, "lag_bytes": 0,
    "heard_ms": 240, "ack_ms": 1.234, "clock_offset_ms": -3,
    "origins": [{"origin": "aaaa1111.1f", "have": 12, "lag_ops": 0}],
}  # fmt: skip
AWAY: dict[str, Any] = {
    "node_id": "cccc3333", "name": "workstation-in-the-basement", "role": "voter",
    "address": "basement.far-away.example:8379", "fingerprints": ["c1" * 32],
    "state": "unreachable", "reason": "last heard of 3.2 days ago", "lag_ops": 1_234_567,
    "lag_bytes": 987_654_321, "heard_ms": 280_000_000, "ack_ms": 123.4, "clock_offset_ms": 12_345,
    "ahead_ops": 3, "origins": [{"origin": "cccc3333.9f", "have": 3, "lag_ops": 1_234_567}],
}  # fmt: skip
LEARNER: dict[str, Any] = {
    "node_id": "dddd4444", "name": "", "role": "learner", "address": "",
    "fingerprints": ["d1" * 32], "state": "catching up", "reason": "512 ops to go",
    "lag_ops": 512, "lag_bytes": 51_200, "origins": [],
}  # fmt: skip
WELL: dict[str, Any] = {
    "cluster_id": "3f2a9c1b7d", "epoch": 7, "voters": 2, "needed": 2, "in_sync": 2,
    "state": "serving", "ready": True, "address": "", "members": [LAB_1, LAB_2],
    "pending_writes": 0, "revoked": [], "knocks": [], "forked": [],
}  # fmt: skip
ILL: dict[str, Any] = WELL | {
    "voters": 3, "ready": False, "reason": "2 logs are forked", "address": "lab-1.example:8379",
    "members": [LAB_1, LAB_2, AWAY, LEARNER], "pending_writes": 2, "pending_oldest_ms": 3_400,
    "revoked": ["ab" * 32], "forked": ["cccc3333.9f"],
    "knocks": [{"fingerprint": "7f3c" * 16, "name": "lab-9", "address": "10.0.0.9:8379"}],
}  # fmt: skip
ALONE: dict[str, Any] = WELL | {"voters": 1, "needed": 1, "members": [LAB_1]}
NODE = {
    "node_id": "aaaa1111", "version": "0.1.0", "state": "serving", "reason": "",
    "origins": [{"origin": "bbbb2222.1f", "have": 12}, {"origin": "ffff9999.1f", "have": 3}],
}  # fmt: skip


def answering(cluster: Any, uptime_s: int = 60) -> Any:
    """A node that answers with this cluster, or fails with it where it is (status, failure)."""

    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.path.endswith("/cluster/status"):
            return cluster if isinstance(cluster, tuple) else (200, cluster)
        if asked.path.endswith("/node/status"):
            return 200, NODE
        return 200, {"pid": 42, "uptime_secs": uptime_s}

    return answer
