"""Failures in HTTP's words, and the callers that are turned away at the door.

A node on loopback is within reach of every web page its user opens. Two headers that a page
cannot forge keep those out: Host, which carries the page's own name after a DNS rebinding,
and Origin, which a browser adds to every request that could change something.
"""

import math
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response

from aimem_node.contract import codec, errors
from aimem_node.contract.errors import SIGNS, Code, Failure

JSON_TYPE = "application/json"
RETRY_AFTER_S = 1
"""Long enough for a quorum or a full queue to recover, short enough not to be noticed."""

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class Refusal(Exception):  # noqa: N818 - it is the answer, not an error of ours
    """A failure with an HTTP status that its code alone does not give."""

    def __init__(self, status: int, failure: Failure) -> None:
        super().__init__(failure)
        self.status = status
        self.failure = failure


def failure_response(
    failure: Failure, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """The JSON answer for a failure, with its own status unless HTTP has a finer one."""
    told = dict(headers or {})
    status = status or SIGNS[failure.code].http
    if status == 401:
        told["WWW-Authenticate"] = 'Bearer realm="aimem"'
    if status in (429, 503):
        told["Retry-After"] = str(_retry_after_s(failure))
    return Response(codec.dumps(errors.to_json(failure)) + "\n", status, told, media_type=JSON_TYPE)


def _retry_after_s(failure: Failure) -> int:
    """Whole seconds: what the failure itself knows, or the usual."""
    given = failure.details.get("retry_after_s")
    sound = isinstance(given, int | float) and not isinstance(given, bool) and given > 0
    return max(1, math.ceil(given)) if sound and given is not None else RETRY_AFTER_S


def no_such_path(method: str, path: str, nearest: tuple[str, ...]) -> Response:
    """404, with what the caller may have meant."""
    shown = ", ".join(nearest)
    hint = f"Nearest: {shown}." if nearest else "See GET /openapi.json for every path."
    return failure_response(
        Failure(Code.NOT_FOUND, f"no operation at {method} {path}", next=hint), 404
    )


def no_such_method(method: str, path: str, allowed: tuple[str, ...]) -> Response:
    """405, with the methods that the path has."""
    allow = ", ".join(allowed)
    failure = Failure(
        Code.INVALID_ARGUMENT, f"{path} cannot be asked with {method}", next=f"Use {allow}."
    )
    return failure_response(failure, 405, {"Allow": allow})


def stranger_at_the_door(headers: Headers, method: str) -> Failure | None:
    """Why a request over loopback TCP is refused before it is read, if it is.

    Checks that Host names this machine, that Origin, where there is one, is a page of this
    machine, and that no other site's page made the browser ask in the background.
    """
    host = headers.get("host", "")
    if _host_name(f"//{host}") not in _LOOPBACK_NAMES:
        return Failure(
            Code.PERMISSION_DENIED,
            f"the Host header {host[:100]!r} does not name this machine",
            next="Ask 127.0.0.1 or localhost by that name.",
        )
    origin = headers.get("origin")
    if origin is not None and _host_name(origin) not in _LOOPBACK_NAMES:
        return Failure(
            Code.PERMISSION_DENIED,
            f"pages from {origin[:100]!r} may not ask this node",
            next="Ask from a page that this machine serves, or without a browser.",
        )
    navigates = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    if headers.get("sec-fetch-site") == "cross-site" and not navigates:
        return Failure(
            Code.PERMISSION_DENIED,
            "another site's page may not ask this node",
            next="Ask from a page that this machine serves, or without a browser.",
        )
    return None


def _host_name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
