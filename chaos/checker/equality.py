"""(d) All nodes hold the same in the end, and it is what the logs say.

Equality is asked for exactly: a share of 0.9999 is a broken run. That all are equal would also be
true of nodes that made the same mistake, so a slow model replays the union of all logs and must
come to every record's hash, and to the digest over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from aimem_sync.canon import canonical_json
from aimem_sync.digest import Digest, bucket_of
from aimem_sync.dot import Origin
from aimem_sync.op import CHAIN_START, chain_hash, header_bytes
from chaos.checker.case import Case
from chaos.checker.check import Check
from chaos.checker.evidence import LogOp, State
from chaos.checker.model import NOTHING, Model, Said


def level(case: Case) -> Check:
    """Have, heads, digest and every record's hash are the same on all nodes."""
    if not case.members:
        return Check("(d) all nodes hold the same", 0)
    first, *others = case.members
    broken: list[str] = []
    for other in others:
        broken += [
            f"{part} of {first.name} and {other.name} differ: {_difference(case, a, b)}"
            for part in ("have", "heads", "digest")
            if (a := first.head.get(part)) != (b := other.head.get(part))
        ]
    hashes = {state.name: _hashes(state) for state in case.members}
    everything = sorted(set().union(*hashes.values()))
    equal = 0
    for record in everything:
        found = {name: of_all.get(record) for name, of_all in hashes.items()}
        equal += len(set(found.values())) == 1
        if len(set(found.values())) > 1:
            told = ", ".join(f"{name} {str(seen)[:8]}" for name, seen in found.items())
            broken.append(f"{record}: {told}")
    share = equal / len(everything) if everything else 0.0
    words = f"{share:.3f}" if equal == len(everything) else f"{min(share, 0.9999):.4f}"
    note = f"{words} of {len(everything)} records are equal on {len(case.members)} nodes"
    return Check("(d) all nodes hold the same", len(everything), tuple(broken), note)


def _hashes(state: State) -> dict[str, str]:
    """Of what can be seen: a record that only remembers what is gone counts as none."""
    blank = NOTHING.hex()
    return {name: r["hash"] for name, r in state.records.items() if r["hash"] != blank}


def _difference(case: Case, a: Any, b: Any) -> str:
    if not isinstance(a, Mapping) or not isinstance(b, Mapping):
        return f"{str(a)[:12]}, {str(b)[:12]}"
    origins = [o for o in sorted({*a, *b}) if a.get(o) != b.get(o)]
    told = [f"{case.name_of(f'{o}:{a.get(o, 0)}')[:24]}, {str(b.get(o, 0))[:12]}" for o in origins]
    return "; ".join(told[:3])


def folded(case: Case) -> Check:
    """Every record is what the model makes of the union of all logs; the digest is their sum."""
    broken: list[str] = []
    reached = reach(case)
    models: dict[str, Model] = {}
    withheld = 0
    for record, ops in case.ops_of.items():
        model = Model((Said(op.dot, op.lamport, op.kind, op.body) for op in ops), record)
        missing = any(op.kind == "edit" and op.body is None for op in ops)
        if missing and not model.purged:
            withheld += 1
        elif not reached:
            models[record] = model
    for state in case.members:
        broken += [f"{why} at {state.name}" for why in _against(state, models)]
        digest = _digest_of(state)
        if "digest" in state.head and digest != state.head["digest"]:
            broken.append(f"the digest of {state.name} is not that of its records")
    note = f"{len(models)} records replayed"
    if withheld:
        note += f", {withheld} not: a body is not there"
    if reached:
        note += f"; {reached}"
    return Check("(d) it is the fold of all logs", len(models), tuple(broken), note)


def reach(case: Case) -> str:
    """Why nothing can be replayed; empty if everything can. A node that has taken in an op by a
    snapshot has it and cannot show it, and if nobody can, the model cannot know what it said."""
    for state in case.members:
        for origin, first in _floors(state).items():
            for seq in range(1, first):
                if f"{origin}:{seq}" not in case.ops:
                    return f"no log has {case.name_of(f'{origin}:{seq}')} any more"
    return ""


