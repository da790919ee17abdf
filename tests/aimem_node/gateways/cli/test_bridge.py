"""`aimem mcp`: bytes in, bytes out, and an end when stdin ends."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable

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
            link.sendall(b"d" * size)
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


def test_a_node_that_goes_away_ends_the_bridge_with_a_reason(fake: FakeNode) -> None:
    def talk(link: socket.socket) -> None:
        with link.makefile("rb") as lines:
            lines.readline()
        link.sendall(b"bye\n")

    serve(fake, talk)
    with bridge(fake) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.read() == b"bye\n"
        assert b"the node closed the connection" in running.stderr.read()
    assert running.returncode == 5


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
