"""Real namespaces with our router in between. Needs root, `ip` and TUN devices."""

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from chaos.net import CannotInject, Loopback, Network, Rule, network_for, requirements
from chaos.net.namespaces import NAMES

needs_root = pytest.mark.skipif(bool(requirements()), reason="; ".join(requirements()) or "-")
PORT = 7000
SERVER = f"""
import socket
with socket.create_server(("0.0.0.0", {PORT})) as server:
    print("ready", flush=True)
    while True:
        connection, _ = server.accept()
        with connection:
            while content := connection.recv(65536):
                connection.sendall(content)
"""
CLIENT = """
import socket, sys
host, size, patience = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
try:
    with socket.create_connection((host, {port}), patience) as connection:
        print("connected", flush=True)
        connection.settimeout(patience)
        connection.sendall(b"x" * size)
        got = 0
        while got < size:
            got += len(connection.recv(65536))
    print("echoed")
except OSError as error:
    print(type(error).__name__)
""".replace("{port}", str(PORT))


HELD = """
import socket, sys
with socket.create_connection((sys.argv[1], {port}), 20) as connection:
    print("connected", flush=True)
    sys.stdin.readline()
    try:
        connection.sendall(b"x")
        connection.recv(1)
    except OSError as error:
        print(type(error).__name__)
""".replace("{port}", str(PORT))
SLEEPER = "import sys; print('asleep', flush=True); sys.stdin.read()"


class Net:
    """Two nodes, b answering."""

    def __init__(self) -> None:
        self.network = Network(f"{os.getpid()}", ("a", "b"), seed=1)
        self.network.up()
        self.server = subprocess.Popen(
            self.network.command("b", [sys.executable, "-c", SERVER]), stdout=subprocess.PIPE
        )
        assert self.server.stdout is not None
        assert self.server.stdout.readline() == b"ready\n"

    def close(self) -> None:
        self.server.kill()
        self.server.wait()
        assert self.server.stdout is not None
        self.server.stdout.close()
        self.network.down()

    def rule(self, source: str, target: str, **parts: Any) -> None:
        asyncio.run(self.network.set(source, target, Rule(**parts)))

    def counts(self, pair: str) -> dict[str, int]:
        return asyncio.run(self.network.stats())[pair]

    def ask(self, size: int = 10, patience_s: float = 5.0) -> list[str]:
        """What a client at a is told: whether it connects, and whether it hears its echo."""
        argv = [sys.executable, "-c", CLIENT, self.network.address("b"), str(size), str(patience_s)]
        done = subprocess.run(
            self.network.command("a", argv), capture_output=True, text=True, check=True
        )
        return done.stdout.split()


@pytest.fixture
def net() -> Iterator[Net]:
    made = Net()
    yield made
    made.close()


@needs_root
def test_nodes_reach_each_other_and_every_packet_is_counted(net: Net) -> None:
    assert net.ask(200_000) == ["connected", "echoed"]
    assert net.counts("a>b")["bytes"] > 200_000
    assert net.counts("a>b")["passed"] > 20
    assert net.counts("a>b")["dropped"] == 0


@needs_root
@pytest.mark.parametrize(("source", "target"), [("a", "b"), ("b", "a")])
def test_a_cut_in_one_direction_is_enough_for_silence_and_healing_ends_it(
    net: Net, source: str, target: str
) -> None:
    net.rule(source, target, drop=True)
    assert net.ask(patience_s=0.5) == ["TimeoutError"]
    assert net.counts(f"{source}>{target}")["dropped"] > 0
    asyncio.run(net.network.clear())
    assert net.ask() == ["connected", "echoed"]


@needs_root
def test_a_reset_link_refuses_at_once(net: Net) -> None:
    net.rule("a", "b", reset=True)
    assert net.ask(patience_s=20) == ["ConnectionRefusedError"]
    assert net.counts("a>b")["reset"] > 0


