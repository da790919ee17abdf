"""The command `aimem-node`. Unlike `aimem` nobody waits for its start, so it may use argparse."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aimem_node.gateways.cli import failures, node, showing
from aimem_node.gateways.cli.look import Look, clock, plain, wrapped
from aimem_node.gateways.operator import (
    auditing,
    calling,
    commands,
    doctor,
    joining,
    lifecycle,
    member_commands,
    watching,
)
from aimem_node.gateways.operator.findings import Grade
from aimem_node.version import VERSION

STOP_WAIT_S = 30.0
WATCH_S = 2.0
WATCH_S_MIN = 0.2
"""Between two pictures. Each costs the node three small questions."""
ROLES = ("reader", "writer", "admin")
PLACE_HELP = "the namespace that it stands in, which bounds what it sees; everything if absent"
INTERRUPTED = 130
NOTHING = {
    "pin-list": "Pin a machine's certificate: aimem-node pin add CERTIFICATE --name NAME",
    "pin-remove": "Look for it: aimem-node pin list",
}
"""What to do when there is nothing, by command."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["bench"]:
        from aimem_node.gateways.operator import bench

        return int(bench.main(given[1:]))
    asked = parser().parse_args(given)
    try:
        code: int = asked.act(asked)
        sys.stdout.flush()
    except failures.CallFailure as failure:
        failure.show(sys.stderr, asked.json, "aimem-node")
        return failure.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def parser() -> argparse.ArgumentParser:
    """Every command and its options."""
    top = argparse.ArgumentParser(
        prog="aimem-node",
        description="Run an aimem node and look after it.",
        epilog="The caller's command is aimem.",
    )
    top.add_argument("--version", action="version", version=f"aimem-node {VERSION}")
    below = top.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, said: str, act: Callable[[argparse.Namespace], int]) -> Any:
        made = below.add_parser(name, help=said, description=said)
        return commands.common(made, act)

    running = command("run", "Run a node in the foreground until it is told to stop.", _run)
    _setting_flags(running)
    starting = command("start", "Start a node in the background.", _start)
    starting.add_argument("--timeout", type=float, default=node.START_WAIT_S, metavar="SECS")
    _setting_flags(starting)
    stopping = command("stop", "Stop the node and wait until it has ended.", _stop)
    stopping.add_argument("--timeout", type=float, default=STOP_WAIT_S, metavar="SECS")
    looking = command(
        "status",
        "Say how the node and its cluster are. Exits 0 when it serves, 3 when none runs, "
        "4 when it is not as it should be.",
        _status,
    )
    looking.add_argument(
        "--origins", action="store_true", help="what each member lacks of each log"
    )
    looking.add_argument(
        "--watch", nargs="?", type=float, const=WATCH_S, metavar="SECS",
        help=f"draw it again every so often, {WATCH_S:g} s if absent, until Ctrl-C",
    )  # fmt: skip
    command("doctor", "Look for what is wrong and say how to mend it. Exits 0, 1 or 2.", _doctor)
    backing = command("backup", "Copy the whole store into one file while the node runs.", _backup)
    backing.add_argument("to", nargs="?", help="directory; the data directory's backups if absent")
    backing.add_argument("--keep", type=int, help="how many to keep there; 0 keeps all")
    restoring = command(
        "restore", "Put a backup in the store's place. The node must not run.", _restore
    )
    restoring.add_argument("backup", help="the backup's .db file")
    verifying = command(
        "verify", "Check the log, the state made from it, and the indexes.", _verify
    )
    verifying.add_argument("--deep", action="store_true", help="fold the whole log again")
    verifying.add_argument(
        "--repair", action="store_true", help="make again, or fetch again, what is damaged"
    )
    identity = command("identity", "Show who this node is to others.", _identity)
    identity.add_argument("--cert", action="store_true", help="print the certificate alone")
    command("settings", "Show every setting, how to give it, and what is in force.", _settings_page)
    member_commands.add(command)
    auditing.add(command)
    joining.add(command)
    _access_commands(below)
    below.add_parser("bench", help="Measure this machine against the goals.", add_help=False)
    return top


def _setting_flags(made: argparse.ArgumentParser) -> None:
    """A flag for each setting of the node, from the one page that declares them."""
    from dataclasses import fields

    from aimem_node.config import Settings

    made.add_argument("--config", help="settings file (TOML); DATA_DIR/aimem.toml if absent")
    for one in fields(Settings):
        if one.name == "data_dir":
            continue
        flag = "--" + one.name.replace("_", "-")
        said = str(one.metadata["help"]).replace("%", "%%")
        if isinstance(one.default, bool):
            made.add_argument(flag, action="store_const", const="true", help=said)
        else:
            made.add_argument(flag, metavar="VALUE", help=f"{said} Default: {one.default!r}.")


