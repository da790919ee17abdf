"""Whole exchanges with a node, line by line, as they are written down in exchanges/.

Each line of such a file is one of

    {"node": {...}}     first: the node's Settings
    {"in": message}     fed to the node; {"raw": text} feeds what is no message
    {"out": message}    the next line that the node has put out; nothing else may come between
    {"log": text}       the next line of its log contains this
    {"ms": number}      so much time passes, with a tick at its end

"<text>", "<number>" and "<frame>" in an `out` stand for what is drawn anew in each run. Where
nothing follows a line, nothing may have been put out or logged because of it.
"""

import json
from base64 import b64decode
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from aimem_node.rpc.peer_frames import frame_from
from chaos.maelstrom.node import Node, Settings

EXCHANGES = sorted((Path(__file__).parent / "exchanges").glob("*.jsonl"))
INCARNATION = "0123456789abcdef"


def is_like(wanted: Any, found: Any) -> bool:
    """Whether what came is what was written down, placeholders aside."""
    if wanted == "<text>":
        return isinstance(found, str) and bool(found)
    if wanted == "<number>":
        return type(found) is int
    if wanted == "<frame>":
        return isinstance(found, str) and frame_from(b64decode(found)) is not None
    if isinstance(wanted, dict) and isinstance(found, dict):
        return wanted.keys() == found.keys() and all(is_like(wanted[k], found[k]) for k in wanted)
    return type(wanted) is type(found) and wanted == found


@pytest.mark.parametrize("path", EXCHANGES, ids=lambda path: path.stem)
def test_the_exchange_goes_as_it_is_written_down(path: Path) -> None:
    steps = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    log: deque[str] = deque()
    out: deque[bytes] = deque()
    now_us = 0
    node = Node(INCARNATION, Settings(**steps[0]["node"]), log.append)
    for number, step in enumerate(steps[1:], 2):
        where = f"{path.name}:{number}"
        ((verb, said),) = step.items()
        if verb in ("in", "raw", "ms"):
            assert not out, f"{where}: also put out: {out}"
            assert not log, f"{where}: also logged: {log}"
        if verb == "in":
            out.extend(node.feed(json.dumps(said).encode(), now_us))
        elif verb == "raw":
            out.extend(node.feed(said.encode(), now_us))
        elif verb == "ms":
            now_us += said * 1_000
            out.extend(node.tick(now_us))
        elif verb == "log":
            assert log, f"{where}: nothing was logged"
            assert said in log.popleft(), where
        else:
            assert verb == "out", where
            assert out, f"{where}: nothing was put out"
            found = json.loads(out.popleft())
            assert is_like(said, found), f"{where}: put out instead: {found}"
    assert not out
    assert not log


def test_there_is_an_exchange_for_every_workload() -> None:
    assert {path.stem for path in EXCHANGES} >= {
        "broadcast", "echo", "g-set", "pn-counter", "unique-ids",
    }  # fmt: skip