@needs_root
def test_a_connection_that_was_there_is_reset_with_the_next_segment(net: Net) -> None:
    argv = [sys.executable, "-c", HELD, net.network.address("b")]
    with subprocess.Popen(
        net.network.command("a", argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "connected\n"
        net.rule("a", "b", reset=True)
        assert client.communicate("\n", timeout=20)[0] == "ConnectionResetError\n"
    assert net.counts("a>b")["reset"] > 0


@needs_root
def test_a_stalled_link_connects_and_moves_no_data(net: Net) -> None:
    net.rule("a", "b", larger_than=180)
    assert net.ask(10) == ["connected", "echoed"]
    assert net.ask(100_000, patience_s=0.5) == ["connected", "TimeoutError"]


@needs_root
def test_what_is_lost_doubled_delayed_and_shuffled_arrives_nevertheless(net: Net) -> None:
    rule = {"loss": 0.1, "duplicate": 0.2, "reorder": 0.2, "delay_ms": 2, "jitter_ms": 1}
    net.rule("a", "b", **rule)
    net.rule("b", "a", **rule)
    assert net.ask(300_000, patience_s=30) == ["connected", "echoed"]
    counts = net.counts("a>b")
    assert min(counts[what] for what in ("dropped", "duplicated", "delayed", "passed")) > 0


@needs_root
def test_a_node_may_come_later_and_go_and_keeps_its_address(net: Net) -> None:
    network = net.network
    before = {name: network.address(name) for name in "ab"}
    network.add("n1")
    argv = [sys.executable, "-c", CLIENT, network.address("b"), "10", "5"]
    done = subprocess.run(network.command("n1", argv), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["connected", "echoed"]
    counted = net.counts("n1>b")
    network.remove("n1")
    network.remove("n1")
    assert net.counts("n1>b") == counted
    assert not (NAMES / network.namespace("n1")).exists()
    assert {name: network.address(name) for name in "ab"} == before


@needs_root
def test_nothing_is_left_after_it_is_taken_down_twice(net: Net) -> None:
    there = [NAMES / net.network.namespace(name) for name in "ab"]
    assert all(path.exists() for path in there)
    net.network.down()
    net.network.down()
    assert not any(path.exists() for path in there)
    with pytest.raises(CannotInject, match="does not run"):
        net.rule("a", "b", drop=True)


@needs_root
def test_what_runs_in_a_namespace_ends_with_it(net: Net) -> None:
    with sleeper(net.network.command("a", [sys.executable, "-c", SLEEPER])) as inside:
        net.network.down()
        assert inside.wait(10) == -signal.SIGKILL
    assert net.server.wait(10) == -signal.SIGKILL


@needs_root
def test_a_second_network_of_one_process_is_refused_and_takes_nothing_from_the_first(
    net: Net,
) -> None:
    second = Network(f"{os.getpid()}", ("n1", "a"))
    with pytest.raises(CannotInject, match="not made by this network"):
        second.up()
    assert not (NAMES / second.namespace("n1")).exists(), "it leaves what it had made"
    second.down()
    with pytest.raises(CannotInject, match="up already"):
        net.network.up()
    assert net.ask() == ["connected", "echoed"]


@needs_root
def test_a_node_whose_making_failed_is_not_taken_for_made(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: str) -> None:
        raise CannotInject("no address for you")

    with monkeypatch.context() as patched:
        patched.setattr("chaos.net.namespaces.furnish", refuse)
        with pytest.raises(CannotInject, match="for you"):
            net.network.add("n1")
        assert not (NAMES / net.network.namespace("n1")).exists()
    net.network.add("n1")
    assert (NAMES / net.network.namespace("n1")).exists()


@needs_root
def test_a_router_that_does_not_answer_is_ended_and_never_asked_again(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = net.network._router
    assert router is not None
    monkeypatch.setattr("chaos.net.network.ORDER_S", 0.2)
    router.send_signal(signal.SIGSTOP)
    with pytest.raises(CannotInject, match="does not answer"):
        net.rule("a", "b", drop=True)
    assert router.wait(10) == -signal.SIGKILL
    with pytest.raises(CannotInject, match="has ended"):
        asyncio.run(net.network.stats())


@needs_root
def test_a_device_that_has_gone_leaves_the_others_their_router(net: Net) -> None:
    net.network.add("n1")
    subprocess.run(["ip", "netns", "del", net.network.namespace("n1")], check=True)
    assert net.ask() == ["connected", "echoed"]
    net.network.remove("n1")
    assert net.ask() == ["connected", "echoed"]


def sleeper(argv: list[str]) -> subprocess.Popen[str]:
    """A process that runs for as long as it is left alone."""
    made = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert made.stdout is not None
    assert made.stdout.readline() == "asleep\n"
    return made


HARNESS = """
import os, sys
from chaos.net import Network
net = Network(str(os.getpid()), ("a", "b"))
net.up()
print(net._router.pid, net.namespace("a"), flush=True)
sys.stdin.read()
"""


@needs_root
def test_a_harness_that_is_shot_takes_its_router_along_and_is_swept_away_by_the_next() -> None:
    harness = subprocess.Popen(
        [sys.executable, "-c", HARNESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert harness.stdout is not None
    assert harness.stdin is not None
    router, space = harness.stdout.readline().split()
    ended = os.pidfd_open(int(router))
    harness.send_signal(signal.SIGKILL)
    harness.wait()
    harness.stdout.close()
    harness.stdin.close()
    assert select.select([ended], [], [], 10)[0], "the router goes on without its harness"
    os.close(ended)
    assert (NAMES / space.decode()).exists()
    inside = ["ip", "netns", "exec", space.decode(), sys.executable, "-c", SLEEPER]
    with sleeper(inside) as orphan:
        assert space.decode() in Network.sweep()
        assert orphan.wait(10) == -signal.SIGKILL
    assert not (NAMES / space.decode()).exists()


def test_without_namespaces_a_rule_is_refused_in_words_and_never_ignored() -> None:
    loopback = Loopback(["it needs root"])
    asyncio.run(loopback.set("a", "b", Rule()))
    with pytest.raises(CannotInject, match="it needs root"):
        asyncio.run(loopback.set("a", "b", Rule(drop=True)))
    assert loopback.command("a", ["true"]) == ["true"]
    assert socket.inet_aton(loopback.address("a")) == b"\x7f\0\0\1"


def test_what_is_missing_decides_which_network_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaos.net.namespaces.os.geteuid", lambda: 1000)
    found = network_for("1", ())
    assert isinstance(found, Loopback)
    assert "it needs root" in found.why
    with pytest.raises(CannotInject, match="needs root"):
        Network("1").up()


@pytest.mark.parametrize(("owner", "name"), [("run-1", "a"), ("1", "a-b"), ("1", "../x")])
def test_a_name_that_the_sweep_would_not_know_is_refused(owner: str, name: str) -> None:
    with pytest.raises(ValueError, match="not a process id and a word"):
        Network(owner, (name,))
