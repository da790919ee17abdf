"""Committed, pending, not written, lost: each surface says it in its own words, and no other."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimem_node.client.wire_http import request as http_request
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    Awaiting,
    Outcome,
    PeerStatus,
    PendingApproveResponse,
    StoreResponse,
    WaitDurableResponse,
    WriteResult,
)
from tests.aimem_node.gateways.mcp_client import connect
from tests.surfaces.stub import Stub
from tests.surfaces.ways import WAYS, Http

PEERS = (
    PeerStatus(node_id="a" * 32, name="lab-2", state="unreachable", reason="silent for 3 s"),
    PeerStatus(node_id="b" * 32, name="", state="behind", reason="41 ops behind"),
)
PENDING = WriteResult(
    outcome=Outcome.PENDING, write_ids=(f"{'c' * 32}.{'d' * 16}:7",), acks=1, needed=2,
    reason="the time was up", peers=PEERS,
)  # fmt: skip
WAITS = WriteResult(
    outcome=Outcome.AWAITING_APPROVAL, write_ids=(f"{'c' * 32}.{'d' * 16}:7",), acks=1, needed=1,
    awaiting=Awaiting(
        pending_id="4f2a-91", action="store", namespace="a", set_at="team",
        reason="it needs the approval of another operator", rule="store: approve (admin)",
    ),
)  # fmt: skip
NOT_WRITTEN = Failure(
    Code.NOT_WRITTEN,
    "nothing was written: 1 of 2 voters are in reach",
    next="Send it again when more members are in reach.",
    details={
        "needed": 2,
        "peers": [
            {"node_id": one.node_id, "name": one.name, "state": one.state, "reason": one.reason}
            for one in PEERS
        ],
    },
)
LOST = Failure(
    Code.DATA_LOST, "this session has seen an op that was on one disk only",
    details={"lost": [f"{'c' * 32}.{'d' * 16}:7"]},
)  # fmt: skip
STORE = {"title": "t", "content": "c", "namespace": "a"}


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stub]:
    made = Stub(tmp_path_factory.mktemp("o"))
    yield made
    made.stop()


@pytest.fixture(scope="module", params=list(WAYS))
def way(request: pytest.FixtureRequest, stub: Stub) -> Iterator[Any]:
    opened = WAYS[request.param](stub)
    yield opened
    opened.close()


def answer(stub: Stub, what: Any) -> None:
    def told(*_: object) -> Any:
        if isinstance(what, Exception):
            raise what
        return what

    stub.dispatch.answer = told


def shell(stub: Stub, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [stub.aimem, *words], env=stub.env, capture_output=True, text=True, timeout=30,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def post(stub: Stub) -> tuple[int, dict[str, str], Any]:
    body, said = json.dumps(STORE).encode(), {"Content-Type": "application/json"}
    status, headers, text = http_request(
        stub.socket("http"), "POST", "/api/v1/memories", body, said, 30
    )
    return status, headers, json.loads(text)


def by_mcp(stub: Stub) -> Any:
    async def conversation() -> Any:
        async with connect(stub.socket("mcp")) as client:
            return await client.call_tool("memory_store", STORE)

    return asyncio.run(conversation())


def test_a_refused_write_names_every_peer_and_its_reason_on_every_way(way: Any, stub: Stub) -> None:
    answer(stub, NOT_WRITTEN)
    with pytest.raises(Failure) as caught:
        way.call("Store", **STORE)
    assert caught.value.code is Code.NOT_WRITTEN
    if way.name == "mcp":
        for part in ("lab-2: unreachable, silent for 3 s", "bbbbbbbb: behind, 41 ops behind"):
            assert part in caught.value.message
    else:
        assert caught.value.message == NOT_WRITTEN.message
        assert caught.value.details == NOT_WRITTEN.details
        assert caught.value.definite is True
    assert caught.value.next == NOT_WRITTEN.next


def test_what_is_lost_is_said_as_such_on_every_way(way: Any, stub: Stub) -> None:
    answer(stub, LOST)
    with pytest.raises(Failure) as caught:
        way.call("Get", id="m")
    assert caught.value.code is Code.DATA_LOST
    assert "one disk only" in caught.value.message


@pytest.mark.parametrize("name", [name for name in WAYS if name not in ("cli", "http")])
def test_a_pending_write_is_an_answer_and_says_what_it_waits_for(stub: Stub, name: str) -> None:
    answer(stub, StoreResponse(id="m", write=PENDING))
    opened = WAYS[name](stub)
    try:
        write = opened.call("Store", **STORE)["write"]
    finally:
        opened.close()
    assert (write["outcome"], write["acks"], write["needed"]) == ("pending", 1, 2)
    assert [(one["name"], one["reason"]) for one in write["peers"]] == [
        ("lab-2", "silent for 3 s"), ("", "41 ops behind"),
    ]  # fmt: skip


def test_http_says_202_while_a_write_is_pending_and_201_or_200_when_it_is_not(stub: Stub) -> None:
    answer(stub, StoreResponse(id="m", write=PENDING))
    status, _, shown = post(stub)
    assert status == 202
    assert shown["write"]["peers"][0]["name"] == "lab-2"
    committed = WriteResult(outcome=Outcome.COMMITTED, acks=2, needed=2)
    answer(stub, StoreResponse(id="m", write=committed))
    assert post(stub)[0] in (200, 201)
    assert Http(stub).call("Store", **STORE)["write"]["outcome"] == "committed"


@pytest.mark.parametrize("name", [name for name in WAYS if name not in ("cli", "http")])
def test_a_write_that_waits_for_approval_is_an_answer_that_names_the_rule(
    stub: Stub, name: str
) -> None:
    answer(stub, StoreResponse(write=WAITS))
    opened = WAYS[name](stub)
    try:
        told = opened.call("Store", **STORE)
    finally:
        opened.close()
    assert (told["id"], told["write"]["outcome"]) == ("", "awaiting_approval")
    awaiting = told["write"]["awaiting"]
    assert (awaiting["pending_id"], awaiting["rule"], awaiting["set_at"]) == (
        "4f2a-91", "store: approve (admin)", "team",
    )  # fmt: skip


def test_http_says_202_while_a_write_waits_for_approval(stub: Stub) -> None:
    answer(stub, StoreResponse(write=WAITS))
    status, _, shown = post(stub)
    assert (status, shown["write"]["awaiting"]["pending_id"]) == (202, "4f2a-91")


def test_an_agent_is_told_in_one_line_that_its_write_waits_for_approval(stub: Stub) -> None:
    answer(stub, StoreResponse(write=WAITS))
    result = by_mcp(stub)
    assert not result.is_error
    _, line = [part.text for part in result.content]
    assert line.startswith("nothing was done yet: it needs the approval of another operator")
    assert "'store: approve (admin)' set at team" in line
    assert "4f2a-91" in line


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_the_command_ends_with_9_when_a_write_waits_and_names_who_may_approve(
    stub: Stub, more: list[str]
) -> None:
    answer(stub, StoreResponse(write=WAITS))
    done = shell(stub, "store", "t", "c", *more)
    assert done.returncode == 9
    [line] = done.stderr.splitlines()
    assert "approval of another operator" in line
    assert "aimem pending approve 4f2a-91" in line
    assert bool(done.stdout) == bool(more)


def test_two_words_are_one_command_where_the_first_alone_is_none(stub: Stub) -> None:
    answer(stub, PendingApproveResponse(status="approved", approved=True, id="4f2a"))
    assert shell(stub, "pending", "approve", "4f2a", "--json").returncode == 0
    assert stub.dispatch.asked[-1][0] == "PendingApprove"
    assert stub.dispatch.asked[-1][1].id == "4f2a"
    assert "pending-approve" in shell(stub, "pending", "approve", "--help").stdout
    assert "policy-explain" in shell(stub, "help", "policy", "explain").stdout
    unknown = shell(stub, "pending", "nothing")
    assert unknown.returncode == 2
    assert "there is no pending nothing" in unknown.stderr


@pytest.mark.parametrize(("given", "told"), [(None, "1"), (7, "7"), (0.2, "1"), ("soon", "1")])
def test_http_says_when_to_come_again(stub: Stub, given: Any, told: str) -> None:
    details = dict(NOT_WRITTEN.details) | ({} if given is None else {"retry_after_s": given})
    answer(stub, Failure(Code.NOT_WRITTEN, "too few", details=details))
    status, headers, shown = post(stub)
    assert (status, headers["retry-after"]) == (503, told)
    assert [one["state"] for one in shown["details"]["peers"]] == ["unreachable", "behind"]


def test_http_says_that_what_is_lost_is_gone(stub: Stub) -> None:
    answer(stub, LOST)
    assert post(stub)[0] == 410


def test_an_agent_is_told_in_one_line_that_its_write_is_not_yet_safe(stub: Stub) -> None:
    answer(stub, StoreResponse(id="m", write=PENDING))
    result = by_mcp(stub)
    assert not result.is_error
    whole, line = [part.text for part in result.content]
    assert json.loads(whole)["write"]["outcome"] == "pending"
    assert line.startswith("stored, but only on 1 of 2 nodes so far: lab-2: unreachable, silent")
    assert "bbbbbbbb: behind, 41 ops behind" in line
    assert result.structured_content["write"]["peers"][0]["name"] == "lab-2"


def test_an_agent_is_told_what_to_do_about_a_write_that_was_not_done(stub: Stub) -> None:
    answer(stub, NOT_WRITTEN)
    result = by_mcp(stub)
    assert result.is_error
    assert "lab-2: unreachable" in result.content[0].text
    assert "Next: Send it again" in result.content[0].text


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_the_command_ends_with_9_when_a_write_is_pending(stub: Stub, more: list[str]) -> None:
    answer(stub, StoreResponse(id="m", title="t", write=PENDING))
    done = shell(stub, "store", "t", "c", *more)
    assert done.returncode == 9
    [line] = done.stderr.splitlines()
    assert "on 1 of 2 nodes so far" in line
    assert "lab-2: unreachable, silent for 3 s" in line
    if more:
        assert json.loads(done.stdout)["write"]["outcome"] == "pending"


def test_the_command_that_waits_ends_with_9_while_it_is_still_pending(stub: Stub) -> None:
    answer(stub, WaitDurableResponse(write=PENDING))
    assert shell(stub, "wait-durable", PENDING.write_ids[0]).returncode == 9


def test_the_command_ends_with_0_when_only_a_memory_speaks_of_something_pending(
    stub: Stub,
) -> None:
    from aimem_node.contract.values import GetResponse, Memory

    memory = Memory(id="m", title="t", content="c", metadata={"outcome": "pending"})
    answer(stub, GetResponse(memory=memory))
    assert shell(stub, "get", "m", "--json").returncode == 0


@pytest.mark.parametrize(("failure", "code"), [(NOT_WRITTEN, 5), (LOST, 7)])
def test_the_command_names_the_peers_and_has_an_exit_code_for_each_end(
    stub: Stub, failure: Failure, code: int
) -> None:
    answer(stub, failure)
    done = shell(stub, "store", "t", "c")
    assert done.returncode == code
    for peer in failure.details.get("peers", ()):
        assert f"{peer['state']}, {peer['reason']}" in done.stderr
    assert "next: " in done.stderr


def test_the_options_of_a_write_are_flags_and_fields_like_any_other(stub: Stub) -> None:
    answer(stub, StoreResponse(id="m", write=WriteResult(outcome=Outcome.COMMITTED)))
    shell(stub, "store", "t", "c", "--w", "3", "--deadline-ms", "50", "--allow-pending")
    by_flag = stub.dispatch.asked[-1][1].options
    assert (by_flag.w, by_flag.deadline_ms, by_flag.allow_pending) == (3, 50, True)
    shell(stub, "delete", "m", "--no-allow-pending")
    assert stub.dispatch.asked[-1][1].options.allow_pending is False
    path = "/api/v1/memories/m?options.w=2&options.deadline_ms=9&options.allow_pending=true"
    http_request(stub.socket("http"), "DELETE", path, None, {}, 30)
    by_query = stub.dispatch.asked[-1][1].options
    assert (by_query.w, by_query.deadline_ms, by_query.allow_pending) == (2, 9, True)


def test_help_says_what_the_exit_codes_mean(tmp_path: Path, stub: Stub) -> None:
    assert "9 written, but not yet" in " ".join(shell(stub, "help").stdout.split())
