"""`aimem session-start`: what an AI client's hook prints into a new session.

A session must never wait for its memory or fail because of it. So whatever goes wrong, this
exits 0 within its time limit and says why on stderr, where it does not reach the model.
"""

from __future__ import annotations

import json
import os
import sys

from aimem_node.gateways.cli import arguments, failures
from aimem_node.gateways.cli import surface as surfaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

LIMIT_S = 2.0
"""Whole time of the command, unless --timeout says otherwise."""
LIMIT_S_MAX = 3600.0
CONTENT_CHARS_MAX = 400
"""Of each memory. The whole text is one `get` away."""


def start(rest: list[str], settings: dict[str, Any], env: Mapping[str, str]) -> int:
    """Print the session's memories. Always 0, except when only help was asked for."""
    if settings.get("help") or "--help" in rest or "-h" in rest:
        from aimem_node.gateways.cli import helping

        return helping.show(["session-start"])
    try:
        _arm(settings, rest)
        text = _fetch(rest, settings, env)
        sys.stdout.write(text)
        sys.stdout.flush()
    except failures.CallFailure as failure:
        failure.show(sys.stderr)
    except (Exception, KeyboardInterrupt) as error:
        _discard_output(error)
        failures.note(f"session-start: {type(error).__name__}: {error}")
    finally:
        _disarm()
    return 0


def _fetch(rest: list[str], settings: dict[str, Any], env: Mapping[str, str]) -> str:
    surface = surfaces.load()
    operation = surfaces.find(surface, "session-start")
    if operation is None:
        raise failures.CallFailure("UNIMPLEMENTED", "this build has no session-start")
    values = arguments.Reading("session-start", operation, settings).read(rest)
    from aimem_node.gateways.cli.call import Caller

    caller = Caller({"timeout": LIMIT_S} | settings, env)
    caller.start_wait_s = caller.timeout_s
    answer = caller.call(operation, values)
    if settings.get("json"):
        return answer.decode("utf-8").rstrip("\n") + "\n"
    return compact(json.loads(answer))


def compact(answer: dict[str, Any]) -> str:
    """What holds here, and the memories, as text for a model: in few tokens."""
    # Standards whole: a rule that is cut off is another rule.
    lines = [
        f"standard of {one.get('namespace', '')}: {one.get('content', '')}"
        for one in answer.get("standards") or ()
    ]
    if answer.get("unread"):
        lines.append(f"unread messages: {answer['unread']} (read them with inbox)")
    memories = answer.get("memories") or []
    session = answer.get("session_id")
    named = f" (session {session})" if session else ""
    if memories:
        lines.append(f"aimem remembers, most important first{named}:")
    for memory in memories:
        content = " ".join(str(memory.get("content", "")).split())
        if len(content) > CONTENT_CHARS_MAX:
            content = content[: CONTENT_CHARS_MAX - 1] + "…"
        where = f"{memory.get('namespace', '')}, {str(memory.get('id', ''))[:8]}"
        lines.append(f"- {memory.get('title', '')}: {content} [{where}]")
    return "\n".join(lines) + "\n" if lines else ""


def _arm(settings: dict[str, Any], rest: list[str]) -> None:
    """Have the operating system end us at the limit, wherever we are then."""
    import signal

    limit_s = _limit_s(settings, rest)
    said = f"aimem: session-start: no memories within {limit_s:g} s; the session goes on\n"

    def ring(*_: object) -> None:
        os.write(2, said.encode())
        os._exit(0)  # an exception could be caught on its way up, or come while one is handled

    try:
        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, limit_s)
    except ValueError:
        return  # not in the main thread: the socket's own time-outs must do


def _limit_s(settings: dict[str, Any], rest: list[str]) -> float:
    given = settings.get("timeout", LIMIT_S)
    for index, word in enumerate(rest):
        if word.startswith("--timeout="):
            given = word.partition("=")[2]
        elif word == "--timeout" and index + 1 < len(rest):
            given = rest[index + 1]
    try:
        return min(max(float(given), 0.05), LIMIT_S_MAX)
    except (TypeError, ValueError):
        return LIMIT_S


def _disarm() -> None:
    import signal

    signal.setitimer(signal.ITIMER_REAL, 0)


def _discard_output(error: BaseException) -> None:
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
