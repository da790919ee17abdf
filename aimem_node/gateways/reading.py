"""Read one HTTP request into the request value of its operation.

A field may come in the path, in the query or in the JSON body, whichever the caller finds
handy; all three are laid over each other and then go through the one strict codec. Giving a
field twice with different values is an error, because either guess would be wrong for someone.
"""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import Receive

from aimem_node.contract import codec
from aimem_node.contract.calls import AFTER_KEY, WAIT_KEY, Channel, Credentials, read_session
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Effect, Field, Operation
from aimem_node.gateways.paths import Found
from aimem_node.gateways.peercred import Peer
from aimem_node.gateways.refusals import JSON_TYPE, Refusal
from aimem_node.gateways.texts import from_texts

BODY_BYTES_MAX = 2 * 1024 * 1024
"""The limit that callers of ai-memory know. Larger imports come in pages."""

BODY_WAIT_S_MAX = 30.0
"""For the whole body: a 2 MiB body over a slow tunnel, but not a caller that has stopped."""

QUERY_PAIRS_MAX = 1000
"""As many as the longest list a field may hold."""

CLI_AGENT = "aimem-cli"
"""User-Agent of our own command line; it only changes the surface that logs and metrics show."""


class Gone(Exception):  # noqa: N818 - nobody is left to tell
    """The caller went away before its request was complete."""


def credentials_of(headers: Headers, peer: Peer) -> Credentials:
    """What the connection and its headers say about the caller. X-Agent-Id is only a hint."""
    bearer = None
    authorization = headers.get("authorization")
    if authorization is not None:
        scheme, _, bearer = authorization.partition(" ")
        bearer = bearer.strip()
        if scheme.lower() != "bearer" or not bearer:
            raise Failure(
                Code.UNAUTHENTICATED,
                "the Authorization header is not a bearer token",
                next="Send 'Authorization: Bearer <token>'.",
            )
    ours = peer.channel is Channel.UNIX and headers.get("user-agent", "").startswith(CLI_AGENT)
    return Credentials(
        channel=peer.channel,
        uid=peer.uid,
        pid=peer.pid,
        bearer=bearer,
        fingerprint=None,
        agent_hint=headers.get("x-agent-id", ""),
        surface="cli" if ours else "http",
        session=read_session(headers.get(AFTER_KEY), headers.get(WAIT_KEY)),
    )


async def read_body(receive: Receive, headers: Headers) -> bytes:
    """The whole body, however it is framed.

    Raises Failure TOO_LARGE above BODY_BYTES_MAX, before the rest is read; Refusal 408 when it
    does not come in time; Gone when the caller leaves.
    """
    declared = headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > BODY_BYTES_MAX:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_WAIT_S_MAX):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Gone
                part = message.get("body", b"")
                size += len(part)
                if size > BODY_BYTES_MAX:
                    raise _too_large()
                parts.append(part)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        late = Failure(
            Code.DEADLINE,
            f"the body did not arrive within {BODY_WAIT_S_MAX:.0f} s",
            definite=True,
        )
        raise Refusal(408, late) from None


def read_request(found: Found, query: bytes, body: bytes, headers: Headers) -> Any:
    """The request value that path, query, body and headers make together.

    Raises Failure with the JSON path of what is wrong, or Refusal 415 for a body of another type.
    """
    operation = found.operation
    given = _read_json_body(found, body, headers)
    try:
        pairs = parse_qsl(
            query.decode("latin-1"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=QUERY_PAIRS_MAX,
        )
    except ValueError:
        raise Failure(Code.INVALID_ARGUMENT, "the query string cannot be read") from None
    _lay_over(given, from_texts(operation.fields, pairs), "$")
    _lay_over(given, from_texts(operation.fields, found.values.items()), "$")
    _add_headers(operation, given, headers)
    return codec.from_json(operation.request, given)


def _too_large() -> Failure:
    return Failure(Code.TOO_LARGE, f"the body is larger than {BODY_BYTES_MAX} bytes")


def _read_json_body(found: Found, body: bytes, headers: Headers) -> dict[str, Any]:
    if not body.strip():
        return {}
    if found.rule.method.upper() == "GET":
        raise Failure(
            Code.INVALID_ARGUMENT,
            "a GET has no body",
            next="Put the fields into the query string.",
        )
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", ""):
        # A few kilobytes may unpack to gigabytes, and no caller of ours packs anything.
        raise Refusal(
            415,
            Failure(
                Code.INVALID_ARGUMENT,
                f"the body is packed with {encoding[:40]!r}",
                next="Send it as it is, without Content-Encoding.",
            ),
        )
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON_TYPE:
        raise Refusal(
            415,
            Failure(
                Code.INVALID_ARGUMENT,
                f"the body is {media_type[:80] or 'of no stated type'}, not {JSON_TYPE}",
                next=f"Send JSON with 'Content-Type: {JSON_TYPE}'",
            ),
        )
    value = codec.loads(body, BODY_BYTES_MAX)
    if isinstance(value, list):
        field = _only_list(found.operation)
        if field is not None:
            return {field.name: value}
    if not isinstance(value, dict):
        raise Failure(Code.INVALID_ARGUMENT, "the body is not a JSON object", "$")
    return value


def _only_list(operation: Operation) -> Field | None:
    """The field that a bare JSON array stands for: the only required one, when it is a list."""
    required = [field for field in operation.fields if field.required]
    return required[0] if len(required) == 1 and required[0].repeated else None


def _lay_over(under: dict[str, Any], over: Mapping[str, Any], path: str) -> None:
    """Add the fields of `over` to `under`. Raises Failure where both say something else."""
    for name, value in over.items():
        here = f"{path}.{name}"
        if under.get(name) is None:
            under[name] = value
        elif isinstance(under[name], dict) and isinstance(value, Mapping):
            _lay_over(under[name], value, here)
        elif under[name] != value:
            raise Failure(
                Code.INVALID_ARGUMENT,
                f"{name} is given twice with different values",
                here,
                next="Give it once: in the path, the query or the body.",
            )


def _add_headers(operation: Operation, given: dict[str, Any], headers: Headers) -> None:
    """Let headers fill fields that nothing else gave."""
    names = {field.name for field in operation.fields}
    key = headers.get("idempotency-key")
    if key is not None and "options" in names:
        _lay_over(given, {"options": {"request_key": key}}, "$")
    agent = headers.get("x-agent-id")
    # On a read the same field is a filter, and a header must not hide memories.
    if agent and operation.effect is Effect.WRITE and "agent_id" in names:
        _lay_under(given, "agent_id", agent)
    after = headers.get("last-event-id")
    if after and operation.streaming and "after" in names:
        _lay_under(given, "after", after)


def _lay_under(given: dict[str, Any], name: str, value: str) -> None:
    if given.get(name) is None:
        given[name] = value
