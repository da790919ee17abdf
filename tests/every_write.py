"""For every operation of the contract that writes: a request that must change something.

One table for all tests that go through all of them: that each appends an op, that each arrives at
a follower by push and by pull, that each meets the gate.
"""

from typing import Any


def writes(node: Any) -> dict[str, Any]:
    """For every operation of the contract that writes: a request that must change something."""
    a, b, gone, old = (node.store(name, namespace="n/m") for name in ("a", "b", "gone", "old"))
    node.call("Link", source_id=b, target_id=a)
    node.call("Archive", ids=[gone])
    node.call("Archive", ids=[old])
    node.store("short-lived", ttl_secs=1)
    node.clock.move(seconds=2)
    return {
        "Store": {"title": "x", "content": "c"},
        "BulkStore": {"memories": [{"title": "y", "content": "c"}]},
        "Update": {"id": a, "content": "changed"},
        "Link": {"source_id": a, "target_id": b},
        "Unlink": {"source_id": b, "target_id": a},
        "Promote": {"id": b},
        "ArchiveRestore": {"id": gone},
        "ArchivePurge": {},
        "Archive": {"ids": [a]},
        "Delete": {"id": b},
        "Forget": {"namespace": "n/m"},
        "Gc": {},
        "SetNamespaceCopies": {"namespace": "n/m", "w": 1},
        "Import": {"memories": [{"id": "m-1", "title": "t", "content": "c"}]},
    }
