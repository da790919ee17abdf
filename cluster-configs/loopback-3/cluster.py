"""Three real nodes on one machine, formed into a cluster: what `make cluster` runs.

It does only what a user could type: start three nodes, invite on the first, join on the others. So
what works here works on three machines, and what a node says is not hidden. Each step looks first
whether it has been done already; that is why a second run goes on with the same cluster, and why
one that was interrupted is simply run again.
"""

import argparse
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aimem_node.config import Settings, load, split_address
from aimem_node.contract.errors import Failure
from aimem_node.gateways.cli.failures import CallFailure
from aimem_node.gateways.operator import calling

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NAMES = ("a", "b", "c")
KEPT_SETTINGS = ("AIMEM_RUNTIME_DIR",)
"""Of the environment: where sockets are. Any other setting there would hold for all three nodes."""
ASK_S = 10.0
LEVEL_WAIT_S = 60.0
"""For a new node to hold everything and vote. It takes a second or two."""
LOOK_EVERY_S = 0.2
WATCH_EVERY_S = 1.0
UNDER_WAY = ("sponsor", "identity", "admitted", "snapshot", "catch_up")
"""Steps of a join that was begun and is not at its end."""


class Trouble(Exception):  # noqa: N818 - it is said to people as it stands
    """What stands in the way, and what to do about it."""

    def __init__(self, message: str, step: str = "") -> None:
        super().__init__(message)
        self.step = step


@dataclass(frozen=True, slots=True)
class Place:
    """One of the three: its name, and the directory that is its own."""

    name: str
    home: Path

    @property
    def file(self) -> Path:
        """Its settings."""
        return self.home / "aimem.toml"

    def settings(self) -> Settings:
        """What is in force there. Raises Trouble."""
        try:
            return load({"data_dir": self.home, "config": self.file})
        except Failure as failure:
            raise Trouble(failure.message, failure.next) from None

    def runs(self) -> bool:
        """Whether its node answers."""
        return calling.is_running(str(self.home))

    def status(self) -> dict[str, Any]:
        """How the cluster stands, as this node sees it. Raises Trouble."""
        try:
            return calling.ask(str(self.home), "cluster-status", {}, ASK_S)
        except CallFailure as failure:
            raise Trouble(f"node {self.name}: {failure.message}", failure.next_step) from None


def main(argv: Sequence[str] | None = None) -> int:
    """Run; the exit code."""
    asked = _parser().parse_args(argv)
    for name in [one for one in os.environ if one.startswith("AIMEM_")]:
        if name not in KEPT_SETTINGS:
            del os.environ[name]
    places = [Place(name, asked.dir.absolute() / name) for name in NAMES]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _alone(asked.dir):
            if asked.stop or asked.fresh:
                stop(places)
            if asked.stop:
                return 0
            if asked.fresh:
                remove(places)
            bring_up(places)
        say(_what_next(places, asked.dir, detached=asked.detach))
        if not asked.detach:
            watch(places)
    except Trouble as trouble:
        sys.stderr.write(f"make cluster: {trouble}\n")
        if trouble.step:
            sys.stderr.write(f"next: {trouble.step}\n")
        left = [place.name for place in places if place.runs()]
        if left:
            stopping = _again(asked.dir, "--stop")
            sys.stderr.write(f"still running: {', '.join(left)}; to stop them: {stopping}\n")
        return 1
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        say("")
        stop(places)
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="make cluster",
        description="Run three nodes on this machine as one cluster, until Ctrl-C.",
    )
    made.add_argument("--detach", action="store_true", help="leave them running and return")
    made.add_argument("--stop", action="store_true", help="stop them; what they hold is kept")
    made.add_argument("--fresh", action="store_true", help="erase what they hold and begin anew")
    made.add_argument(
        "--dir", type=Path, default=ROOT / ".cluster", metavar="DIR",
        help="where their directories are (default: .cluster in the checkout)",
    )  # fmt: skip
    return made


