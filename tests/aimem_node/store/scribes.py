"""Histories of several nodes that see some of what the others wrote, and whole stores as values."""

import random
from dataclasses import replace

from aimem_sync.change import Change, body_for
from aimem_sync.log import Head, append
from aimem_sync.merge import apply
from aimem_sync.op import Kind, Op, Origin, Stamp

NOW_US = 1_700_000_000_000_000
RECORDS = [f"m{at}" for at in range(12)]
LINKS = [f"l{at}" for at in range(3)]


class Scribe:
    """One origin, with what it has seen of the others."""

    def __init__(self, digit: str) -> None:
        self.origin = Origin(digit * 32, digit * 16)
        self.log: list[Op] = []
        self.states = {}
        self.seen = {}
        self.lamport = 0

    def see(self, op: Op) -> None:
        self.states[op.record_id] = apply(self.states.get(op.record_id), op)
        self.lamport = max(self.lamport, op.lamport)
        self.seen[op.origin] = op.seq

    def write(self, change: Change, key: str, *, kind: str = "", body: bytes | None = None) -> Op:
        last = self.log[-1] if self.log else None
        said = body
        if said is None:
            said = body_for(change, self.states.get(change.record_id), self.origin)
        op = append(
            Head() if last is None else Head(last.seq, last.chain),
            Stamp(self.lamport + 1, NOW_US + len(self.log), 1),
            kind or change.kind,
            change.record_id,
            said,
            f"user:{self.origin.node_id[0]}",
            key,
            self.origin,
            lambda chain: b"signed" + chain,
        )
        self.log.append(op)
        self.see(op)
        return op


def wish(chance: random.Random) -> Change:
    """Anything that anyone may want."""
    record_id = chance.choice(RECORDS)
    body = {
        "title": chance.choice(["a walrus", "two seals", "drei Möwen", 'a "quoted" \\ word\n']),
        "content": " ".join(chance.choices(["fish", "ice", "sea", "shore"], k=5)),
        "metadata": chance.choice([{}, {"b": 1.5, "a": [None, True, "x"]}]),
    }
    facts = {"agent_id": "ai:one", "author": "user:a", "created_at": NOW_US}
    whole = {
        "body": body, "facts": facts, "namespace": chance.choice(["global", "team/x"]),
        "tier": "mid", "priority": chance.randrange(10), "updated_at": chance.randrange(100),
    }  # fmt: skip
    tags = tuple(chance.sample(["x", "y", "z"], chance.randrange(3)))
    return chance.choice(
        [
            Change(record_id, "memory", whole, tag=tags),
            Change(record_id, "memory", whole, tag=tags),
            Change(record_id, "memory", {"body": body}),
            Change(record_id, "memory", {"priority": chance.randrange(10)}),
            Change(record_id, "memory", count={"access": 1}),
            Change(record_id, "memory", tag=tags, untag=("x",)),
            Change(record_id, "memory", {"life": {"is": "deleted"}}),
            Change(record_id, "memory", {"life": {"is": "archived", "reason": "gc", "at": 5}}),
            Change(record_id, chance.choice(["note", "zebra"]), {}),
            Change(
                chance.choice(LINKS), "link",
                {"body": {"source_id": record_id, "target_id": "m1"}, "valid_until": None},
            ),
            Change(chance.choice(LINKS), "link", {"life": {"is": "deleted"}}),
        ]
    )  # fmt: skip


def history(seed: int, length: int, *, purges: bool = True, withheld: float = 0.03) -> list[Op]:
    """Ops of three origins in one of the orders in which they may arrive.

    Some are of unknown kind, some cannot be read, and the bodies of some are withheld.
    """
    chance = random.Random(seed)
    scribes = [Scribe(digit) for digit in "abc"]
    written: list[Op] = []
    for at in range(length):
        scribe = chance.choice(scribes)
        for op in written:
            if op.seq == scribe.seen.get(op.origin, 0) + 1 and chance.random() < 0.7:
                scribe.see(op)
        change, key = wish(chance), chance.choice(["", f"k{at}", f"k{at // 4}"])
        roll = chance.random()
        if roll < 0.04:
            written.append(scribe.write(change, key, kind="hologram", body=b"\x00\xff"))
        elif roll < 0.07:
            written.append(scribe.write(change, key, body=b"{not json"))
        elif roll < 0.09 and purges:
            purge = replace(change, set={}, tag=(), untag=(), count={}, kind=Kind.PURGE)
            written.append(scribe.write(purge, key))
        else:
            written.append(scribe.write(change, key))
    return arriving(chance, [scribe.log for scribe in scribes], withheld)


def arriving(chance: random.Random, logs: list[list[Op]], withheld: float = 0.0) -> list[Op]:
    """One of the orders in which logs may arrive: each log in its own order."""
    left = [list(log) for log in logs]
    ops = []
    while any(left):
        op = chance.choice([log for log in left if log]).pop(0)
        bare = op.kind == Kind.EDIT and chance.random() < withheld
        ops.append(replace(op, body=None) if bare else op)
    return ops


TABLES = {
    "meta": "k",
    "origin": "oid",
    "op": "pos",
    "idem": "author, request_key",
    "idem_record": "record_id, author, request_key",
    "record": "rid",
    "bucket": "b",
    "memory": "rid",
    "memory_tag": "tag, rid",
    "link": "record_id",
    "entity_name": "record_id, spelling",
    "config": "epoch",
}


def whole(view, *without: str) -> dict:
    """Every row of every table, each value under the name of its column."""
    tables = {}
    for table, order in TABLES.items():
        if table in without:
            continue
        names = [
            name
            for (name,) in view._connection.execute(
                f"SELECT name FROM pragma_table_info('{table}')"
            )
        ]
        rows = view._connection.execute(f"SELECT {', '.join(names)} FROM {table} ORDER BY {order}")
        tables[table] = [dict(zip(names, row, strict=True)) for row in rows]
    return tables


def words(view) -> list:
    """Every word of the full-text index, with how many rows hold it and how often it stands."""
    return view._connection.execute(
        "SELECT term, doc, cnt FROM memory_word ORDER BY term"
    ).fetchall()
