"""What may be wrong with a run: each spoils a good one in one way.

A spoiler is given the files of a good run and changes what it has to. It names the checks that must
notice, by their letters; every other one must go on holding. Where more than one is named the harm
cannot be told apart: an op that no log has is lost with any W-1 nodes taken away too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from aimem_sync.digest import Digest, bucket_of
from chaos.history import FAULTS, HISTORY
from tests.chaos.checker.good import NAMES, Files, dot_after

Line = dict[str, Any]
Spoil = Callable[[Files, Random], None]

THERE, REFUSED, UNKNOWN, ONCE = "(a)", "(b)", "(c) what", "(c) one"
LEVEL, FOLD, LOGS = "(d) all", "(d) it is", "(d) logs"
COUNT, SESSION, SURVIVES = "(e)", "(f)", "(g)"
ACKS, CONFIRMED, CONFIGS, EVICTED = "I3", "I4", "I11", "I12"
TRAFFIC, SERVED = "(i)", "(j)"


@dataclass(frozen=True, slots=True)
class Bad:
    """One kind of harm."""

    what: str
    noticed_by: frozenset[str]
    spoil: Spoil


BAD: Final[list[Bad]] = []


def bad(*noticed_by: str) -> Callable[[Spoil], Spoil]:
    def register(spoil: Spoil) -> Spoil:
        BAD.append(Bad(spoil.__name__.replace("_", " "), frozenset(noticed_by), spoil))
        return spoil

    return register


# ---- finding and adding lines --------------------------------------------------------------------


def states(files: Files) -> list[list[Line]]:
    return [files[f"state.{name}.jsonl"] for name in NAMES]


def logs(files: Files) -> list[list[Line]]:
    return [files[f"log.{name}.jsonl"] for name in NAMES]


def every(files: Files, record: str) -> list[Line]:
    """A record's line at each node."""
    return [line for state in states(files) for line in state[1:] if line["id"] == record]


def seal(state: list[Line]) -> None:
    """The digest that a node would have with these hashes."""
    digest = Digest()
    for line in state[1:]:
        digest = digest.add(bucket_of(line["id"]), bytes.fromhex(line["hash"]))
    state[0]["digest"] = digest.root().hex()


def answers(files: Files, *fs: str, kind: str = "ok") -> list[Line]:
    return [e for e in files[HISTORY] if e["type"] == kind and (not fs or e["f"] in fs)]


def end_ns(files: Files) -> int:
    return max(int(line["t_ns"]) for line in files[HISTORY])


def ask(files: Files, told: Line, answer: Line, gap_ns: int = 1_000_000) -> None:
    """One more question and its answer, at the end."""
    number = max(line["i"] for line in (*files[HISTORY], *files[FAULTS])) + 1
    base = {"proc": 99, "node": "a", "via": "grpc", **told}
    now = end_ns(files)
    files[HISTORY].append({**base, "i": number, "t_ns": now + gap_ns, "type": "invoke"})
    files[HISTORY].append(
        {**base, "i": number + 1, "t_ns": now + 2 * gap_ns, "of": number, "type": "ok", **answer}
    )


def last_token(files: Files) -> str:
    """Of a session that has seen all: what the nodes have in the end."""
    have = states(files)[0][0]["have"]
    return "toy/2/" + ",".join(f"{origin}:{seq}" for origin, seq in sorted(have.items()))


def untouched(files: Files, *, f: str = "put") -> str:
    """A record that lives and that nobody wanted to remove."""
    gone = {e["key"] for e in files[HISTORY] if e["f"] in {"delete", "archive"}}
    found = [e["key"] for e in answers(files, f) if e["key"] not in gone]
    return str(found[0])


def drop_last(files: Files, node: str, line: Line) -> None:
    """Let a node have everything of one log but its last op."""
    log = files[f"log.{node}.jsonl"]
    head = files[f"state.{node}.jsonl"][0]
    log.remove(next(one for one in log if one["chain"] == line["chain"]))
    before = next(one for one in log if (one["origin"], one["seq"]) == _before(line))
    head["have"][line["origin"]] -= 1
    head["heads"][line["origin"]] = before["chain"]


def _before(line: Line) -> tuple[str, int]:
    return line["origin"], line["seq"] - 1


def last_of(files: Files, *, ends: frozenset[str]) -> Line:
    """The last op of a log, made to be that of a deed that ended so."""
    line = max(
        (one for one in logs(files)[0] if one["seq"] == _have(files, one)),
        key=lambda one: one["origin"],
    )
    for log in logs(files):
        for one in log:
            if one["chain"] == line["chain"]:
                one |= {"idem": "the last", "author": None}
    told = {"f": "promote", "key": line["record"], "idem": "the last", "value": None}
    end = "ok" if "ok" in ends else "info"
    more = {"write_ids": [f"{line['origin']}:{line['seq']}"], "w": 2} if end == "ok" else {}
    ask(files, told, {"type": end, **more})
    return line


def _have(files: Files, line: Line) -> int:
    return int(states(files)[0][0]["have"][line["origin"]])


# ---- what may be wrong ---------------------------------------------------------------------------


