"""The operator's commands on the members of a cluster: invite, approve, promote, evict and so on.

Each is one call of an operation that the contract declares; here are only the words around it,
and the questions that keep somebody from doing for ever what was meant for today.
"""

import argparse
import sys
from collections.abc import Callable
from typing import Any

from aimem_node.gateways.cli import failures, node
from aimem_node.gateways.cli.look import Look, moment, outcome, plain
from aimem_node.gateways.operator import (
    calling,
    cluster_view,
    commands,
    lifecycle,
    peer_pins,
)

LEAVE_S = 180.0
"""The node waits for the others to take in what only it holds, then for the voters."""
ROTATE_S = 120.0
DIFFERENT = 4
"""What `members --check` exits with when the list has changed."""
LOST_FOREVER = (
    "This starts another cluster, {short} ends. Do it only when the members that are left out are "
    "gone for good:\n"
    "  - writes that only they hold are lost, even if they were answered as committed;\n"
    "  - they can never come back as they are; each must be set up and join anew;\n"
    "  - if they are alive and only cut off, their users go on writing what nobody will merge."
)


def add(command: Callable[..., Any]) -> None:
    """Declare the commands."""
    made = command("invite", "Print the line with which another machine joins.", _invite)
    made.add_argument("name", nargs="?", help="what to call the new machine")
    made.add_argument("--name", dest="named", metavar="NAME", help="the same")
    made.add_argument(
        "--ttl", type=commands.seconds_of, metavar="TIME", help="how long it is good: 15m if absent"
    )
    made.add_argument("--address", metavar="HOST:PORT", help="where others reach this node")

    made = command("approve", "Admit a machine that knocked without a line.", _approve)
    made.add_argument("fingerprint", help="what the other machine shows, or its beginning")
    made.add_argument("--name", help="what to call it")

    made = command("members", "List the members with their addresses and keys.", _members)
    made.add_argument("--all", action="store_true", help="the revoked keys too")
    made.add_argument("--pins", action="store_true", help="as text that --check reads back")
    made.add_argument("--check", metavar="FILE", help="say what has changed since --pins; exit 4")

    made = command("promote", "Let a learner vote. It does so by itself when it can.", _promote)
    made.add_argument("node", help="its name, its node id or the beginning of it")

    made = command("evict", "Remove a member for ever. What it wrote stays.", _evict)
    made.add_argument("node", help="its name, its node id or the beginning of it")
    _asks(made)

    made = command(
        "leave", "Take this node out of its cluster. It goes on alone, with its memories.", _leave
    )
    made.add_argument("--force", action="store_true", help="even if nobody else holds some of it")
    _asks(made)

    command("rotate-key", "Give this node a new key, without a gap.", _rotate_key)

    made = command("force-epoch", "Go on without a majority that is lost for good.", _force_epoch)
    made.add_argument(
        "--keep", action="append", metavar="NODE", help="a member that goes on (give each)"
    )
    made.add_argument("--adopt", metavar="LINE", help="what the first survivor printed; - reads it")
    _asks(made)

    made = command("wait", "Wait until enough nodes hold a write on disk.", _wait)
    made.add_argument("write_id", help="as the write's answer gave it")
    made.add_argument("--w", type=int, metavar="N", help="how many nodes; as usual if absent")
    made.add_argument("--deadline-ms", type=int, metavar="MS", help="how long; 1500 if absent")


def _asks(made: argparse.ArgumentParser) -> None:
    made.add_argument("--yes", action="store_true", help="do not ask")


def _invite(asked: argparse.Namespace) -> int:
    if asked.name and asked.named and asked.name != asked.named:
        raise failures.usage("two names are given", "Give one.")
    _awake(commands.data_dir(asked))
    values = {"name": asked.name or asked.named, "ttl_s": asked.ttl, "address": asked.address}
    said = commands.ask(asked, "invite", values)
    commands.say(asked, said, f"{said['line']}\n")
    if sys.stderr.isatty() and not asked.json:
        until = moment(said.get("expires_at"))
        sys.stderr.write(
            f"On the other machine: aimem-node join {str(said['line'])[:12]}… (the whole line)\n"
            f"Good for one machine{f', until {until}' if until else ''}; it has to reach "
            f"{plain(said.get('address') or 'this node')}. Whoever has the line can join: keep it "
            "secret.\n"
        )
    return 0


def _awake(data_dir: str) -> None:
    """Start the node if none runs: who invites is about to need it anyway, as who joins is."""
    if not calling.is_running(data_dir):
        said = lifecycle.start(data_dir, (), node.START_WAIT_S)
        sys.stderr.write(
            f"aimem-node: no node ran, so one was started (data in {said['data_dir']})\n"
        )


def _approve(asked: argparse.Namespace) -> int:
    wanted = commands.fingerprint_of(asked.fingerprint)
    said = commands.ask(asked, "approve", {"fingerprint": wanted, "name": asked.name})
    who = plain(said.get("name") or str(said.get("node_id"))[:8])
    commands.say(asked, said, f"{who} is admitted as learner (epoch {said.get('epoch')})\n")
    return 0


