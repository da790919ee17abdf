"""`aimem mcp`: bytes in, bytes out, and an end when stdin ends."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from aimem_node.gateways.cli import fast
from tests.aimem_node.gateways.cli.fake_node import FakeNode

WAIT_S = 60


def serve(fake: FakeNode, talk: Callable[[socket.socket], None]) -> threading.Thread:
    """Have one client of the node's MCP socket talked to."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(fake.path("mcp"))
    listener.listen()

    def accept() -> None:
        with listener:
            link, _ = listener.accept()
            with link:
                talk(link)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    return thread


def bridge(fake: FakeNode, *words: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "aimem_node.gateways.cli.fast", "mcp", *words]
    return subprocess.Popen(command, env=fake.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)  # fmt: skip


def test_the_first_line_says_what_is_wanted_and_all_else_passes_unchanged(fake: FakeNode) -> None:
    seen: list[bytes] = []

    def talk(link: socket.socket) -> None:
        with link.makefile("rb") as lines:
            seen.append(lines.readline())
            while line := lines.readline():
                seen.append(line)
                link.sendall(line.upper())

    thread = serve(fake, talk)
    asked = "".join(f"message {number} ü\x00\xff\n" for number in range(3)).encode("latin-1")
    with bridge(fake, "--profile", "full", "--agent-id", "ai:me") as running:
        out, err = running.communicate(asked, timeout=WAIT_S)
    thread.join(WAIT_S)
    assert (running.returncode, err) == (0, b"")
    preface = {"aimem_mcp": 1, "profile": "full", "agent_id": "ai:me"}
    assert json.loads(seen[0]) == preface
    assert b"".join(seen[1:]) == asked
    assert out == asked.upper()


def test_more_than_fits_into_pipes_passes_while_nobody_reads(fake: FakeNode) -> None:
    size = 3_000_000

    def talk(link: socket.socket) -> None:
        with link.makefile("rb") as lines:
            lines.readline()
            link.sendall(b"d" * (size - 1) + b"\n")
            assert len(lines.read()) == size

    thread = serve(fake, talk)
    with bridge(fake) as running:
        out, _ = running.communicate(b"u" * size, timeout=WAIT_S)
    thread.join(WAIT_S)
    assert not thread.is_alive()
    assert (running.returncode, len(out)) == (0, size)


def test_answers_under_way_still_come_after_stdin_has_closed(fake: FakeNode) -> None:
    def talk(link: socket.socket) -> None:
        with link.makefile("rb") as lines:
            lines.read()
        link.sendall(b"late\n")

    serve(fake, talk)
    with bridge(fake) as running:
        out, _ = running.communicate(b"question\n", timeout=WAIT_S)
    assert (running.returncode, out) == (0, b"late\n")


HELLO = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}\n'
READY = b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n'
ASK = b'{"jsonrpc":"2.0","id":"2","method":"tools/call","params":{}}\n'
WELCOME = b'{"jsonrpc":"2.0","id":1,"result":{}}\n'


def answer(running: "subprocess.Popen[bytes]", *lines: bytes) -> dict[str, Any]:
    """Say these and hear one answer."""
    assert running.stdin is not None
    assert running.stdout is not None
    running.stdin.write(b"".join(lines))
    running.stdin.flush()
    told: dict[str, Any] = json.loads(running.stdout.readline())
    return told


