"""Carry one request to the node and its answer back, over the unix socket or, with --node, gRPC.

A broken connection leaves a write's fate unknown. So every write carries a request key, ours
if the caller gave none, and the failure says how to send it again without doing it twice.
"""

from __future__ import annotations

import json
import os

from aimem_node import places
from aimem_node.client import wire_http
from aimem_node.gateways.cli import failures, node, request, seen
from aimem_node.gateways.cli import surface as surfaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

TIMEOUT_S = 120.0
"""Longer than any operation's budget; a hook sets its own."""
NOTHING: Mapping[str, str] = {}
KEY = "request_key"
USER_AGENT = "aimem-cli"
"""Tells the node's logs which surface a call came by."""


class Caller:
    """Where calls go. Cheap to make: nothing is connected before the first call."""

    def __init__(self, settings: dict[str, Any], env: Mapping[str, str]) -> None:
        self.settings = settings
        self.env = env
        self.timeout_s = timeout_of(settings)
        self.start_wait_s = node.START_WAIT_S
        self._remote: Any = None
        self._seen = seen.SeenFile(env)

    def call(self, operation: dict[str, Any], values: dict[str, Any]) -> bytes:
        """The answer as JSON text. Raises CallFailure."""
        key = with_key(operation, values)
        target = self._target()
        # What looks after the node is about this node, and never too old.
        keeps = operation.get("effect") != "admin"
        after = self._seen.after(target) if keeps and not self.settings.get("stale") else ""
        try:
            said, token = self._said(operation, values, key, after)
        except failures.CallFailure as failure:
            if after:
                self._begin_anew(failure, after)
            raise
        if keeps:
            self._seen.hear(target, after, token)
        return said

    def _said(
        self, operation: dict[str, Any], values: dict[str, Any], key: str, after: str
    ) -> tuple[bytes, str]:
        """The answer as JSON text, and the session's token with it. Raises CallFailure."""
        wait_ms = wait_ms_of(self.settings)
        if self.settings.get("node"):
            nested = request.nested(operation, values)
            said, token = self.remote().call(operation, nested, key, after, wait_ms)
            return bytes(said), str(token)
        beside = {"Aimem-After": after}
        if wait_ms is not None:
            beside["Aimem-Max-Wait-Ms"] = str(wait_ms)
        with self._answer(operation, values, key, "application/json", beside) as answer:
            try:
                body = answer.body()
            except wire_http.WireError as error:
                raise lost(error, operation, key, self.timeout_s) from None
        if 200 <= answer.status < 300:
            return body, answer.headers.get("aimem-token", "")
        raise failures.from_json(parsed(body), answer.status)

    def _target(self) -> str:
        """Which node this is about, as far as can be known without asking it."""
        return str(self.settings.get("node") or node.data_dir_of(self.settings, self.env))

    def _begin_anew(self, failure: failures.CallFailure, after: str) -> None:
        """Let what was seen not stand in the way for ever, once the caller has been told."""
        if failure.code == "DATA_LOST":
            lost_ids = failure.details.get("lost")
            self._seen.forget(after, [str(one) for one in lost_ids or ()])
            failure.next_step = "Store it again. Later calls do not ask for it any more."
        elif failure.code == "INVALID_ARGUMENT" and failure.path == "aimem-after":
            self._seen.forget(after, [])
            failure.next_step = "Call again: what was kept of the session has been dropped."
        elif failure.code == "UNAVAILABLE" and "missing" in failure.details:
            failure.next_step += " With --stale it answers from what it has."

    def lines(self, operation: dict[str, Any], values: dict[str, Any]) -> Iterator[bytes]:
        """The items of a streaming answer, one JSON text each. Raises CallFailure."""
        if self.settings.get("node"):
            yield from self.remote().lines(operation, request.nested(operation, values))
            return
        with self._answer(operation, values, "", "application/x-ndjson") as answer:
            try:
                if not 200 <= answer.status < 300:
                    raise failures.from_json(parsed(answer.body()), answer.status)
                answer.keep_waiting()
                for line in answer.lines():
                    if line.strip():
                        yield checked(line)
            except wire_http.WireError as error:
                raise lost(error, operation, "", self.timeout_s) from None

    def _answer(
        self, operation: dict[str, Any], values: dict[str, Any], key: str, accept: str,
        beside: Mapping[str, str] = NOTHING,
    ) -> wire_http.Answer:  # fmt: skip
        """The answer's head, from a node that is started if need be."""
        method, path, body = request.build(operation, values)
        headers = self._headers(accept, body is not None) | dict(beside)
        data_dir = node.data_dir_of(self.settings, self.env)
        socket_path = places.socket_path(data_dir, "http", dict(self.env))
        for attempt in (1, 2):
            try:
                return wire_http.open_answer(
                    socket_path, method, path, body, headers, self.timeout_s
                )
            except wire_http.WireError as error:
                if not error.definite or attempt == 2:
                    raise lost(error, operation, key, self.timeout_s) from None
            may_start = not self.settings.get("no_start")
            node.reach(data_dir, self.env, may_start, wait_s=self.start_wait_s)
        raise AssertionError("the second attempt answers or fails")

    def remote(self) -> Any:
        """The gRPC way to another machine's node, imported when it is first needed."""
        if self._remote is None:
            # gRPC would tell people of every refused handshake, in its own words, on stderr. It
            # looks here when it is imported. We say what happened ourselves.
            os.environ.setdefault("GRPC_VERBOSITY", "NONE")
            from aimem_node.gateways.cli.remote import Remote

            self._remote = Remote(self.settings, self.env, self.timeout_s)
        return self._remote

    def _headers(self, accept: str, has_body: bool) -> dict[str, str]:
        headers = {"Accept": accept, "User-Agent": USER_AGENT}
        if has_body:
            headers["Content-Type"] = "application/json"
        if self.settings.get("agent_id"):
            headers["X-Agent-Id"] = one_line(str(self.settings["agent_id"]))
        return headers