def _members(asked: argparse.Namespace) -> int:
    cluster = commands.ask(asked, "cluster-status", {})
    if asked.check:
        return _check(asked, cluster)
    if asked.pins:
        pins = cluster_view.pins(cluster, asked.all)
        rows = [
            {"fingerprint": one.fingerprint, "role": one.role, "name": one.name,
             "node_id": one.node_id, "address": one.address}
            for one in pins
        ]  # fmt: skip
        head = f"# cluster {plain(cluster.get('cluster_id'))}, epoch {cluster.get('epoch')}\n"
        head += f"# {peer_pins.SHAPE}\n"
        commands.say(asked, {"pins": rows}, head + peer_pins.write(pins))
        return 0
    shown = {
        name: cluster.get(name) for name in ("cluster_id", "epoch", "voters", "needed", "members")
    }
    if asked.all:
        shown["revoked"] = cluster.get("revoked")
    lines = cluster_view.members(cluster, Look.of(sys.stdout), asked.all)
    commands.say(asked, shown, "\n".join(lines) + "\n")
    return 0


def _check(asked: argparse.Namespace, cluster: dict[str, Any]) -> int:
    try:
        if asked.check == "-":
            content = sys.stdin.buffer.read()
        else:
            with open(asked.check, "rb") as file:
                content = file.read()
    except OSError as error:
        raise failures.usage(f"{asked.check}: {error.strerror or error}") from None
    kept = peer_pins.parse(content, asked.check)
    everyone = asked.all or any(one.role == peer_pins.REVOKED for one in kept)
    changed = peer_pins.differences(kept, cluster_view.pins(cluster, everyone))
    text = "".join(f"{line}\n" for line in changed) or "nothing has changed\n"
    commands.say(asked, {"same": not changed, "changed": changed}, text)
    return DIFFERENT if changed else 0


def _promote(asked: argparse.Namespace) -> int:
    return _changed(asked, "promote-member", {"node": asked.node}, commands.CALL_S)


def _evict(asked: argparse.Namespace) -> int:
    commands.confirm(
        asked,
        f"{plain(asked.node)} will be removed for ever: it can never come back under this "
        "identity, and what only it holds is lost to the others. To bring the machine back later, "
        "it has to be set up anew and join.",
    )
    return _changed(asked, "evict", {"node": asked.node}, commands.CALL_S)


def _leave(asked: argparse.Namespace) -> int:
    warning = (
        "This node will leave its cluster, once the others hold all that is here. It keeps its "
        "memories and goes on alone; it can never come back to this cluster under this identity."
    )
    if asked.force:
        warning += " With --force it does not wait: writes that only it holds stay here alone."
    commands.confirm(asked, warning)
    if sys.stderr.isatty() and not asked.json:
        sys.stderr.write("waiting until others hold everything …\n")
    return _changed(asked, "leave", {"force": asked.force or None}, LEAVE_S)


def _rotate_key(asked: argparse.Namespace) -> int:
    return _changed(asked, "rotate-key", {}, ROTATE_S)


def _changed(asked: argparse.Namespace, word: str, values: dict[str, Any], timeout_s: float) -> int:
    said = commands.ask(asked, word, values, timeout_s)
    tail = f"epoch {said.get('epoch')}, N={said.get('voters')}, W={said.get('needed')}\n"
    head = f"{plain(said['said'])}\n" if said.get("said") else ""
    commands.say(asked, said, head + tail)
    return 0


def _force_epoch(asked: argparse.Namespace) -> int:
    if bool(asked.keep) == bool(asked.adopt):
        raise failures.usage(
            "give either --keep for each member that goes on, or --adopt with a line",
            "On the first survivor --keep; on each other --adopt. See docs/recovering.md.",
        )
    if not asked.yes:
        cluster = commands.ask(asked, "cluster-status", {})
        short = str(cluster.get("cluster_id"))[: cluster_view.ID_CHARS]
        commands.confirm(asked, LOST_FOREVER.format(short=short), wanted=short)
    line = sys.stdin.read() if asked.adopt == "-" else asked.adopt
    if line is not None:
        line = "".join(line.split())
    said = commands.ask(asked, "force-epoch", {"keep": asked.keep, "adopt": line})
    text = (
        f"cluster {plain(said.get('cluster_id'))[: cluster_view.ID_CHARS]} goes on with "
        f"N={said.get('voters')} (epoch {said.get('epoch')})\n"
    )
    if asked.keep and said.get("line"):
        text += f"on each other survivor:\naimem-node force-epoch --adopt {said['line']}\n"
    commands.say(asked, said, text)
    return 0


def _wait(asked: argparse.Namespace) -> int:
    values = {"write_id": asked.write_id, "w": asked.w, "deadline_ms": asked.deadline_ms}
    wait_s = commands.CALL_S + (asked.deadline_ms or 0) / 1000
    said = commands.ask(asked, "wait-durable", values, wait_s)
    write = said.get("write") or {}
    lines = [outcome(write | {"replayed": False}) if write.get("outcome") else "unknown"]
    if write.get("reason"):
        lines.append(plain(write["reason"]))
    lines += [
        f"  {plain(peer.get('name') or peer.get('node_id'))}: {plain(peer.get('state'))}"
        + (f" ({plain(peer['reason'])})" if peer.get("reason") else "")
        for peer in write.get("peers") or ()
    ]
    commands.say(asked, said, "\n".join(lines) + "\n")
    return 0 if str(write.get("outcome")).lower() == "committed" else failures.PENDING_EXIT
