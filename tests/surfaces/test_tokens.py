"""What a session has seen goes along from call to call, whichever way in was taken."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from aimem_node import places
from aimem_node.client.grpc_wire import Route
from aimem_node.client.sync import SyncClient
from aimem_node.client.wire_http import request as http_request
from aimem_node.contract import codec
from aimem_node.contract.calls import Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS
from aimem_node.contract.tokens import merged
from aimem_node.contract.values import GetRequest
from tests.surfaces.stub import Stub
from tests.surfaces.ways import WAYS, Running

HOME, AWAY = "a" * 32, "b" * 32
"""Two clusters."""
SESSIONS = [name for name in WAYS if name != "http"]
"""Ways whose client keeps the session; over plain HTTP the caller does it."""


def log(number: int) -> str:
    return f"{number:032x}.{number:016x}"


def token(cluster: str = HOME, **logs: int) -> str:
    """What somebody has seen: l1=3 is the first log up to its third op."""
    by_number = sorted((int(name[1:]), seq) for name, seq in logs.items())
    seen = ",".join(f"{log(number)}:{seq}" for number, seq in by_number)
    return f"{cluster}/1/{seen}"


class Node:
    """Answers as a node does that has taken in `have`."""

    def __init__(self, stub: Stub, have: str) -> None:
        self.have = have
        self.after: list[str] = []
        self.wait_ms: list[int] = []
        self.lost: list[str] = []
        stub.dispatch.answer = self._answer

    def _answer(self, operation: str, _request: Any, who: Credentials) -> Any:
        session = who.session
        assert session is not None
        self.after.append(session.after)
        self.wait_ms.append(session.max_wait_ms)
        if self.lost and any(one.rpartition(":")[0] in session.after for one in self.lost):
            raise Failure(Code.DATA_LOST, "it is gone", details={"lost": self.lost})
        here = session.after.partition("/")[0] in ("", self.have.partition("/")[0])
        if here and merged(session.after, self.have) != self.have:
            raise Failure(Code.UNAVAILABLE, "not here yet", details={"missing": ["x"]})
        session.token = self.have
        return OPERATIONS[operation].response()


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Stub]:
    made = Stub(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def other(stub: Stub, tmp_path: Path) -> Iterator[Stub]:
    """Another node of the same user."""
    made = Stub(tmp_path, "e")
    yield made
    made.stop()


def aimem(stub: Stub, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [stub.aimem, *words], env=stub.env, capture_output=True, text=True, timeout=30,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def ask(stub: Stub, headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
    status, told, body = http_request(
        stub.socket("http"), "GET", "/api/v1/memories/m", None, headers, 30
    )
    return status, told, json.loads(body)


@pytest.mark.parametrize("name", SESSIONS)
def test_every_call_takes_along_what_the_earlier_ones_have_seen(stub: Stub, name: str) -> None:
    node = Node(stub, token(l1=1))
    way = WAYS[name](stub)
    try:
        way.call("Get", id="m")
        way.call("Store", title="t", content="c")
        node.have = token(l1=5, l2=2)
        way.call("List")
        way.call("Get", id="m")
    finally:
        way.close()
    assert node.after == ["", token(l1=1), token(l1=1), token(l1=5, l2=2)]


@pytest.mark.parametrize("name", SESSIONS)
def test_a_node_that_has_less_is_not_shown_as_the_truth(stub: Stub, name: str) -> None:
    node = Node(stub, token(l1=5))
    way = WAYS[name](stub)
    try:
        way.call("List")
        node.have = token(l1=3)
        with pytest.raises(Failure) as caught:
            way.call("List")
        node.have = token(l1=5)
        way.call("List")
    finally:
        way.close()
    assert caught.value.code is Code.UNAVAILABLE


@pytest.mark.parametrize("name", SESSIONS)
def test_what_is_lost_is_told_once_and_then_asked_for_no_more(stub: Stub, name: str) -> None:
    node = Node(stub, token(l1=5, l2=2))
    way = WAYS[name](stub)
    try:
        way.call("List")
        node.have, node.lost = token(l1=5), [f"{log(2)}:2"]
        with pytest.raises(Failure) as caught:
            way.call("List")
        way.call("List")
    finally:
        way.close()
    assert caught.value.code is Code.DATA_LOST
    assert node.after[-1] == token(l1=5)


def test_over_http_the_caller_carries_it_in_headers(stub: Stub) -> None:
    node = Node(stub, token(l1=1))
    status, told, _ = ask(stub, {})
    assert (status, told["aimem-token"]) == (200, token(l1=1))
    status, told, _ = ask(stub, {"Aimem-After": token(l1=1), "Aimem-Max-Wait-Ms": "70"})
    assert (status, node.after, node.wait_ms) == (200, ["", token(l1=1)], [500, 70])
    status, told, shown = ask(stub, {"Aimem-After": token(l1=9)})
    assert (status, shown["code"], told["retry-after"]) == (503, "UNAVAILABLE", "1")
    assert "missing" in shown["details"]


@pytest.mark.parametrize("given", ["soon", "-1", "1.5", "", "٣", "9" * 12])
def test_a_wait_that_is_no_number_is_refused_by_the_name_of_its_header(
    stub: Stub, given: str
) -> None:
    Node(stub, token(l1=1))
    if given.isascii():
        status, _, shown = ask(stub, {"Aimem-Max-Wait-Ms": given})
        assert (status, shown["code"], shown["path"]) == (
            400, "INVALID_ARGUMENT", "aimem-max-wait-ms",
        )  # fmt: skip
        with SyncClient.unix(stub.socket("grpc")) as client:
            client.seen.max_wait_ms = given  # type: ignore[assignment]
            with pytest.raises(Failure) as caught:
                client.call("Get", GetRequest(id="m"))
        assert (caught.value.code, caught.value.path) == (
            Code.INVALID_ARGUMENT, "aimem-max-wait-ms",
        )  # fmt: skip
    assert aimem(stub, "list", f"--max-wait-ms={given}").returncode == 2


def test_a_session_goes_on_in_another_client(stub: Stub, other: Stub) -> None:
    Node(stub, token(l1=4, l2=1))
    behind = Node(other, token(l1=4))
    with SyncClient.unix(stub.socket("grpc")) as first:
        first.call("Get", GetRequest(id="m"))
    assert first.token == token(l1=4, l2=1)
    with SyncClient(Route.unix(other.socket("grpc")), max_wait_ms=30) as second:
        second.go_on(first.token)
        with pytest.raises(Failure) as caught:
            second.call("Get", GetRequest(id="m"))
    assert caught.value.code is Code.UNAVAILABLE
    assert (behind.after, behind.wait_ms) == ([first.token], [30])


def test_a_token_of_very_many_logs_still_goes_both_ways(stub: Stub) -> None:
    """gRPC alone takes 8 KiB of metadata: three hundred restored nodes would end every call."""
    long = token(**{f"l{number}": number for number in range(1, 301)})
    node = Node(stub, long)
    with SyncClient.unix(stub.socket("grpc")) as client:
        for _ in range(2):
            client.call("Get", GetRequest(id="m"))
    assert client.token == long
    assert ask(stub, {"Aimem-After": ""})[1]["aimem-token"] == long
    assert aimem(stub, "list").returncode == 0
    assert aimem(stub, "list").returncode == 0
    assert node.after[-1] == long


def test_a_caller_who_knows_nothing_of_tokens_is_not_sent_a_long_one(stub: Stub) -> None:
    Node(stub, token(**{f"l{number}": number for number in range(1, 301)}))
    assert "aimem-token" not in ask(stub, {})[1]
    with grpc.insecure_channel(f"unix:{stub.socket('grpc')}") as channel:
        method = channel.unary_unary(OPERATIONS["Get"].grpc_path)
        _, call = method.with_call(codec.to_wire(GetRequest(id="m")), timeout=20)
    assert "aimem-token" not in dict(call.trailing_metadata())


def test_what_was_seen_on_one_node_is_asked_of_the_next(stub: Stub, other: Stub) -> None:
    """The user stores on one machine, asks on another, and must not be shown an old answer."""
    Node(stub, token(l1=7))
    late = Node(other, token(l1=6))
    assert aimem(stub, "store", "t", "c").returncode == 0
    refused = aimem(other, "list")
    assert refused.returncode == 5
    assert "--stale" in refused.stderr
    assert aimem(other, "list", "--stale").returncode == 0
    late.have = token(l1=8)
    assert aimem(other, "list").returncode == 0
    assert late.after == [token(l1=7), "", token(l1=7)]


def test_two_clusters_do_not_disturb_each_other(stub: Stub, other: Stub) -> None:
    here, there = Node(stub, token(HOME, l1=1)), Node(other, token(AWAY, l9=1))
    for one in (stub, other, stub, other, stub):
        assert aimem(one, "list").returncode == 0
    assert here.after == ["", token(HOME, l1=1), token(HOME, l1=1)]
    assert there.after == [token(HOME, l1=1), token(AWAY, l9=1)]


def test_what_looks_after_a_node_is_never_held_up_by_a_session(stub: Stub) -> None:
    node = Node(stub, token(l1=5))
    aimem(stub, "list")
    node.have = token(l1=1)
    assert aimem(stub, "node-status").returncode == 0
    assert node.after[-1] == ""


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        '{"tokens": 1}',
        '{"tokens": {"a": 7}, "targets": {}}',
        '{"tokens": {"a": "x\\ny"}, "targets": {"d": "a"}}',
    ],
)
def test_a_damaged_session_file_is_as_good_as_none(stub: Stub, content: str) -> None:
    node = Node(stub, token(l1=5))
    file = Path(places.seen_path(stub.env))
    file.write_text(content)
    assert aimem(stub, "list").returncode == 0
    assert aimem(stub, "list").returncode == 0
    assert node.after == ["", token(l1=5)]


def test_the_session_file_is_for_its_owner_alone(stub: Stub) -> None:
    Node(stub, token(l1=5))
    aimem(stub, "list")
    assert Path(places.seen_path(stub.env)).stat().st_mode & 0o077 == 0


def test_a_real_node_refuses_what_is_no_token_by_the_name_of_its_header(running: Running) -> None:
    path, headers = "/api/v1/memories", {"Aimem-After": "nonsense"}
    status, _, body = http_request(running.socket("http"), "GET", path, None, headers, 30)
    shown = json.loads(body)
    assert (status, shown["code"], shown["path"]) == (400, "INVALID_ARGUMENT", "aimem-after")


def test_a_real_node_knows_what_its_own_answers_have_shown(way: Any, place: str) -> None:
    record_id = way.call("Store", title="t", content="c", namespace=place)["id"]
    assert way.call("Get", id=record_id)["memory"]["title"] == "t"
    assert way.call("List", namespace=place)["count"] == 1
