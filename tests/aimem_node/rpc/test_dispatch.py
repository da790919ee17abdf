"""Where every call comes together: who may, what is refused, and what becomes of mistakes."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from aimem_node.contract import codec
from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS, Effect, Operation, Role
from aimem_node.operations import registry
from aimem_node.rpc.access_edit import create_token, revoke_token
from aimem_node.rpc.dispatch import Announcements
from tests.harness import Harness

MAY = {
    Role.READER: {Role.READER},
    Role.WRITER: {Role.READER, Role.WRITER},
    Role.ADMIN: {Role.READER, Role.WRITER, Role.ADMIN},
}
OPERATORS_OWN = {"Backup", "Verify"}
"""Named here too, so that a slip of the contract cannot open them to everybody."""


def holder(node: Harness, role: Role, name: str = "") -> Credentials:
    """What is known of a caller over TCP that shows a token of this role."""
    bearer = create_token(str(node.data_dir), name or role.value, role)
    node.clock.move(seconds=1)
    return Credentials(channel=Channel.LOOPBACK, bearer=bearer, surface="http")


def count(node: Harness, name: str, **labels: str) -> float:
    return node.core.metrics.registry.get_sample_value(name, labels) or 0.0


def code_of(node: Harness, declared: Operation, who: Credentials) -> Code | None:
    """What an empty request of this caller comes to; None for an answer."""
    request = codec.from_wire(declared.request, b"")
    if declared.name == "Events":
        request = replace(request, after="start", limit=1)  # or it would follow for ever

    async def ask() -> None:
        if declared.streaming:
            async for _item in node.core.dispatcher.stream(declared.name, request, who):
                return
        else:
            await node.core.dispatcher.call(declared.name, request, who)

    try:
        node.run(ask())
    except Failure as failure:
        return failure.code
    return None


@pytest.mark.parametrize("role", list(Role))
def test_a_token_does_what_its_role_allows_and_nothing_else(node: Harness, role: Role) -> None:
    node.store("something that happened")  # or a follower of events would wait for it
    who = holder(node, role)
    for declared in OPERATIONS.values():
        refused = code_of(node, declared, who) == Code.PERMISSION_DENIED
        assert refused == (declared.role not in MAY[role]), declared.name
        if role is Role.READER and declared.effect == Effect.WRITE:
            assert refused, declared.name
        if role is not Role.ADMIN and declared.name in OPERATORS_OWN:
            assert refused, declared.name


def test_a_stream_asks_for_its_role_too(node: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = replace(OPERATIONS["Export"], role=Role.WRITER)
    monkeypatch.setattr("aimem_node.rpc.dispatch.OPERATIONS", {"Export": declared})
    assert code_of(node, declared, holder(node, Role.READER)) == Code.PERMISSION_DENIED
    assert code_of(node, declared, holder(node, Role.WRITER)) is None


def test_nobody_gets_in_without_a_token_over_the_network(node: Harness) -> None:
    nobody = Credentials(channel=Channel.LOOPBACK, surface="http")
    for declared in OPERATIONS.values():
        assert code_of(node, declared, nobody) == Code.UNAUTHENTICATED, declared.name


def test_refused_callers_are_counted_by_reason(node: Harness) -> None:
    stats = OPERATIONS["Stats"]
    assert code_of(node, stats, Credentials(channel=Channel.LOOPBACK, surface="http"))
    bad = Credentials(channel=Channel.LOOPBACK, bearer="aimem_guessed", surface="http")
    assert code_of(node, stats, bad) == Code.UNAUTHENTICATED
    assert code_of(node, OPERATIONS["Delete"], holder(node, Role.READER))
    refused = "aimem_callers_refused_total"
    assert count(node, refused, reason="UNAUTHENTICATED") == 2
    assert count(node, refused, reason="PERMISSION_DENIED") == 1
    calls = "aimem_calls_total"
    assert count(node, calls, operation="Stats", surface="http", code="UNAUTHENTICATED") == 2
    assert code_of(node, OPERATIONS["Export"], bad) == Code.UNAUTHENTICATED
    assert count(node, calls, operation="Export", surface="http", code="UNAUTHENTICATED") == 1


def test_a_refused_caller_learns_nothing_of_its_request(node: Harness) -> None:
    """Who may not ask is told so, not what was wrong with the question."""
    request = codec.from_wire(OPERATIONS["Store"].request, b"")
    with pytest.raises(Failure) as caught:
        node.run(node.core.dispatcher.call("Store", request, holder(node, Role.READER)))
    assert caught.value.code == Code.PERMISSION_DENIED


def test_an_operation_nobody_knows_is_unimplemented(node: Harness) -> None:
    with pytest.raises(Failure) as caught:
        node.run(node.core.dispatcher.call("Fly", None, node.me))
    assert caught.value.code == Code.UNIMPLEMENTED


def test_a_mistake_of_ours_is_internal_and_leaks_nothing(
    node: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_call: Any, _request: Any) -> Any:
        raise ValueError("the secret words of a memory")

    monkeypatch.setitem(registry.HANDLERS, "Get", broken)
    monkeypatch.setitem(registry.HANDLERS, "Store", broken)
    for name, fields in {"Get": {"id": "x"}, "Store": {"title": "t", "content": "c"}}.items():
        with pytest.raises(Failure) as caught:
            node.call(name, **fields)
        assert (caught.value.code, caught.value.definite) == (Code.INTERNAL, False)
        assert "secret" not in str(caught.value)
        calls = count(
            node, "aimem_calls_total", operation=name, surface="inprocess", code="INTERNAL"
        )
        assert calls == 1
    monkeypatch.undo()
    assert node.memory(node.store("the node goes on"))["title"] == "the node goes on"


def test_a_stream_that_goes_wrong_ends_with_a_failure(
    node: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_call: Any, _request: Any) -> AsyncIterator[Any]:
        yield codec.from_json(OPERATIONS["Export"].response, {})
        raise KeyError("the secret words of a memory")

    monkeypatch.setitem(registry.STREAMERS, "Export", broken)
    got: list[Any] = []

    async def follow() -> None:
        request = codec.from_json(OPERATIONS["Export"].request, {})
        stream = node.core.dispatcher.stream("Export", request, node.me)
        got.append(await anext(stream))
        await anext(stream)

    with pytest.raises(Failure) as caught:
        node.run(follow())
    assert len(got) == 1
    assert caught.value.code == Code.INTERNAL
    assert "secret" not in str(caught.value)
    labels = {"operation": "Export", "surface": "inprocess", "code": "INTERNAL"}
    assert count(node, "aimem_calls_total", **labels) == 1


def test_a_stream_passes_a_failure_on_as_it_is(node: Harness) -> None:
    with pytest.raises(Failure) as caught:
        node.stream("Events", after="not a token")
    assert (caught.value.code, caught.value.path) == (Code.INVALID_ARGUMENT, "$.after")


def test_a_caller_that_gives_up_does_not_hold_up_or_harm_the_writer(node: Harness) -> None:
    busy, go_on = threading.Event(), threading.Event()

    def hold(_session: Any) -> None:
        busy.set()
        go_on.wait(20)

    held = node.core.store.writer.submit(hold)
    assert busy.wait(20)

    async def give_up() -> None:
        calls = [
            asyncio.ensure_future(node.acall("Store", title=f"t{n}", content="c")) for n in range(5)
        ]
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(one) for one in done} == {asyncio.CancelledError}

    node.run(give_up())
    go_on.set()
    held.result(20)
    after = node.store("after")
    assert [m["id"] for m in node.call("List")["memories"]] == [after]
    labels = {"operation": "Store", "surface": "inprocess", "code": "CANCELLED"}
    assert count(node, "aimem_calls_total", **labels) == 5
    assert node.call("Verify", deep=True)["problems"] == []


def test_a_refused_request_does_not_use_its_key_up(node: Harness) -> None:
    key = {"request_key": "k"}
    for fields in ({"title": "", "content": "c"}, {"title": "t", "content": "c", "ttl_secs": -1}):
        with pytest.raises(Failure):
            node.call("Store", **fields, options=key)
    with pytest.raises(Failure) as caught:
        node.call("Update", id="nobody", title="x", options=key)
    assert caught.value.code == Code.NOT_FOUND
    stored = node.call("Store", title="t", content="c", options=key)
    assert stored["write"]["replayed"] is False
    assert node.call("Store", title="t", content="c", options=key)["id"] == stored["id"]


def test_a_write_that_is_on_disk_is_answered_whatever_fails_afterwards(
    node: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_call: Any, _request: Any, _response: Any) -> dict[str, Any]:
        raise Failure(Code.DEADLINE, "the query took too long", definite=True)

    monkeypatch.setitem(registry.AFTERS, "Store", broken)
    answer = node.call("Store", title="t", content="c")
    assert answer["write"]["outcome"] == "committed"
    assert node.memory(answer["id"])["title"] == "t"


def test_every_metric_moves(node: Harness) -> None:
    record_id = node.store("t", "apples", options={"request_key": "k"})
    node.store("t", "apples", options={"request_key": "k"})
    node.call("Recall", context="apples")
    assert count(node, "aimem_touches_pending") == 1
    node.flush()
    code_of(node, OPERATIONS["Stats"], Credentials(channel=Channel.LOOPBACK, surface="http"))
    store = {"operation": "Store", "surface": "inprocess", "code": "OK"}
    assert count(node, "aimem_calls_total", **store) == 2
    assert count(node, "aimem_call_seconds_count", operation="Store") == 2
    assert count(node, "aimem_writes_replayed_total") == 1
    assert count(node, "aimem_ops_appended_total") == 2
    assert count(node, "aimem_touches_flushed_total") == 1
    assert count(node, "aimem_touches_pending") == 0
    node.run(node.core.dispatcher.announcements.beyond(1))
    assert count(node, "aimem_log_position") == 2
    assert count(node, "aimem_db_bytes") > 0
    assert count(node, "aimem_store_failed") == 0
    assert count(node, "aimem_callers_refused_total", reason="UNAUTHENTICATED") == 1
    text = node.core.metrics.text().decode()
    assert record_id not in text
    assert "apples" not in text


def test_whoever_waits_for_the_log_is_woken_by_what_reaches_far_enough() -> None:
    async def run() -> None:
        log = Announcements(asyncio.get_running_loop(), 3)
        await log.beyond(2)
        waiting = [asyncio.ensure_future(log.beyond(at)) for at in (3, 3, 5)]
        threading.Thread(target=log.committed, args=(4,)).start()
        await asyncio.wait_for(asyncio.gather(*waiting[:2]), 20)
        assert not waiting[2].done()
        log.committed(2)  # an older one that comes late takes nothing back
        log.committed(6)
        await asyncio.wait_for(waiting[2], 20)
        assert log.pos == 6

    asyncio.run(run())


def test_a_stream_gives_nothing_more_to_a_caller_whose_token_was_taken_back(node: Harness) -> None:
    node.store("before")
    who = holder(node, Role.READER, "gone-soon")
    request = codec.from_json(OPERATIONS["Events"].request, {"after": "start"})

    async def follow() -> list[str]:
        told = []
        async for event in node.core.dispatcher.stream("Events", request, who):
            told.append(event.event)
            revoke_token(str(node.data_dir), "gone-soon")
            node.clock.move(seconds=1)
            await node.acall("Store", title="after", content="not for them")
        return told

    with pytest.raises(Failure) as caught:
        node.run(follow())
    assert caught.value.code == Code.UNAUTHENTICATED