def _access_commands(below: Any) -> None:
    pins = below.add_parser("pin", help="Say which certificates may call.")
    pinning = pins.add_subparsers(metavar="add|remove|list", required=True)
    adding = commands.common(pinning.add_parser("add", help="Let a certificate call."), _pin_add)
    adding.add_argument(
        "certificate", help="the caller's certificate (a node's: identity/node.crt)"
    )
    adding.add_argument("--name", required=True, help="what to call it")
    adding.add_argument("--role", choices=ROLES, default="writer")
    adding.add_argument("--place", default="", metavar="NAMESPACE", help=PLACE_HELP)
    removing = commands.common(
        pinning.add_parser("remove", help="Let it call no more."), _pin_remove
    )
    removing.add_argument("name", help="its name or its fingerprint")
    commands.common(pinning.add_parser("list", help="Show the pinned certificates."), _pin_list)

    tokens = below.add_parser("token", help="Say which bearer tokens may call over HTTP.")
    tokening = tokens.add_subparsers(metavar="create|revoke|list", required=True)
    making = commands.common(
        tokening.add_parser("create", help="Make a token; shown once."), _token_create
    )
    making.add_argument("name", help="what to call it")
    making.add_argument("--role", choices=ROLES, default="writer")
    making.add_argument("--agent", default="*", help="agent ids it may speak for, as a pattern")
    making.add_argument("--place", default="", metavar="NAMESPACE", help=PLACE_HELP)
    making.add_argument("--days", type=int, help="how long it is good for; for ever if absent")
    revoking = commands.common(tokening.add_parser("revoke", help="End a token."), _token_revoke)
    revoking.add_argument("name")
    commands.common(
        tokening.add_parser("list", help="Show the tokens, without their secrets."), _token_list
    )


def _settings(asked: argparse.Namespace) -> dict[str, Any]:
    """The settings that were given, by name."""
    from dataclasses import fields

    from aimem_node.config import Settings

    names = ["config", *(one.name for one in fields(Settings) if one.name != "data_dir")]
    return {name: getattr(asked, name) for name in names if getattr(asked, name) is not None}


def _run(asked: argparse.Namespace) -> int:
    import importlib

    # Looked up late: it brings the whole node with it.
    main_module = importlib.import_module("aimem_node.main")
    return int(main_module.run({"data_dir": commands.data_dir(asked)} | _settings(asked)))


def _start(asked: argparse.Namespace) -> int:
    extra: list[str] = []
    for name, value in _settings(asked).items():
        path = os.path.abspath(value) if name == "config" else value
        extra.append(f"--{name.replace('_', '-')}={path}")
    said = lifecycle.start(commands.data_dir(asked), tuple(extra), asked.timeout)
    how = "started" if said["started"] else "already running"
    commands.say(
        asked, said, f"aimem-node: {how} (process {said['pid']}, data in {said['data_dir']})\n"
    )
    return 0


def _stop(asked: argparse.Namespace) -> int:
    said = lifecycle.stop(commands.data_dir(asked), asked.timeout)
    how = f"stopped (process {said['pid']})" if said["stopped"] else "no node was running"
    commands.say(asked, said, f"aimem-node: {how}\n")
    return 0


def _status(asked: argparse.Namespace) -> int:
    def picture() -> tuple[int, str]:
        said = lifecycle.status(commands.data_dir(asked))
        if asked.json:
            text = json.dumps(said, ensure_ascii=False) + "\n"
        else:
            text = lifecycle.show_status(said, asked.origins)
        return lifecycle.exit_code(said), text

    if asked.watch is not None:
        return watching.watch(picture, max(asked.watch, WATCH_S_MIN), sys.stdout)
    code, text = picture()
    sys.stdout.write(text)
    return code


def _doctor(asked: argparse.Namespace) -> int:
    found = doctor.examine(commands.data_dir(asked))
    grade = doctor.worst(found)
    look = Look.of(sys.stdout)
    styles = {Grade.OK: "good", Grade.WARNING: "warn", Grade.ERROR: "bold"}
    lines: list[str] = []
    for finding in found:
        word = look.paint(styles[finding.grade], finding.grade.name.lower().ljust(8))
        lines.append(f"{word} {finding.check.ljust(10)} {plain(finding.said)}")
        if finding.mend:
            lines.append(f"{' ' * 20}mend: {plain(finding.mend)}")
    report = {"grade": grade.name.lower(), "findings": [finding.to_json() for finding in found]}
    commands.say(asked, report, "\n".join(lines) + "\n")
    return int(grade)


def _backup(asked: argparse.Namespace) -> int:
    values: dict[str, Any] = {}
    if asked.to:
        values["to"] = os.path.abspath(os.path.expanduser(asked.to))
    if asked.keep is not None:
        values["keep"] = asked.keep
    done = calling.ask(commands.data_dir(asked), "backup", values, calling.SLOW_CALL_S)
    text = f"{done['path']}\n{done['bytes']:,} bytes, sha256 {done['sha256']}\n"
    commands.say(asked, done, text)
    return 0


