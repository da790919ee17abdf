"""What a node that has been stopped holds, written down for a checker that never opens a store.

Everything is read with the node's own store, at rest: its log, its records with their hashes, and
what its own deep verification has to say.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from aimem_node.replica.replica import META_NODE_ID
from aimem_node.store.store import Store
from aimem_node.store.verify import verify
from aimem_node.store.view import View
from aimem_sync.digest import record_hash
from aimem_sync.display import Life, display
from aimem_sync.members import decode_config
from aimem_sync.op import Kind, Op

PAGE: Final = 500
BUDGET_MS: Final = 600_000


def dump(name: str, data_dir: Path, into: Path) -> None:
    """Write state.<name>.jsonl and log.<name>.jsonl. Raises Failure if the store cannot be opened,
    as when its node still runs, ValueError if the node never came to run at all."""
    store = Store.open(data_dir, lambda _why: None)
    try:
        store.readers.submit(lambda view: _write(name, view, into), BUDGET_MS).result()
    finally:
        store.close()


def _write(name: str, view: View, into: Path) -> None:
    about: dict[str, list[str]] = defaultdict(list)
    head = _head(name, view)
    with (into / f"log.{name}.jsonl").open("w", encoding="utf-8") as file:
        for op in _ops(view):
            about[op.record_id].append(f"{op.origin}:{op.seq}")
            file.write(_line(_told(op)))
    with (into / f"state.{name}.jsonl").open("w", encoding="utf-8") as file:
        if (traffic := into / f"traffic.{name}.json").exists():
            head["traffic"] = json.loads(traffic.read_text(encoding="utf-8"))
        file.write(_line(head))
        for record in _records(view, about):
            file.write(_line(record))


def _head(name: str, view: View) -> dict[str, Any]:
    configs = {epoch: encoded for epoch, encoded, _proof in view.configs()}
    rosters = {epoch: decode_config(encoded).members for epoch, encoded in configs.items()}
    if not configs:
        raise ValueError("it belongs to no cluster: it never came to its first start")
    newest = max(configs)
    return {
        "node": name,
        "node_id": (view.meta(META_NODE_ID) or b"").decode(),
        "have": {str(origin): seq for origin, seq in view.have()},
        "heads": {str(origin): head.chain.hex() for origin, head in view.heads().items()},
        "digest": view.digest().root().hex(),
        "epoch": newest,
        "configs": {str(e): sha256(encoded).hexdigest() for e, encoded in configs.items()},
        "members": {member.node_id: member.role.value for member in rosters[newest]},
        "rosters": {
            str(epoch): {member.node_id: list(member.fingerprints) for member in members}
            for epoch, members in rosters.items()
        },
        "problems": verify(view, deep=True).problems,
    }


def _ops(view: View) -> Iterator[Op]:
    for origin, _ in view.have():
        seq = 0
        while page := view.ops_of_origin(origin, seq, PAGE):
            yield from (placed.op for placed in page)
            seq = page[-1].op.seq


def _told(op: Op) -> dict[str, Any]:
    return {
        "origin": str(op.origin),
        "seq": op.seq,
        "lamport": op.lamport,
        "epoch": op.epoch,
        "kind": str(op.kind),
        "record": op.record_id,
        "idem": op.request_key,
        "author": op.author,
        "chain": op.chain.hex(),
        "body_sha256": op.body_sha256.hex(),
        "body": json.loads(op.body) if op.kind == Kind.EDIT and op.body is not None else None,
        "wall_us": op.wall_us,
    }


def _records(view: View, about: dict[str, list[str]]) -> Iterator[dict[str, Any]]:
    after = ""
    while page := view.records_after(after, PAGE):
        after = page[-1].state.record_id
        for kept in page:
            state = kept.state
            told: dict[str, Any] = {
                "id": state.record_id,
                "kind": state.type,
                "hash": record_hash(state).hex(),
                "ops": sorted(about.get(state.record_id, ())),
            }
            row = view.memory(state.record_id)
            if row is not None:
                told |= {
                    "alive": row.life != "deleted",
                    "archived": row.life == "archived",
                    "title": row.title,
                    "content": row.content,
                    "namespace": row.namespace,
                    "tags": sorted(row.tags),
                    "priority": row.priority,
                    "tier": str(row.tier),
                    "access_count": row.access_count,
                }
            else:
                told["alive"] = display(state).life in (Life.LIVE, Life.ARCHIVED)
            yield told


def _line(given: dict[str, Any]) -> str:
    return json.dumps(given, ensure_ascii=False, separators=(",", ":"), default=str) + "\n"
