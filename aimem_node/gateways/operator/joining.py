"""`aimem-node join`: bring this machine into another's cluster, and show how far it is.

The node joins, not this command. So the command may be stopped and asked again at any moment,
and a step that was done is not done twice; Ctrl-C ends the watching and nothing else.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from aimem_node.gateways.cli import failures, node
from aimem_node.gateways.cli.look import plain, size
from aimem_node.gateways.operator import commands, join_screen, lifecycle
from aimem_node.gateways.operator.join_screen import Screen

POLL_S = 0.2
CALL_S = 30.0
"""For one question. The node answers at once; the first one may wait for the sponsor."""
DEAF_POLLS_MAX = 50
"""Questions in a row without an answer (10 s) before it is given up: the node may restart."""
STEPS = ("sponsor", "identity", "admitted", "snapshot", "catch_up", "voter")
"""In their order. The names are JoinResponse's."""
INTERRUPTED = 130
LINE_FROM_STDIN = "-"
BRING = (
    "With --bring all of it goes to every member of the cluster, under the namespaces it has "
    "here. To join without it, use a data directory of its own (--data-dir), and move over what "
    "you want with aimem export and aimem import."
)


def add(commands_of: Callable[..., Any]) -> None:
    """Declare the command."""
    made = commands_of(
        "join", "Bring this machine into a cluster, with a line from `aimem-node invite`.", run
    )
    made.add_argument("line", nargs="*", help="the line; - reads it; absent shows the progress")
    made.add_argument("--knock", metavar="HOST:PORT", help="a member to ask, when there is no line")
    made.add_argument("--fingerprint", metavar="HEX", help="of that member (aimem-node identity)")
    made.add_argument("--name", help="what to call this machine; its host name if absent")
    made.add_argument("--address", metavar="HOST:PORT", help="where the others reach this machine")
    made.add_argument(
        "--bring", action="store_true", help="bring the memories that are here into the cluster"
    )
    made.add_argument(
        "--timeout", type=commands.seconds_of, metavar="TIME",
        help="how long to watch; the node goes on after that",
    )  # fmt: skip


def run(asked: argparse.Namespace) -> int:
    """Begin a join if one is asked for, then show it until it is done."""
    values = _values(asked)
    data_dir = commands.data_dir(asked)
    lifecycle.start(data_dir, (), node.START_WAIT_S)
    screen = join_screen.stdout_screen(quiet=asked.json)
    try:
        said = _watch(asked, _begin(asked, values), Story(screen))
    except KeyboardInterrupt:
        screen.close()
        sys.stderr.write(
            "\naimem-node: the node goes on joining; to see how far it is: aimem-node join\n"
        )
        return INTERRUPTED
    finally:
        screen.close()
    commands.say(asked, said, "")
    return 0


def _values(asked: argparse.Namespace) -> dict[str, Any]:
    line = "".join(asked.line)
    if line == LINE_FROM_STDIN:
        line = "".join(sys.stdin.read().split())
        if not line:
            raise failures.usage("no line came", "Pipe in what `aimem-node invite` printed.")
    if line and asked.knock:
        raise failures.usage("give a line or --knock, not both", "A line needs nothing else.")
    if bool(asked.knock) != bool(asked.fingerprint):
        raise failures.usage(
            "--knock and --fingerprint go together",
            "The fingerprint is on that member's screen: aimem-node identity",
        )
    values: dict[str, Any] = {
        "line": line or None, "knock": asked.knock,
        "fingerprint": commands.fingerprint_of(asked.fingerprint) if asked.fingerprint else None,
        "name": asked.name, "address": asked.address, "bring": asked.bring or None,
    }  # fmt: skip
    if not (line or asked.knock):
        lonely = [name for name in ("name", "address", "bring") if values[name]]
        if lonely:
            raise failures.usage(
                f"--{lonely[0]} is said when the join begins",
                "Give the line too, which `aimem-node invite` prints on a member.",
            )
    return values


def _begin(asked: argparse.Namespace, values: dict[str, Any]) -> dict[str, Any]:
    try:
        said = commands.ask(asked, "join", values, CALL_S)
    except failures.CallFailure as failure:
        if failure.path == "$.bring":
            failure.next_step = BRING
        raise
    if said.get("step") in ("none", "", None):
        raise failures.CallFailure(
            "NOT_FOUND", "no join is under way on this machine",
            next_step="On a member: aimem-node invite. Then here: aimem-node join LINE",
        )  # fmt: skip
    return said


def _watch(asked: argparse.Namespace, said: dict[str, Any], story: "Story") -> dict[str, Any]:
    until = None if asked.timeout is None else time.monotonic() + asked.timeout
    deaf = 0
    while True:
        story.tell(said)
        if said.get("step") == "voter":
            return said
        if said.get("step") == "failed":
            raise failures.CallFailure(
                "UNAVAILABLE", f"joining failed: {said.get('failure') or said.get('said')}",
                next_step=str(said.get("next") or "Try again with the same line: aimem-node join "
                "LINE. What was done is not done twice."),
            )  # fmt: skip
        if until is not None and time.monotonic() >= until:
            raise failures.CallFailure(
                "DEADLINE", f"it is not done after {asked.timeout} s, and goes on in the node",
                next_step="To see how far it is: aimem-node join", definite=False,
            )  # fmt: skip
        time.sleep(POLL_S)
        try:
            said, deaf = commands.ask(asked, "join", {}, CALL_S), 0
        except failures.CallFailure:
            deaf += 1
            if deaf > DEAF_POLLS_MAX:
                raise


class Story:
    """Tells a join from its answers, of which it may see any and miss any."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._told = 0
        "How many of STEPS have been told as done."

    def tell(self, said: Mapping[str, Any]) -> None:
        """Show what is new in an answer."""
        step = str(said.get("step"))
        if step not in STEPS:
            return
        at = STEPS.index(step)
        # To be admitted and to vote are moments, the others take their time.
        behind = at + 1 if step in ("admitted", "voter") else at
        for done in STEPS[self._told : behind]:
            text = told_as_done(done, said)
            if text:
                self._screen.done(text)
        self._told = max(self._told, behind)
        self._now(step, said)

    def _now(self, step: str, said: Mapping[str, Any]) -> None:
        done, total = int(said.get("done") or 0), int(said.get("total") or 0)
        if step == "snapshot":
            self._screen.reach("snapshot", done, total, in_bytes=True)
        elif step == "catch_up":
            self._screen.reach("catching up", done, total, in_bytes=False)
        elif step != "voter":
            self._screen.now(plain(said.get("said") or ""))


def told_as_done(step: str, said: Mapping[str, Any]) -> str:
    """A step that is behind us, in words; empty for one that was not needed."""
    epoch = int(said.get("epoch") or 0)
    match step:
        case "sponsor":
            return "sponsor verified ✓"
        case "identity":
            fingerprint = plain(said.get("fingerprint") or "")[:16]
            return f"identity {fingerprint} ✓" if fingerprint else "identity ✓"
        case "admitted":
            # Once it votes, the epoch that is told is a later one.
            known = epoch and said.get("step") != "voter"
            return "admitted as learner" + (f" (epoch {epoch})" if known else "")
        case "snapshot":
            taken = int(said.get("snapshot_bytes") or 0)
            return f"snapshot {size(taken)} ✓" if taken else ""
        case "catch_up":
            return "caught up ✓"
    return f"voter (epoch {epoch}), N={said.get('voters')}, W={said.get('needed')}"
