"""`aimem-node audit`: who did what, as lines for people or JSON lines for a SIEM, and the proof.

The exit code is the verdict: an export that a script takes away must not look sound when a chain
is broken or the stream was cut before its last line.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from aimem_node.gateways.cli import failures
from aimem_node.gateways.cli import surface as surfaces
from aimem_node.gateways.cli.call import Caller
from aimem_node.gateways.cli.look import plain
from aimem_node.gateways.operator import calling, commands

ID_CHARS = 8
FLAGS = ("since", "until", "author", "namespace", "id", "event", "after")


def add(command: Callable[[str, str, Callable[[argparse.Namespace], int]], Any]) -> None:
    """The command and its options."""
    made = command(
        "audit",
        "List who did what, when, under which rule, and prove the logs. Exits 7 if they are not "
        "sound.",
        run,
    )
    made.add_argument("--since", help="done then or later (2026-01-02T03:04:05Z)")
    made.add_argument("--until", help="done then or earlier")
    made.add_argument("--author", help="only by this principal or agent")
    made.add_argument("-n", "--namespace", help="only here; with a trailing /* below it too")
    made.add_argument("--id", help="only about this record")
    made.add_argument("--event", help="only events of this name: memory_stored, policy_set, ...")
    made.add_argument("--limit", type=int, help="end after this many lines")
    made.add_argument("--after", help="the token of the last line seen: go on behind it")
    made.add_argument("--no-verify", action="store_true", help="list only, prove nothing")
    made.add_argument(
        "--jsonl", metavar="FILE", help="write JSON lines there, - for stdout; the verdict is last"
    )


def run(asked: argparse.Namespace) -> int:
    """List, and say how the proof went."""
    values: dict[str, Any] = {
        name: getattr(asked, name) for name in FLAGS if getattr(asked, name) is not None
    }
    if asked.limit is not None:
        values["limit"] = asked.limit
    if asked.no_verify:
        values["verify"] = False
    records = _records(commands.data_dir(asked), values)
    if asked.jsonl in (None, "-"):
        as_json = asked.json or asked.jsonl == "-"
        verdict = _write(records, sys.stdout, as_json=as_json)
    else:
        verdict = _to_file(records, os.path.abspath(os.path.expanduser(asked.jsonl)))
    return _judge(verdict, as_json=asked.json or asked.jsonl == "-")


def _records(data_dir: str, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    operation = surfaces.find(surfaces.load(), "audit")
    if operation is None:
        raise failures.CallFailure("UNIMPLEMENTED", "this build has no audit")
    settings = {"data_dir": data_dir, "no_start": True, "timeout": calling.SLOW_CALL_S}
    for line in Caller(settings, os.environ).lines(operation, values):
        yield json.loads(line)


def _write(records: Iterator[dict[str, Any]], out: Any, *, as_json: bool) -> dict[str, Any] | None:
    """Write every line; the verdict, if it came."""
    verdict = None
    for record in records:
        verdict = record.get("verdict", verdict)
        if as_json:
            out.write(json.dumps(record, ensure_ascii=False, sort_keys=True) + "\n")
        elif "entry" in record:
            out.write(line_of(record["entry"]) + "\n")
    out.flush()
    return verdict


def _to_file(records: Iterator[dict[str, Any]], target: str) -> dict[str, Any] | None:
    try:
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            return _write(records, out, as_json=True)
    except OSError as error:
        raise failures.CallFailure(
            "STORAGE", f"cannot write {target}: {error.strerror or error}",
            next_step="Name a file that does not exist yet, in a directory of your own.",
        ) from None  # fmt: skip


def line_of(entry: dict[str, Any]) -> str:
    """One entry for people: when, who, what, where, to which record, under which rule."""
    who = str(entry.get("author") or "")
    node = str(entry.get("node_name") or "") or str(entry.get("node_id") or "")[:ID_CHARS]
    agent = str(entry.get("agent_id") or "")
    said = agent if agent and agent != who else ""
    parts = [
        str(entry.get("written_at") or "")[:19] + "Z",  # UTC, as whoever compares machines needs it
        f"{who}@{node}" + (f" as {said}" if said else ""),
        str(entry.get("event") or ""),
        str(entry.get("namespace") or "-"),
        str(entry.get("record_id") or ""),
    ]
    if entry.get("rule"):
        parts.append(f"rule {entry['rule']}")
    return "  ".join(plain(part) for part in parts)


def _judge(verdict: dict[str, Any] | None, *, as_json: bool) -> int:
    if verdict is None:
        raise failures.CallFailure(
            "CORRUPT", "the list ended before its last line, so nothing is proved",
            next_step="Run it again.",
        )  # fmt: skip
    if not verdict.get("verified"):
        if not as_json:
            failures.note(f"{verdict.get('listed')} listed, nothing proved")
        return 0
    for problem in verdict.get("problems") or ():
        failures.note(plain(problem))
    if not verdict.get("sound"):
        failures.note("not sound. next: aimem-node verify --deep --repair")
        return failures.EXITS["CORRUPT"]
    if not as_json:
        heads = verdict.get("heads") or ()
        failures.note(
            f"{verdict.get('listed')} listed; {verdict.get('ops')} ops in {len(heads)} logs: "
            "every chain is whole and every log is signed by its node"
        )
    return 0
