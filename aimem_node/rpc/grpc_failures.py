"""Send a Failure over gRPC so that the client can raise the very same one.

A status code and a message are all that gRPC carries by itself, and seventeen codes are too
few for our table: the whole failure travels beside them as trailing metadata.
"""

import json
from collections.abc import Iterator
from typing import Any

import grpc

from aimem_node import logs
from aimem_node.contract import errors
from aimem_node.contract.errors import SIGNS, Code, Failure

FAILURE_KEY = "aimem-failure-bin"
"""Trailing metadata with the failure as JSON; "-bin" because names in it may be any text."""

FAILURE_BYTES_MAX = 3072
"""Clients accept 8 KiB of metadata in all by default; base64 makes 4 KiB of this."""

MESSAGE_CHARS_MAX = 200
"""Of the status message, in which gRPC may write one character as twelve."""

SHORT_CHARS_MAX = 150
"""Of each text in a shortened failure: JSON may write one character as six."""

log = logs.get("rpc")


async def refuse(context: Any, failure: Failure) -> None:
    """End the call with the failure: does not return, unless the caller has gone already."""
    if context.done():
        return
    await context.abort(
        grpc.StatusCode[SIGNS[failure.code].grpc],
        failure.message[:MESSAGE_CHARS_MAX],
        ((FAILURE_KEY, failure_bytes(failure)),),
    )


def unexpected(operation: str, error: Exception) -> Failure:
    """What a caller is told about a bug of ours: that it is one, and nothing of its insides."""
    log.error("call_broke", operation=operation, error=repr(error), exc_info=error)
    return Failure(Code.INTERNAL, f"{operation} broke inside the node")


def failure_bytes(failure: Failure) -> bytes:
    """The failure as JSON. If that is too large: with shorter lists in its details (of many peers
    the first few), then without details, then with a cut message."""
    for shown in _shorter(failure):
        text = json.dumps(errors.to_json(shown), ensure_ascii=False).encode("utf-8", "replace")
        if len(text) <= FAILURE_BYTES_MAX:
            break
    return text


def _shorter(failure: Failure) -> Iterator[Failure]:
    yield failure
    longest = max(
        (len(one) for one in failure.details.values() if isinstance(one, list)), default=0
    )
    while longest > 1:
        longest = longest // 2
        details = {
            name: one[:longest] if isinstance(one, list) else one
            for name, one in failure.details.items()
        }
        yield Failure(
            failure.code, failure.message, failure.path, failure.next, details, failure.definite
        )
    yield Failure(
        failure.code, failure.message, failure.path, failure.next, definite=failure.definite
    )
    yield Failure(
        failure.code,
        failure.message[:SHORT_CHARS_MAX] + "…",
        failure.path[:SHORT_CHARS_MAX],
        failure.next[:SHORT_CHARS_MAX],
        definite=failure.definite,
    )
