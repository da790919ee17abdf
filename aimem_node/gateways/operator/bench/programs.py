"""Whole processes, from their start to what their caller waits for.

A session hook and an editor's MCP connection do not feel an operation, they feel a process:
interpreter, imports, connection, call and answer. So that is what is timed, from outside.
"""

import json
import subprocess
import time
from dataclasses import dataclass
from typing import Any

from aimem_node.gateways.demo import own_node
from aimem_node.gateways.operator.bench.calls import FEW
from aimem_node.gateways.operator.bench.figures import Figure, timed
from aimem_node.gateways.operator.bench.stage import Stage

SESSION_START_P95_MS = 60.0
MCP_RUNNING_P95_MS = 150.0
MCP_STARTING_P95_MS = 2000.0
IDLE_MB_MAX = 80.0
TOOLS_MAX = 8
TOOLS_BYTES_MAX = 6000
SETTLE_SECONDS = 2.0
PROTOCOL = "2025-06-18"
AIMEM_NODE = own_node.Command("aimem-node", "aimem_node.gateways.operator.cli:main")


class ProgramError(Exception):
    """A process under measurement did not do its work; its figure would be worthless."""


async def idle(stage: Stage) -> list[Figure]:
    """Memory of a node that has just started and was asked nothing."""
    stage.ready()
    time.sleep(SETTLE_SECONDS)  # noqa: ASYNC251 - nothing else may happen meanwhile
    held = len(stage.ids)
    resident = stage.node.resident_bytes() / 1_000_000
    return [Figure(f"idle node, {held:,} memories, no MCP client yet", resident, "MB", IDLE_MB_MAX)]


async def session_start(stage: Stage) -> list[Figure]:
    """`aimem session-start` from exec to exit, as a session hook runs it."""
    await stage.fill(FEW)
    hook_ms(stage)  # the first one reads the programs from the disk
    waited = [hook_ms(stage) for _ in range(stage.runs(100, 15))]
    what = "aimem session-start, whole process, 1,000 memories"
    return [timed(what, waited, SESSION_START_P95_MS)]


def hook_ms(stage: Stage) -> float:
    """One run of the hook; ProgramError when it printed nothing, since it never fails."""
    argv = stage.node.aimem("session-start")
    started = time.perf_counter()
    ran = subprocess.run(
        argv, env=stage.node.env, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    took_ms = (time.perf_counter() - started) * 1000
    if ran.returncode != 0 or not ran.stdout.strip():
        raise ProgramError(f"session-start gave {ran.returncode}: {ran.stderr.decode()[-500:]}")
    return took_ms


@dataclass(frozen=True, slots=True)
class Handshake:
    """One `aimem mcp` process, up to its first list of tools."""

    took_ms: float
    tools: list[dict[str, Any]]


def shake_hands(stage: Stage) -> Handshake:
    """Start `aimem mcp`, initialize, list the tools, close its stdin and wait for its end."""
    started = time.perf_counter()
    bridge = subprocess.Popen(
        stage.node.aimem("mcp"),
        env=stage.node.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        client = {"name": "bench", "version": "1"}
        hello = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": client}
        _send(bridge, {"id": 1, "method": "initialize", "params": hello})
        _answer(bridge, 1)
        _send(bridge, {"method": "notifications/initialized"})
        _send(bridge, {"id": 2, "method": "tools/list"})
        tools = _answer(bridge, 2)["tools"]
        return Handshake((time.perf_counter() - started) * 1000, tools)
    finally:
        assert bridge.stdin is not None and bridge.stdout is not None  # noqa: PT018
        bridge.stdin.close()
        try:
            bridge.wait(5)
        except subprocess.TimeoutExpired:
            bridge.kill()
            bridge.wait()
        bridge.stdout.close()


def _send(bridge: "subprocess.Popen[bytes]", message: dict[str, Any]) -> None:
    assert bridge.stdin is not None
    bridge.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    bridge.stdin.flush()


def _answer(bridge: "subprocess.Popen[bytes]", number: int) -> dict[str, Any]:
    assert bridge.stdout is not None
    for line in bridge.stdout:
        message = json.loads(line)
        if message.get("id") == number:
            if "result" not in message:
                raise ProgramError(f"aimem mcp answered {message.get('error')}")
            return dict(message["result"])
    raise ProgramError("aimem mcp ended before it answered")


async def mcp(stage: Stage) -> list[Figure]:
    """`aimem mcp` from exec to the first list of tools: first client, later ones, no node yet."""
    await stage.fill(FEW)
    first = []
    for _ in range(stage.runs(5, 1)):
        stage.node.stop()
        stage.ready()
        first.append(shake_hands(stage).took_ms)
    hands = [shake_hands(stage) for _ in range(stage.runs(50, 10))]
    stage.node.stop()
    starting = []
    for _ in range(stage.runs(10, 2)):
        starting.append(shake_hands(stage).took_ms)
        end_started_node(stage)
    what = "aimem mcp to first tools/list"
    return [
        timed(f"{what}, node runs", [each.took_ms for each in hands], MCP_RUNNING_P95_MS),
        timed(f"{what}, first client of a node that runs", first, None),
        timed(f"{what}, node must start", starting, MCP_STARTING_P95_MS),
        *tool_list(hands[-1].tools),
    ]


def tool_list(tools: list[dict[str, Any]]) -> list[Figure]:
    """What the default list of tools costs whoever reads it."""
    size = len(json.dumps(tools, separators=(",", ":"), ensure_ascii=False).encode())
    return [
        Figure("default tool list, tools", len(tools), "tools", TOOLS_MAX),
        Figure("default tool list, JSON", size, "bytes", TOOLS_BYTES_MAX),
    ]


def end_started_node(stage: Stage) -> None:
    """Stop the node that a bridge started, with the operator's own command."""
    argv = AIMEM_NODE.argv("stop", "--data-dir", str(stage.node.data_dir))
    subprocess.run(argv, env=stage.node.env, capture_output=True, check=False, timeout=30)
    own_node.end_all_in(stage.node.home)
