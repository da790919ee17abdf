"""A node of one's own, in a directory of its own, that is gone without a trace afterwards.

The demo and the bench both start real nodes as real processes and must never leave one behind:
not on an error, not on Ctrl-C, not when a client has started a second one in the meantime. So
the directory is the unit of tidying: whatever process has it open is ended, then it is removed.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from aimem_node import places
from aimem_node.client.wire_http import request as ask_http

START_SECONDS_MAX = 20.0
"""A cold machine imports the whole node in under three seconds; past this something is wrong."""

STOP_SECONDS_MAX = 8.0
POLL_SECONDS = 0.01
LOG_LINES_SHOWN = 12
RUNTIME_BYTES_MAX = places.SOCKET_PATH_BYTES_MAX - len("/0123456789ab/grpc.sock")
SHORT_PLACE = "/tmp"  # noqa: S108 - mkdtemp makes a directory in it that is ours alone
"""For sockets when the temporary directory has a longer name than a socket's path may have."""

LOOKS = 4

NO_MODEL = {"AIMEM_EMBEDDER": "off"}
"""Unless it is spawned with one: a model takes seconds to load, and what is measured without it
must not depend on what happens to be installed. Nodes that a client starts have none either."""


class NodeError(Exception):
    """The node ended, or did not answer in time; `last_words` may say why."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program of ours with the interpreter that runs us, found whether or not PATH has it."""

    program: str
    entry: str

    def argv(self, *arguments: str) -> list[str]:
        """The installed script beside the interpreter; its entry point when there is none."""
        script = Path(sys.executable).with_name(self.program)
        if script.is_file() and os.access(script, os.X_OK):
            return [str(script), *arguments]
        module, _, function = self.entry.partition(":")
        call = f"import sys; from {module} import {function} as run; sys.exit(run())"
        return [sys.executable, "-c", call, *arguments]


AIMEM = Command("aimem", "aimem_node.gateways.cli.fast:main")


class OwnNode:
    """A temporary home with one node in it. Use it as a context manager."""

    def __init__(self, prefix: str, parent: Path | None = None) -> None:
        """Make the directory below `parent` (the system's temporary directory when absent)."""
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True)
        self.home = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        self.data_dir = self.home / "data"
        self._runtime = self.home / "run"
        if len(os.fsencode(self._runtime)) > RUNTIME_BYTES_MAX:
            self._runtime = Path(tempfile.mkdtemp(prefix=prefix, dir=SHORT_PLACE))
        self.env = {**os.environ, places.RUNTIME_DIR_ENV: str(self._runtime), **NO_MODEL}
        self.env.pop(places.DATA_DIR_ENV, None)
        self._node: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()

    @property
    def pid(self) -> int:
        """The process id of the node that is running."""
        assert self._node is not None, "spawn it first"
        return self._node.pid

    @property
    def running(self) -> bool:
        """Whether the node that was spawned is still there."""
        return self._node is not None and self._node.poll() is None

    def socket(self, which: str) -> str:
        """Path of one of the node's sockets: "http", "grpc" or "mcp"."""
        return places.socket_path(str(self.data_dir), which, self.env)

    def aimem(self, *arguments: str) -> list[str]:
        """The command line of `aimem` for this node."""
        return AIMEM.argv(*arguments, "--data-dir", str(self.data_dir))

    def spawn(self, **settings: str) -> None:
        """Start the node, in a session of its own: Ctrl-C at the terminal is ours to handle.

        It finds by words alone unless it is given an `embedder`, such as "auto".
        """
        assert not self.running, "it runs already"
        argv = [sys.executable, "-m", "aimem_node.main", "run", "--data-dir", str(self.data_dir)]
        argv += [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        with self._output.open("ab") as output:
            self._node = subprocess.Popen(
                argv,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def _output(self) -> Path:
        return self.home / "node.out"

    def answers(self) -> bool:
        """Ask for its health once. NodeError when its process has ended."""
        if not self.running:
            raise NodeError("the node ended before it answered")
        try:
            status, _, _ = ask_http(self.socket("http"), "GET", "/api/v1/health", timeout_s=1.0)
        except Exception:
            return False  # whatever refuses a probe means "not yet"
        return status == 200

    def await_answer(self) -> float:
        """Block until it answers; the seconds that took."""
        started = time.monotonic()
        while not self.answers():
            self._check_patience(started)
            time.sleep(POLL_SECONDS)
        return time.monotonic() - started

    async def answering(self, patience_s: float = START_SECONDS_MAX) -> float:
        """As `await_answer`, leaving the event loop free to be interrupted."""
        started = time.monotonic()
        while not self.answers():
            self._check_patience(started, patience_s)
            await asyncio.sleep(POLL_SECONDS)
        return time.monotonic() - started

    def _check_patience(self, started: float, patience_s: float = START_SECONDS_MAX) -> None:
        if time.monotonic() - started > patience_s:
            raise NodeError(f"the node did not answer within {patience_s:.0f} s")

    def last_words(self) -> str:
        """The last lines the node wrote, for an error message."""
        if not self._output.is_file():
            return "(it wrote nothing)"
        lines = self._output.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES_SHOWN:]) or "(it wrote nothing)"

    def resident_bytes(self) -> int:
        """Memory the node holds in RAM, from /proc; 0 where there is no such thing."""
        return resident_bytes(self.pid)

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL, no goodbye."""
        assert self._node is not None, "spawn it first"
        self._node.kill()
        self._node.wait()

    def stop(self, patience_s: float = STOP_SECONDS_MAX) -> None:
        """Ask it to end; insist when it does not."""
        if self._node is None:
            return
        self._node.terminate()
        try:
            self._node.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def remove(self) -> None:
        """End whatever has the directory open, then remove the directory. Safe to repeat."""
        with contextlib.suppress(OSError):
            self.stop()
        end_all_in(self.home)
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.rmtree(self._runtime, ignore_errors=True)


def resident_bytes(pid: int) -> int:
    """VmRSS of a process, from /proc; 0 where there is no such thing."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def end_all_in(home: Path) -> None:
    """Kill what works in a directory.

    A process has no command line while it is just starting, so one look does not do.
    """
    for _ in range(LOOKS):
        for pid in pids_at_work_in(home):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def pids_at_work_in(home: Path) -> list[int]:
    """Processes that were given a directory in `home` to work in: strays that a client started."""
    mark = os.fsencode(str(home))
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        named = b"--data-dir" in words and any(word.startswith(mark) for word in words)
        if named and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found