def one_line(text: str) -> str:
    """A header's value. Refuses what would end the header."""
    if not text.isascii() or not text.isprintable():
        raise failures.usage(
            "an agent id is ASCII letters, digits and _ - : @ . /", path="$.agent_id"
        )
    return text


def timeout_of(settings: Mapping[str, Any]) -> float:
    """Seconds to wait, as asked for."""
    given = settings.get("timeout")
    if given is None:
        return TIMEOUT_S
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise failures.usage(f"--timeout takes a number of seconds, not {given!r}")
    return seconds


def wait_ms_of(settings: Mapping[str, Any]) -> int | None:
    """How long a node may wait for what was seen elsewhere; None leaves it to the node."""
    given = settings.get("max_wait_ms")
    if given is None:
        return None
    text = str(given)
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise failures.usage(f"--max-wait-ms takes a number of milliseconds, not {text!r}")
    return int(text)


def with_key(operation: dict[str, Any], values: dict[str, Any]) -> str:
    """Give a write a request key if it has none; the key, "" for what takes none."""
    if surfaces.field_named(operation, KEY) is None:
        return ""
    return str(values.setdefault(KEY, "cli-" + os.urandom(12).hex()))


def lost(
    error: wire_http.WireError, operation: dict[str, Any], key: str, timeout_s: float
) -> failures.CallFailure:
    """The failure for a connection that broke or stayed silent after the request was sent."""
    if error.definite:
        return failures.CallFailure(
            "UNAVAILABLE", error.message, next_step="Start it with: aimem-node start"
        )
    timed_out = isinstance(error, TimeoutError)
    what = f"no answer within {timeout_s:g} s" if timed_out else error.message
    code = "DEADLINE" if timed_out else "UNKNOWN_OUTCOME"
    if operation.get("effect") == "read":
        return failures.CallFailure(code, what, next_step="Ask again; --timeout waits longer.")
    again = f"Send it again with --request-key {key}: it is not done twice." if key else ""
    return failures.CallFailure(
        code, f"{what}; it may have happened", next_step=again, definite=False
    )


def parsed(said: bytes) -> Any:
    """A body as JSON, None if it is not."""
    try:
        return json.loads(said)
    except ValueError:
        return None


def checked(line: bytes) -> bytes:
    """An item of a stream. Raises CallFailure for the failure that ends one."""
    if line.startswith((b'{"code"', b'{"error"', b'{"definite"')):
        said = parsed(line)
        if failures.is_failure(said):
            raise failures.from_json(said)
    return line