def _restore(asked: argparse.Namespace) -> int:
    data_dir = commands.data_dir(asked)
    if calling.is_running(data_dir):
        raise failures.CallFailure(
            "CONFLICT", f"a node is running on {data_dir}",
            next_step=f"Stop it first: aimem-node stop --data-dir {data_dir}",
        )  # fmt: skip
    backup = os.path.abspath(os.path.expanduser(asked.backup))
    done = calling.admin("restore", {"data_dir": data_dir, "from": backup})
    commands.say(asked, done, f"restored {backup} into {data_dir}\n" + _lines(done))
    return 0


def _verify(asked: argparse.Namespace) -> int:
    values = {"deep": asked.deep}
    if asked.repair:
        values["repair"] = True
    done = calling.ask(commands.data_dir(asked), "verify", values, calling.SLOW_CALL_S)
    problems = done.get("problems") or []
    head = "sound" if done.get("ok") else f"{len(problems)} problems"
    lines = [f"{head}: {done.get('ops')} ops, {done.get('records')} records"]
    lines += [f"  {plain(problem)}" for problem in problems]
    for name, said in (("repaired", "repaired"), ("peers", "the other members")):
        if done.get(name):
            lines += [f"{said}:", *(f"  {plain(one)}" for one in done[name])]
    if problems and not asked.repair:
        lines.append("next: aimem-node verify --deep --repair")
    commands.say(asked, done, "\n".join(lines) + "\n")
    return 0 if done.get("ok") else failures.EXITS["CORRUPT"]


def _identity(asked: argparse.Namespace) -> int:
    said = calling.admin("identity", {"data_dir": commands.data_dir(asked)})
    if asked.cert and not asked.json:
        sys.stdout.write(said["certificate"])
        return 0
    shown = {name: value for name, value in said.items() if name != "certificate"}
    commands.say(asked, said, _lines(shown))
    return 0


def _pin_add(asked: argparse.Namespace) -> int:
    given = {
        "certificate": asked.certificate,
        "name": asked.name,
        "role": asked.role,
        "place": asked.place,
    }
    return _admin(asked, "pin-add", given)


def _pin_remove(asked: argparse.Namespace) -> int:
    return _admin(asked, "pin-remove", {"name": asked.name})


def _pin_list(asked: argparse.Namespace) -> int:
    return _admin(asked, "pin-list", {})


def _token_create(asked: argparse.Namespace) -> int:
    names = ("name", "role", "agent", "days", "place")
    given = {name: getattr(asked, name) for name in names}
    return _admin(asked, "token-create", given)


def _token_revoke(asked: argparse.Namespace) -> int:
    return _admin(asked, "token-revoke", {"name": asked.name})


def _token_list(asked: argparse.Namespace) -> int:
    done = calling.admin("token-list", {"data_dir": commands.data_dir(asked)})
    now_us = time.time_ns() // 1000
    rows = [
        {
            "name": one["name"],
            "role": one["role"],
            "may speak for": one["agent"],
            "expires": _expiry(one["expires_us"], now_us),
            "stands in": one["place"] or "(sees everything)",
        }
        for one in done["tokens"]
    ]
    how = {"rows": "tokens", "nothing": "Make one: aimem-node token create NAME"}
    commands.say(asked, done, showing.answer(how, {"tokens": rows}, Look.of(sys.stdout)))
    return 0


def _expiry(expires_us: int | None, now_us: int) -> str:
    if expires_us is None:
        return "never"
    return clock(expires_us) + (" (expired)" if expires_us <= now_us else "")


def _settings_page(asked: argparse.Namespace) -> int:
    done = calling.admin("settings", {"data_dir": commands.data_dir(asked)})
    look = Look.of(sys.stdout)
    lines: list[str] = []
    for one in done["settings"]:
        value = one["value"]
        shown = "(none)" if value == "" else {True: "on", False: "off"}.get(value, value)
        lines.append(f"{look.paint('bold', one['name'])} = {plain(shown)}")
        lines += wrapped(plain(one["help"]), look.width, "    ")
        lines.append(look.paint("dim", f"    {one['flag']}, {one['environment']}"))
    lines += ["", f"Settings file: {plain(done['file'])}"]
    commands.say(asked, done, "\n".join(lines) + "\n")
    return 0


def _admin(asked: argparse.Namespace, command: str, given: Mapping[str, Any]) -> int:
    done = calling.admin(command, {"data_dir": commands.data_dir(asked)} | dict(given))
    rows = next((name for name, value in done.items() if isinstance(value, list)), "")
    look = Look.of(sys.stdout)
    how = {"rows": rows, "nothing": NOTHING.get(command, "")}
    commands.say(asked, done, showing.answer(how, done, look))
    return 0


def _lines(value: Mapping[str, Any]) -> str:
    width = max((len(name) for name in value), default=0)
    return "".join(f"{n.ljust(width)}  {plain(v)}\n" for n, v in value.items())


if __name__ == "__main__":
    sys.exit(main())