def say(text: str) -> None:
    """To whoever looks on, at once. That nobody does any more is no reason to stop half-way."""
    with suppress(BrokenPipeError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Two of us would each form a cluster out of half of the nodes."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "lock").open("w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Trouble(
                "another `make cluster` is starting or stopping these nodes", "Wait for it."
            ) from None
        yield


# ---- the nodes -----------------------------------------------------------------------------------


def bring_up(places: Sequence[Place]) -> None:
    """Three nodes that run, vote and hold the same."""
    for place in places:
        if not place.file.exists():
            place.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(HERE / f"{place.name}.toml", place.file)
    asleep = [place for place in places if not place.runs()]
    check_ports(asleep)
    for place in asleep:
        _node("start", "--data-dir", str(place.home))
    for place in places:
        say(f"{place.name}: runs, other nodes reach it at {place.settings().peer}")
    for place in places[1:]:
        _belong(places[0], place)
    _wait_until_level(places)


def check_ports(places: Sequence[Place]) -> None:
    """Raises Trouble that names a port that somebody else has, and the setting that asks for it."""
    for place in places:
        settings = place.settings()
        for name in ("peer", "http", "grpc"):
            address = getattr(settings, name)
            if address and not _is_free(*split_address(name, address)):
                port = address.rpartition(":")[2]
                raise Trouble(
                    f"{address} is taken by another program, and node {place.name} needs it",
                    f"Stop what listens there (ss -ltnp 'sport = :{port}' shows it), or change "
                    f"`{name}` in {shown(place.file)}.",
                )


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Else a connection that has just ended would count as a listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _belong(first: Place, place: Place) -> None:
    """Have a node join the first one's cluster, unless it has."""
    ours, theirs = first.status(), place.status()
    step = (theirs.get("progress") or {}).get("step", "")
    if step in UNDER_WAY:
        say(f"{place.name}: goes on with joining")
        _node("join", "--data-dir", str(place.home), shown_to_user=True)
        return
    if theirs.get("cluster_id") == ours.get("cluster_id"):
        return
    if len(theirs.get("members") or ()) > 1:
        raise Trouble(
            f"node {place.name} belongs to another cluster than node {first.name}",
            "Begin anew with empty nodes: make cluster ARGS=--fresh",
        )
    say(f"{place.name}: joins with a line from `aimem-node invite` on {first.name}")
    invited = json.loads(_node("invite", "--json", "--data-dir", str(first.home)))
    _node("join", invited["line"], "--data-dir", str(place.home), shown_to_user=True)


def _wait_until_level(places: Sequence[Place]) -> None:
    deadline = time.monotonic() + LEVEL_WAIT_S
    while True:
        seen = {place.name: place.status() for place in places}
        if all(_is_level(one, len(places)) for one in seen.values()):
            return
        if time.monotonic() >= deadline:
            stands = "; ".join(f"{name} sees {_counts(one)}" for name, one in seen.items())
            raise Trouble(
                f"the nodes are not level after {LEVEL_WAIT_S:.0f} s: {stands}",
                f"Look at aimem-node status --data-dir {shown(places[0].home)} and at "
                f"{shown(places[0].home / 'node.log')}.",
            )
        time.sleep(LOOK_EVERY_S)


def _is_level(status: dict[str, Any], count: int) -> bool:
    return int(status.get("voters") or 0) == int(status.get("in_sync") or 0) == count


def _counts(status: dict[str, Any]) -> str:
    return f"{status.get('in_sync') or 0} of {status.get('voters') or 0} voters in sync"


def watch(places: Sequence[Place]) -> None:
    """For ever: say when a node ends or comes back."""
    ran = {place.name: True for place in places}
    while True:
        time.sleep(WATCH_EVERY_S)
        for place in places:
            runs = place.runs()
            if runs != ran[place.name]:
                ran[place.name] = runs
                how = "runs again" if runs else "has ended; start it again with: aimem-node start"
                more = "" if runs else f" --data-dir {shown(place.home)}"
                say(f"{place.name}: {how}{more}")


def stop(places: Sequence[Place]) -> None:
    """End the nodes that run, all at once, and wait for them. Raises Trouble if one does not."""
    ending = [
        (place, subprocess.Popen(_command("stop", "--data-dir", str(place.home))))
        for place in places
        if place.runs()
    ]
    left = [place.name for place, process in ending if process.wait()]
    if left:
        raise Trouble(f"not stopped: {', '.join(left)}", "Run: make cluster ARGS=--stop")


def remove(places: Sequence[Place]) -> None:
    """Erase the directories of the three, and nothing else."""
    for place in places:
        if place.home.exists():
            say(f"{place.name}: {shown(place.home)} is erased")
            shutil.rmtree(place.home)


# ---- the commands --------------------------------------------------------------------------------


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "aimem_node.gateways.operator.cli", *words]


def _node(*words: str, shown_to_user: bool = False) -> str:
    """Run `aimem-node`; what it printed. Raises Trouble with what it complained of."""
    out = None if shown_to_user else subprocess.PIPE
    done = subprocess.run(_command(*words), stdout=out, stderr=out, text=True, check=False)
    if done.returncode:
        # A line lets whoever reads it join: it is not repeated here.
        said = (done.stderr or "").strip()
        raise Trouble(f"`aimem-node {words[0]}` failed" + (f":\n{said}" if said else ""))
    return done.stdout or ""


def shown(path: Path) -> str:
    """A path as one would type it in the checkout."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _again(directory: Path, flag: str) -> str:
    """This command once more, with a flag."""
    if directory.absolute() == ROOT / ".cluster":
        return f"make cluster ARGS={flag}"
    return f'make cluster ARGS="{flag} --dir {directory}"'


def _what_next(places: Sequence[Place], directory: Path, *, detached: bool) -> str:
    status = places[0].status()
    a, b, c = (shown(place.home) for place in places)
    end = _again(directory, "--stop") if detached else "Ctrl-C"
    return f"""
One cluster of {status.get("voters")} voters. A write is answered once {status.get("needed")} of \
them have it on disk. Try:

  .venv/bin/aimem --data-dir {a} store "Deploys" "We deploy on Tuesdays."
  .venv/bin/aimem --data-dir {c} recall "when do we deploy?"
  .venv/bin/aimem-node status --watch --data-dir {a}
  .venv/bin/aimem-node stop --data-dir {b}       # two of three go on
  .venv/bin/aimem-node start --data-dir {b}      # and it catches up

{end} stops the nodes and keeps what they hold; the next `make cluster` goes on with it."""


if __name__ == "__main__":
    sys.exit(main())
