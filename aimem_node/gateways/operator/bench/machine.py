"""On what, and how, the figures were measured: without this they mean nothing."""

import os
import platform
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from aimem_node.gateways.operator.bench.figures import Spread

FSYNCS = 50

METHOD = """\
Each node is a process of its own, started by the bench in an empty directory, with the default
settings; nothing is switched off, every store waits for its fsync. Single calls go through the
Python gRPC client on the unix socket, one after another, timed from the call to the decoded
answer; the first five of each series are not counted. Whole processes are timed from outside,
from exec to exit or to the answer. Percentiles are nearest-rank. Memories are sentences of real
conversations put together, each with an invented, mostly rare name; "frequent words only" asks
for five of the sixty most frequent words. Client and node share the machine."""


def describe(where: Path) -> dict[str, str]:
    """The machine in a few lines, with the raw cost of one fsync where the store will be."""
    fsync = fsync_ms(where)
    durable = f"p50 {fsync.p50_ms:.2f} ms, p95 {fsync.p95_ms:.2f} ms"
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}",
        "processor": f"{processor()}, {os.cpu_count()} logical cores, load {load()} at the start",
        "memory": f"{memory_gb():.0f} GB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "disk": f"{filesystem(where)}; 4 kB write and fsync: {durable}",
    }


def processor() -> str:
    """The model's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def load() -> str:
    """The one-minute load average: what else the machine was doing."""
    return f"{os.getloadavg()[0]:.1f}"


def memory_gb() -> float:
    """RAM of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1_000_000_000


def commit() -> str:
    """The checkout's commit, marked when it has changes; "unknown" outside of one."""
    argv = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        ran = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10)
    except OSError:
        return "unknown"
    return ran.stdout.strip() or "unknown"


def filesystem(where: Path) -> str:
    """The type of the filesystem that holds a directory, from /proc/mounts."""
    real = os.path.realpath(where)
    best, kind = "", "unknown filesystem"
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return kind
    for line in mounts.splitlines():
        _, point, found, *_ = line.split(" ")
        within = real == point or real.startswith(point.rstrip("/") + "/")
        if within and len(point) >= len(best):
            best, kind = point, found
    return kind


def fsync_ms(where: Path) -> Spread:
    """What the disk itself takes to make 4 kB durable."""
    waited = []
    with tempfile.TemporaryFile(dir=where, buffering=0) as file:
        for _ in range(FSYNCS):
            started = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            waited.append((time.perf_counter() - started) * 1000)
    return Spread.of(waited)