def test_what_was_under_way_when_the_node_went_is_answered_and_the_next_request_finds_it_again(
    fake: FakeNode,
) -> None:
    heard: list[list[bytes]] = []

    def goes(link: socket.socket) -> None:
        with link.makefile("rb") as lines:
            heard.append([lines.readline(), lines.readline()])
            link.sendall(WELCOME)
            heard[-1] += [lines.readline(), lines.readline()]
            link.sendall(b'{"jsonrpc":"2.0","id":"2","resu')

    def stays(link: socket.socket) -> None:
        with link.makefile("rb") as lines:
            heard.append([lines.readline(), lines.readline()])
            link.sendall(WELCOME)
            heard[-1] += [lines.readline(), lines.readline()]
            link.sendall(b'{"jsonrpc":"2.0","id":"2","result":{"done":true}}\n')
            lines.read()

    first = serve(fake, goes)
    with bridge(fake) as running:
        assert answer(running, HELLO)["result"] == {}
        lost = answer(running, READY, ASK)
        assert (lost["id"], lost["error"]["code"]) == ("2", -32000)
        assert "whether it did this is not known" in lost["error"]["message"]
        first.join(WAIT_S)
        os.unlink(fake.path("mcp"))
        second = serve(fake, stays)
        assert answer(running, ASK)["result"] == {"done": True}
        assert running.stdin is not None
        running.stdin.close()
        assert running.wait(WAIT_S) == 0
    second.join(WAIT_S)
    assert heard[0][1:] == heard[1][1:] == [HELLO, READY, ASK]
    assert heard[0][0] == heard[1][0]


def test_a_conversation_that_no_node_has_opened_is_opened_by_the_client_alone(
    fake: FakeNode,
) -> None:
    heard: list[bytes] = []

    def goes(link: socket.socket) -> None:
        with link.makefile("rb") as lines:
            lines.readline()
            lines.readline()

    def stays(link: socket.socket) -> None:
        with link.makefile("rb") as lines:
            lines.readline()
            heard.append(lines.readline())
            link.sendall(WELCOME)
            heard.extend(lines)

    first = serve(fake, goes)
    with bridge(fake) as running:
        assert answer(running, HELLO)["error"]["code"] == -32000
        first.join(WAIT_S)
        os.unlink(fake.path("mcp"))
        second = serve(fake, stays)
        assert answer(running, HELLO)["result"] == {}
        assert running.stdin is not None
        running.stdin.close()
        assert running.wait(WAIT_S) == 0
    second.join(WAIT_S)
    assert heard == [HELLO]


def test_a_request_that_finds_no_node_is_answered_with_why_and_the_bridge_stays(
    fake: FakeNode,
) -> None:
    def goes(link: socket.socket) -> None:
        link.makefile("rb").readline()

    gone = serve(fake, goes)
    with bridge(fake, "--no-start") as running:
        gone.join(WAIT_S)
        os.unlink(fake.path("http"))
        told = [answer(running, HELLO)["error"]["message"], answer(running, HELLO)["error"]]
        assert told[1]["code"] == -32000
        assert "it was not to be started" in told[1]["message"]
        assert running.stdin is not None
        running.stdin.close()
        assert running.wait(WAIT_S) == 0


def test_the_bridge_imports_nothing_heavy(fake: FakeNode) -> None:
    serve(fake, lambda link: link.makefile("rb").close())
    code = (
        "import sys; bare = set(sys.modules); from aimem_node.gateways.cli import fast;"
        "fast.main(['mcp']); sys.stderr.write(' '.join(set(sys.modules) - bare))"
    )
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(fast.__file__))))
    done = subprocess.run([sys.executable, "-S", "-c", code], env=fake.env | {"PYTHONPATH": root},
                          input=b"", capture_output=True, timeout=WAIT_S, check=True)  # fmt: skip
    heavy = {"mcp", "asyncio", "argparse", "typing", "dataclasses", "logging", "grpc", "subprocess"}
    assert set(done.stderr.decode().split()) & heavy == set()


@pytest.mark.parametrize("words", [["--profile", "huge"], ["--colour"], ["--profile"]])
def test_a_wrong_option_is_explained(
    words: list[str], absent: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fast.main(["mcp", *words]) == 2
    assert capsys.readouterr().err


def test_no_node_is_explained(absent: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert fast.main(["mcp"]) == 5
    assert "aimem-node start" in capsys.readouterr().err
    assert fast.main(["--node", "h:1", "mcp"]) == 2