@bad(THERE, SURVIVES)
def an_acknowledged_write_is_in_no_log(files: Files, rng: Random) -> None:
    put = rng.choice(answers(files, "put"))
    put["write_ids"] = [dot_after(states(files)[0][0])]


@bad(THERE, LEVEL)
def one_node_lacks_an_acknowledged_op(files: Files, rng: Random) -> None:
    drop_last(files, rng.choice(NAMES), last_of(files, ends=frozenset({"ok"})))


@bad(THERE, LEVEL, SURVIVES)
def only_one_node_has_an_acknowledged_op(files: Files, rng: Random) -> None:
    line = last_of(files, ends=frozenset({"ok"}))
    for node in rng.sample(NAMES, 2):
        drop_last(files, node, line)


@bad(THERE, FOLD)
def an_acknowledged_memory_is_at_no_node(files: Files, rng: Random) -> None:
    record = untouched(files)
    for state in states(files):
        state[:] = [state[0], *(line for line in state[1:] if line["id"] != record)]
        seal(state)


@bad(THERE)
def a_memory_is_gone_that_nobody_deleted(files: Files, rng: Random) -> None:
    for line in every(files, untouched(files)):
        line["alive"] = False


@bad(THERE)
def a_deleted_memory_lives_again(files: Files, rng: Random) -> None:
    record = untouched(files)
    line = next(op for op in logs(files)[0] if op["record"] == record)
    dots = [f"{line['origin']}:{line['seq']}"]
    files[HISTORY] = [
        e for e in files[HISTORY] if e.get("key") != record or e["f"] in {"put", "read"}
    ]
    ask(files, {"f": "delete", "key": record, "idem": "now"}, {"write_ids": dots, "w": 2})


@bad(REFUSED)
def what_was_refused_is_in_the_log(files: Files, rng: Random) -> None:
    keys = {op["idem"] for op in logs(files)[0]}
    links = [e for e in answers(files, "link") if e["idem"] in keys]
    idem = rng.choice(links)["idem"]
    for event in files[HISTORY]:
        if event.get("idem") == idem and event["type"] != "invoke":
            event |= {"type": "fail", "write_ids": []}


@bad(UNKNOWN, LEVEL)
def what_nobody_knows_is_done_at_some_nodes_only(files: Files, rng: Random) -> None:
    drop_last(files, rng.choice(NAMES), last_of(files, ends=frozenset({"info"})))


@bad(ONCE)
def a_retry_is_answered_with_another_record(files: Files, rng: Random) -> None:
    put = rng.choice(answers(files, "put"))
    other = untouched(files, f="link")
    told = {name: put[name] for name in ("f", "value", "idem")} | {"key": other}
    ask(files, told, {"write_ids": put["write_ids"], "w": 2})


@bad(LEVEL, FOLD)
def a_record_is_not_the_same_at_one_node(files: Files, rng: Random) -> None:
    state = rng.choice(states(files))
    rng.choice(state[1:])["hash"] = f"{rng.getrandbits(256):064x}"
    seal(state)


@bad(FOLD)
def all_nodes_make_the_same_mistake(files: Files, rng: Random) -> None:
    record, wrong = rng.choice(states(files)[0][1:])["id"], f"{rng.getrandbits(256):064x}"
    for line in every(files, record):
        line["hash"] = wrong
    for state in states(files):
        seal(state)


@bad(LEVEL, FOLD)
def a_digest_is_not_that_of_the_records(files: Files, rng: Random) -> None:
    rng.choice(states(files))[0]["digest"] = "0" * 64


@bad(FOLD)
def readers_are_shown_what_nobody_wrote(files: Files, rng: Random) -> None:
    alive = [one for one in states(files)[0][1:] if one["alive"] and "namespace" in one]
    for line in every(files, rng.choice(alive)["id"]):
        line["namespace"] = "elsewhere"


@bad(LOGS)
def a_log_has_a_gap(files: Files, rng: Random) -> None:
    log = rng.choice(logs(files))
    flushed = [op for op in log if not op["idem"] and 1 < op["seq"] < _have(files, op)]
    log.remove(rng.choice(flushed))


@bad(LOGS)
def two_ops_have_one_name(files: Files, rng: Random) -> None:
    rng.choice(logs(files)[1])["chain"] = "0" * 64


@bad(LOGS)
def a_relay_has_altered_an_op(files: Files, rng: Random) -> None:
    rng.choice(logs(files)[2])["body"] = {"set": {"body": "forged"}, "type": "memory"}


@bad(LOGS)
def a_node_does_not_verify(files: Files, rng: Random) -> None:
    rng.choice(states(files))[0]["problems"] = ["a row is not what the log says"]


@bad(COUNT)
def more_is_counted_than_was_recalled(files: Files, rng: Random) -> None:
    for line in every(files, rng.choice(answers(files, "count"))["key"]):
        line["access_count"] += 100


@bad(COUNT)
def a_recall_is_forgotten_although_no_node_ended(files: Files, rng: Random) -> None:
    key = untouched(files)
    ask(files, {"f": "count", "key": key, "value": {"context": "x"}}, {"seen": [key]})
    for line in every(files, key):
        line["access_count"] = 0