def _floors(state: State) -> dict[str, int]:
    """Where its logs begin; behind their end if nothing of them is there."""
    return {origin: state.first.get(origin, have + 1) for origin, have in state.have.items()}


def _against(state: State, models: Mapping[str, Model]) -> list[str]:
    broken = []
    for name, model in models.items():
        record = state.records.get(name)
        found = NOTHING.hex() if record is None else record["hash"]
        if found != model.hash().hex():
            broken.append(f"{name} is not what the logs say")
        elif record is not None and (why := _shown_wrong(record, model)):
            broken.append(f"{name}: {why}")
    broken += [f"{name}: no log speaks of it" for name in state.records if models
               and name not in models and state.records[name]["hash"] != NOTHING.hex()
               and not state.records[name].get("ops")]  # fmt: skip
    return broken


def _shown_wrong(record: Mapping[str, Any], model: Model) -> str:
    """What a reader is shown although the logs say otherwise."""
    if not record.get("alive") or model.purged:
        return ""
    shown = model.shown()
    body = shown.get("body")
    said = {**shown, **(body if isinstance(body, Mapping) else {}), "tags": model.tags_shown()}
    for name in ("title", "content", "namespace", "priority", "tier", "tags"):
        if name in record and name in said and record[name] != said[name]:
            return f"{name} is shown as {record[name]!r} and written as {said[name]!r}"
    return ""


def _digest_of(state: State) -> str:
    digest = Digest()
    for name, record in state.records.items():
        if record["hash"] != NOTHING.hex():
            digest = digest.add(bucket_of(name), bytes.fromhex(record["hash"]))
    return digest.root().hex()


def logs(case: Case) -> Check:
    """I1, I2: logs have no gaps, every hash fits what it hashes, and one name is one op."""
    named: dict[str, tuple[str, str]] = {}
    broken: list[str] = []
    tried = 0
    for state in case.members:
        last: dict[str, LogOp] = {}
        for op in sorted(state.log, key=lambda op: (op.origin, op.seq)):
            tried += 1
            chain, node = named.setdefault(op.dot, (op.chain, state.name))
            if chain != op.chain:
                broken.append(f"{case.name_of(op.dot)} is another op at {node} and {state.name}")
            if why := _misfit(op, last.get(op.origin)):
                broken.append(f"{case.name_of(op.dot)} at {state.name} {why}")
            last[op.origin] = op
        for origin, op in last.items():
            if (op.seq, op.chain) != (state.have.get(origin), state.head["heads"].get(origin)):
                broken.append(f"the log at {state.name} ends otherwise than its head says:"
                              f" {case.name_of(op.dot)}")  # fmt: skip
        broken += [f"{state.name}: {words}" for words in state.head.get("problems") or ()]
    return Check("(d) logs are whole, and verify (I1, I2)", tried, tuple(broken))


def _misfit(op: LogOp, before: LogOp | None) -> str:
    """What of an op does not fit; empty if all does."""
    if before is not None and op.seq != before.seq + 1:
        return f"follows {before.seq}"
    said = canonical_json(op.body) if op.kind == "edit" and op.body is not None else None
    if said is not None and sha256(said).hexdigest() != op.body_sha256:
        return "has another body than its hash says"
    if op.author is None or (before is None and op.seq > 1):
        return ""
    prev = CHAIN_START if before is None else bytes.fromhex(before.chain)
    header = header_bytes(
        Origin.parse(op.origin), op.seq, op.lamport, op.wall_us, op.epoch, op.kind, op.record,
        op.author, op.idem,
    )  # fmt: skip
    chain = chain_hash(prev, header, bytes.fromhex(op.body_sha256))
    return "" if chain.hex() == op.chain else "does not continue the log"
