"""What can be concluded from how a call ended."""

import json
from pathlib import Path

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


@pytest.mark.parametrize(
    ("handshake", "code", "said"),
    [
        ("CERTIFICATE_VERIFY_FAILED: unable to get", Code.UNAUTHENTICATED, "not the node you pin"),
        ("h:1: Socket closed", Code.UNAVAILABLE, "our certificate"),
        ("SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER", Code.UNAVAILABLE, "speak TLS"),
        ("Failed to create security handshaker.", Code.INVALID_ARGUMENT, "cannot be used"),
        ("Connection refused", Code.UNAVAILABLE, "no node answers"),
    ],
)
def test_a_handshake_that_failed_is_told_from_a_node_that_is_not_there(
    handshake: str, code: Code, said: str
) -> None:
    message = f"failed to connect to all addresses; last error: UNKNOWN: {handshake}"
    failure = failure_of("h:1", Status.UNAVAILABLE, message, ())
    assert (failure.code, failure.definite) == (code, True)
    assert said in failure.message


def test_a_certificate_that_is_none_is_refused_before_grpc_sees_it(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.pem", tmp_path / "bad.pem"
    good.write_text("-----BEGIN CERTIFICATE-----\n")
    bad.write_text("hello")
    with pytest.raises(Failure, match="holds no certificate"):
        Route("h:1", TlsFiles(str(bad))).credentials()
    with pytest.raises(Failure, match="without its key"):
        Route("h:1", TlsFiles(str(good), cert=str(good))).credentials()


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