def _edited(files: Files, part: str) -> Line:
    """An op whose record was written by a later one too, on the same register."""
    return next(
        op for op in logs(files)[0]
        if part in op["body"].get("over", {}) and op["body"]["over"][part]
    )  # fmt: skip


@bad(SESSION)
def a_session_reads_an_older_text_than_it_has_seen(files: Files, rng: Random) -> None:
    newer = _edited(files, "body")
    dot = newer["body"]["over"]["body"][0]
    older = next(op for op in logs(files)[0] if f"{op['origin']}:{op['seq']}" == dot)
    key, text = newer["record"], older["body"]["set"]["body"]
    read = {"f": "read", "key": key, "value": {"get": key}, "after": last_token(files)}
    ask(files, read, {"seen": [key], "value": {"get": key, **text}})


@bad(SESSION)
def a_session_is_not_shown_what_it_has_seen(files: Files, rng: Random) -> None:
    key = untouched(files)
    read = {"f": "read", "key": key, "value": {"get": key}, "after": last_token(files)}
    ask(files, read, {"seen": []})


@bad(SESSION)
def a_list_leaves_out_what_the_session_has_stored(files: Files, rng: Random) -> None:
    read = {"f": "read", "value": {"list": "toy"}, "after": last_token(files)}
    ask(files, read, {"seen": []})


@bad(SESSION)
def a_session_sees_a_deleted_memory_again(files: Files, rng: Random) -> None:
    deleted = next(
        op for op in logs(files)[0]
        if op["body"].get("set", {}).get("life") == {"is": "deleted"}
        and not any(line["alive"] for line in every(files, op["record"]))
    )  # fmt: skip
    key = deleted["record"]
    read = {"f": "read", "key": key, "value": {"get": key}, "after": last_token(files)}
    ask(files, read, {"seen": [key]})


@bad(SESSION)
def a_tag_is_not_shown_that_the_session_has_seen(files: Files, rng: Random) -> None:
    tagged = next(one for one in states(files)[0][1:] if one["alive"] and one["tags"])
    key = tagged["id"]
    read = {"f": "read", "key": key, "value": {"get": key}, "after": last_token(files)}
    ask(files, read, {"seen": [key], "value": {"get": key, "tags": []}})


@bad(SESSION)
def a_token_shrinks(files: Files, rng: Random) -> None:
    told = rng.choice([e for e in answers(files) if e.get("token", "").count(",")])
    told["token"] = told["token"].rpartition(",")[0]


@bad(ACKS)
def a_node_takes_a_confirmation_back(files: Files, rng: Random) -> None:
    acks = files[f"acks.{rng.choice(NAMES)}.jsonl"]
    said = max((line for line in acks if "seq" in line), key=lambda line: line["seq"])
    acks.append({**said, "t_ns": said["t_ns"] + 1, "seq": said["seq"] - 1})


@bad(CONFIRMED)
def a_client_is_told_before_anybody_confirmed_it(files: Files, rng: Random) -> None:
    told = rng.choice([e for e in answers(files) if e.get("write_ids") and e["type"] == "ok"])
    origin, _, seq = told["write_ids"][0].rpartition(":")
    asked = next(e for e in files[HISTORY] if e["i"] == told["of"])
    for name in NAMES:
        for line in files[f"acks.{name}.jsonl"]:
            if line.get("origin") == origin and line["seq"] >= int(seq):
                line["t_ns"] = max(line["t_ns"], told["t_ns"] + 1)
    assert asked["t_ns"] < told["t_ns"]


@bad(CONFIGS)
def one_epoch_is_two_lists_of_members(files: Files, rng: Random) -> None:
    rng.choice(states(files))[0]["configs"]["2"] = "0" * 64


@bad(EVICTED)
def an_evicted_member_is_still_answered(files: Files, rng: Random) -> None:
    acks = files[f"acks.{rng.choice(NAMES)}.jsonl"]
    told = next(line for line in acks if line.get("epoch") == 1)
    acks.append({**told, "epoch": 2})


@bad(TRAFFIC)
def nodes_send_and_send(files: Files, rng: Random) -> None:
    rng.choice(states(files))[0]["traffic"]["messages"] *= 100


@bad(TRAFFIC)
def nodes_send_far_too_much(files: Files, rng: Random) -> None:
    rng.choice(states(files))[0]["traffic"]["bytes"] *= 1_000


@bad(SERVED)
def nothing_is_acknowledged_once_the_fault_is_over(files: Files, rng: Random) -> None:
    for fault in files[FAULTS]:
        if fault["phase"] in {"end", "healed", "level"}:
            fault["t_ns"] += 10**10
    asked = max(e["t_ns"] for e in files[HISTORY])
    told = {"f": "promote", "key": untouched(files), "idem": "late", "value": None}
    ask(files, told, {"type": "fail"}, 2 * 10**10)
    assert end_ns(files) > asked


@bad(THERE, SURVIVES, CONFIRMED, SERVED)
def nothing_is_acknowledged_at_all(files: Files, rng: Random) -> None:
    for event in answers(files):
        if event["f"] != "read":
            event |= {"type": "info", "write_ids": []}
