"""What a session makes of an answer, whatever the way it asks."""

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from aimem_node.client.seen import Seen
from aimem_node.contract.errors import SIGNS, Code, Failure
from aimem_node.gateways.answers import failure_text
from chaos.history import Event, Recorder, events
from chaos.workload import Endpoint
from chaos.workload.asking import Session, Told
from chaos.workload.deeds import Deed
from chaos.workload.mcp_speaking import failure_in
from chaos.workload.speaking import http_form

WRITE = Deed("tag", "Update", {"id": "r"}, "r", {"add": ["red"]}, "key")
READ = Deed("read", "Get", {"id": "r"}, "r", {"get": "r"})
NOWHERE = Endpoint("a", "no-grpc", "no-http", "no-mcp")


class Scripted:
    """Stands where a node would, and says what it was given."""

    via = "grpc"

    def __init__(self, *says: Any) -> None:
        self.seen = Seen()
        self.says = list(says)

    async def open(self) -> None:
        pass

    async def call(self, operation: str, fields: Any) -> dict[str, Any]:
        said = self.says.pop(0)
        if isinstance(said, BaseException):
            raise said
        return said

    async def close(self) -> None:
        pass


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    numbers = count()
    made = Recorder(tmp_path, lambda: next(numbers))
    yield made
    made.close()


def session(recorder: Recorder, *says: Any) -> Session:
    procs = count()
    made = Session(recorder, lambda: next(procs), "grpc", NOWHERE, 1.0)
    made._speaker = Scripted(*says)
    made._seen = made._speaker.seen
    return made


def asked(recorder: Recorder, deed: Deed, said: Any, **more: Any) -> Told:
    return asyncio.run(session(recorder, said).ask(deed, **more))


def answer(outcome: str, acks: int = 2, **more: Any) -> dict[str, Any]:
    write = {"outcome": outcome, "write_ids": ["n.1:5"], "acks": acks, "needed": 2}
    return {"write": {**write, "replayed": False, **more}}


def test_only_committed_is_ok(recorder: Recorder) -> None:
    assert asked(recorder, WRITE, answer("committed")).type == "ok"
    pending = asked(recorder, WRITE, answer("pending", 1))
    assert (pending.type, pending.write_ids, pending.w) == ("info", ("n.1:5",), 2)


@pytest.mark.parametrize("code", Code)
def test_a_refusal_is_a_fail_if_it_is_certain_and_else_nobody_can_say(
    recorder: Recorder, code: Code
) -> None:
    told = asked(recorder, WRITE, Failure(code, "no"))
    assert told.type == ("fail" if SIGNS[code].definite else "info")


def test_not_written_takes_nothing_back_of_what_may_have_been_done_before(
    recorder: Recorder,
) -> None:
    told = asked(recorder, WRITE, Failure(Code.NOT_WRITTEN, "too few"), open_before=True)
    assert told.type == "info"


def test_a_request_is_done_when_as_many_as_are_needed_hold_that_it_waits(
    recorder: Recorder,
) -> None:
    ask = Deed("vote", "Store", {}, "t", {"ask": "t"}, "key")
    awaiting = {"pending_id": "p"}
    enough = asked(recorder, ask, answer("awaiting_approval", 2, awaiting=awaiting))
    assert (enough.type, enough.key, enough.id) == ("ok", "p", "p")
    few = asked(recorder, ask, answer("awaiting_approval", 1, awaiting=awaiting))
    again = asked(recorder, ask, answer("awaiting_approval", 1, awaiting=awaiting, write_ids=[]))
    assert (few.type, again.type) == ("info", "info")


def test_a_memory_that_is_not_there_is_something_that_a_read_was_shown(
    recorder: Recorder,
) -> None:
    told = asked(recorder, READ, Failure(Code.NOT_FOUND, "no memory"))
    assert (told.type, told.seen) == ("ok", [])


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.DEADLINE, Code.UNKNOWN_OUTCOME])
def test_a_read_that_is_not_served_fails_and_says_why(recorder: Recorder, code: Code) -> None:
    told = asked(recorder, READ, Failure(code, "it lacks what was seen"))
    assert told.type == "fail"
    assert told.err == f"{code}: it lacks what was seen"


def test_who_is_told_that_something_is_lost_goes_on_as_another_session(
    recorder: Recorder,
) -> None:
    one = session(recorder, Failure(Code.DATA_LOST, "gone"), {"memory": {"id": "r"}})
    before = one.proc
    asyncio.run(one.ask(READ))
    assert one.proc != before


def test_a_question_whose_answer_nobody_waits_for_any_more_still_has_one(
    recorder: Recorder,
) -> None:
    with pytest.raises(asyncio.CancelledError):
        asked(recorder, WRITE, asyncio.CancelledError())
    question, end = told_of(recorder)
    assert (question.type, end.type, end.of) == ("invoke", "info", question.i)


def told_of(recorder: Recorder) -> list[Event]:
    return list(events(recorder.directory))


@pytest.mark.parametrize("via", ["grpc", "http", "mcp"])
def test_a_node_that_is_not_there_has_certainly_done_nothing(
    recorder: Recorder, tmp_path: Path, via: str
) -> None:
    gone = Endpoint("a", *(str(tmp_path / way) for way in ("g", "h", "m")))

    async def body() -> Told:
        one = Session(recorder, lambda: 0, via, gone, 2.0)
        try:
            return await one.ask(WRITE)
        finally:
            await one.close()

    told = asyncio.run(body())
    assert (told.type, told.code) == ("fail", Code.UNAVAILABLE)


def test_mcp_says_in_words_what_the_others_say_in_fields() -> None:
    said = Failure(Code.NOT_WRITTEN, "nothing was written: 1 of 2", "$.id", "Call again.")
    found = failure_in(failure_text(said))
    assert (found.code, found.path, found.message) == (said.code, said.path, said.message)


def test_what_has_no_body_goes_into_the_query() -> None:
    fields = {"id": "a/b", "options": {"request_key": "k k", "allow_pending": True}}
    method, path, body = http_form("Delete", fields)
    assert (method, body) == ("DELETE", None)
    query = "options.request_key=k+k&options.allow_pending=true"
    assert path == f"/api/v1/memories/a%2Fb?{query}"
