"""For every operation of the contract that writes: a request that must change something.

One table for all tests that go through all of them: that each appends an op, that each arrives at
a follower by push and by pull, that each meets the gate.
"""

from typing import Any

from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.operations import Role
from aimem_node.rpc.access_edit import create_token

RECEIVER = "https://hooks.example.com/"


def somebody_else(node: Any, name: str = "someone", role: Role = Role.ADMIN) -> Credentials:
    """What is known of another caller of this node, who holds a token."""
    bearer = create_token(str(node.data_dir), name, role)
    node.clock.move(seconds=1)
    return Credentials(channel=Channel.LOOPBACK, bearer=bearer, surface="http")


def _waiting(node: Any) -> dict[str, Any]:
    """Something that waits for each way to end it."""
    rule = {"action": "store", "level": "approve"}
    node.call("PolicySet", namespace="n/asked", rules=[rule])
    other = somebody_else(node)
    asked = [
        node.call("Store", who, title=name, content="c", namespace="n/asked")
        for name, who in (("yes", other), ("no", other), ("never mind", None))
    ]
    yes, no, cancelled = (one["write"]["awaiting"]["pending_id"] for one in asked)
    return {
        "PendingApprove": {"id": yes},
        "PendingReject": {"id": no},
        "PendingCancel": {"id": cancelled},
    }


def _subscribed(node: Any) -> str:
    # One that nothing ever happens for, so that nobody is called.
    return str(node.call("Subscribe", url=RECEIVER, events="record_purged")["id"])


def _graph(node: Any) -> dict[str, Any]:
    """Two memories with a fact between them, and two entities."""
    one, two = (node.store(name, namespace="n/graph", tier="long") for name in ("one", "two"))
    about = {"source_id": one, "target_id": two, "relation": "derived_from"}
    node.call("Link", **about)
    names = ("Ada", "Countess")
    ada, countess = (node.call("EntityRegister", canonical_name=name) for name in names)
    return {
        "KgInvalidate": about,
        "Supersede": {"winner_id": one, "loser_id": two},
        "EntityRegister": {"canonical_name": "Charles", "aliases": ["Babbage"]},
        "EntityMerge": {"into_id": ada["entity_id"], "from_id": countess["entity_id"]},
    }


def _curated(node: Any) -> dict[str, Any]:
    """Memories to be made one, to be told apart and to be tagged, and a step to be undone."""
    parts, pair = (
        [node.store(f"{what} {at}", namespace="n/curated", tier="long") for at in range(2)]
        for what in ("part", "side")
    )
    node.call("Link", source_id=pair[0], target_id=pair[1], relation="contradicts")
    tagged, untagged = (node.store(f"zebra {at}", namespace="n/curated") for at in "12")
    # One that archived something could not be undone once the archive was purged.
    step = node.call("AutoTag", id=untagged)["step_id"]
    return {
        "Consolidate": {"ids": parts, "title": "whole", "summary": "s"},
        "Resolve": {"winner_id": pair[0], "loser_id": pair[1]},
        "Rollback": {"id": step},
        "AutoTag": {"id": tagged},
    }


def writes(node: Any) -> dict[str, Any]:
    """For every operation of the contract that writes: a request that must change something."""
    a, b, gone, old = (node.store(name, namespace="n/m") for name in ("a", "b", "gone", "old"))
    node.call("Link", source_id=b, target_id=a)
    node.call("Archive", ids=[gone])
    node.call("Archive", ids=[old])
    node.store("short-lived", ttl_secs=1)
    node.clock.move(seconds=2)
    # In company it would wait for another operator.
    node.call("PolicySet", namespace="*", rules=[{"action": "purge", "level": "admin"}])
    node.call("PolicySet", namespace="n/set", pending_secs=3600)
    told, untold = (_subscribed(node) for _ in range(2))
    message = node.call("Notify", target_agent_id="bob", title="t", payload="p")["id"]
    node.call("NamespaceSetStandard", namespace="n/set", content="c")
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
        "PolicySet": {"namespace": "n/set", "quota": {"memories": 9}},
        "PolicyClear": {"namespace": "n/set"},
        "Subscribe": {"url": RECEIVER},
        "Replay": {"id": told, "since": "2020-01-01T00:00:00Z"},
        "Unsubscribe": {"id": untold},
        **_graph(node),
        **_curated(node),
        "AgentRegister": {"agent_id": "ann", "agent_type": "human", "capabilities": ["review"]},
        "Notify": {"target_agent_id": "ann", "title": "t", "payload": "p"},
        "InboxMark": {"ids": [message], "agent_id": "bob"},
        "NamespaceSetStandard": {"namespace": "n/m", "content": "c"},
        "NamespaceClearStandard": {"namespace": "n/set"},
        "SyncPush": {"memories": [{"id": "m-2", "title": "t", "content": "c"}]},
        **_waiting(node),
    }
