"""What can be concluded from how a call ended."""

import json

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.client.grpc_wire import FAILURE_KEY, Route, TlsFiles, failure_of
from aimem_node.contract.errors import Code, Failure

Status = grpc.StatusCode


@pytest.mark.parametrize(
    ("status", "message", "code", "definite"),
    [
        (Status.UNAVAILABLE, "failed to connect to all addresses; x", Code.UNAVAILABLE, True),
        (Status.UNAVAILABLE, "Socket closed", Code.UNKNOWN_OUTCOME, False),
        (Status.UNAVAILABLE, "", Code.UNKNOWN_OUTCOME, False),
        (Status.CANCELLED, "", Code.UNKNOWN_OUTCOME, False),
        (Status.DEADLINE_EXCEEDED, "Deadline Exceeded", Code.DEADLINE, False),
        (Status.RESOURCE_EXHAUSTED, "Sent message larger than max (9 vs. 4)", Code.TOO_LARGE, True),
        (Status.RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!", Code.LIMITED, True),
        (Status.UNIMPLEMENTED, "Method not found!", Code.UNIMPLEMENTED, True),
        (Status.UNKNOWN, "", Code.INTERNAL, False),
        (Status.INTERNAL, "x", Code.INTERNAL, False),
    ],
)
def test_without_a_word_from_the_node_only_what_is_certain_is_definite(
    status: grpc.StatusCode, message: str, code: Code, definite: bool
) -> None:
    failure = failure_of("unix:/s", status, message, ())
    assert (failure.code, failure.definite) == (code, definite)
    assert failure.message
    assert failure.next


def test_the_nodes_own_word_goes_before_the_status() -> None:
    said = json.dumps({"error": "no", "code": "NOT_FOUND", "path": "$.id"}).encode()
    trailing = [("other", "x"), (FAILURE_KEY, said)]
    failure = failure_of("t", Status.UNAVAILABLE, "Socket closed", trailing)
    assert (failure.code, failure.message, failure.path) == (Code.NOT_FOUND, "no", "$.id")


@given(st.binary(max_size=80) | st.sampled_from([b"[]", b"1", b"null", b'{"code":[]}', b"{"]))
def test_garbage_in_the_metadata_falls_back_to_the_status(said: bytes) -> None:
    failure = failure_of("t", Status.NOT_FOUND, "m", [(FAILURE_KEY, said)])
    assert isinstance(failure, Failure)


def test_there_is_no_plaintext_beyond_the_unix_socket() -> None:
    with pytest.raises(Failure, match="only be reached over TLS"):
        Route("127.0.0.1:7000").credentials()
    assert Route.unix("/run/s").credentials() is None


def test_a_token_is_sent_and_never_shown() -> None:
    route = Route("h:1", TlsFiles("node.crt"), "aimem_secret")
    assert route.metadata() == (("authorization", "Bearer aimem_secret"),)
    assert "aimem_secret" not in repr(route)
    assert Route.unix("/run/s").metadata() == ()
