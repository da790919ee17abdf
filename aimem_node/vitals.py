"""What a running node tells of itself: its state, what it takes up on its machine, its gauges."""

import contextlib
import os
import resource
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from prometheus_client import Gauge

from aimem_node import places
from aimem_node.embedding import Embedding
from aimem_node.followers.tally import Tally
from aimem_node.followers.vectors import Vectors
from aimem_node.metrics import Metrics
from aimem_node.operations.call import FileFacts
from aimem_node.replica.gauges import ClusterGauges
from aimem_node.replica.plane import Plane
from aimem_node.store.schema import SCHEMA
from aimem_node.store.store import Store

EMBEDDING_STATES = ("off", "cold", "loading", "ready", "failed", "stalled")


def state(store: Store, plane: Plane) -> tuple[str, str]:
    """serving, failed or fenced, and why."""
    if store.failed:
        return "failed", store.failed
    if plane.core.fenced:
        return "fenced", plane.core.fenced
    return "serving", ""


def files(data_dir: Path) -> FileFacts:
    """What the node takes up right now."""
    database = Path(places.database_path(str(data_dir)))
    wal = database.with_name(database.name + "-wal")
    return FileFacts(
        db_bytes=database.stat().st_size,
        wal_bytes=wal.stat().st_size if wal.exists() else 0,
        free_bytes=shutil.disk_usage(data_dir).free,
        schema=SCHEMA,
        resident_bytes=_resident_bytes(),
    )


def _resident_bytes() -> int:
    with contextlib.suppress(OSError):
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def add_gauges(
    metrics: Metrics, plane: Plane, tally: Tally, log_position: Callable[[], int]
) -> None:
    """What is read at the moment of a scrape."""
    store, data_dir = plane.store, plane.store.data_dir
    ClusterGauges(plane, metrics.registry)
    metrics.gauge("aimem_log_position", "Ops in the log here.", log_position)
    metrics.gauge("aimem_store_failed", "1 after a disk error.", lambda: bool(store.failed))
    metrics.gauge("aimem_db_bytes", "Size of the store.", lambda: files(data_dir).db_bytes)
    metrics.gauge("aimem_touches_pending", "Recalls not yet in the log.", tally.pending)


def add_vector_gauges(metrics: Metrics, embedding: Embedding, vectors: Vectors) -> None:
    """How far the memories here have vectors."""
    gauge, progress = metrics.gauge, vectors.progress
    gauge("aimem_vectors", "Live memories with a vector.", lambda: progress().vectors)
    gauge("aimem_vector_backlog", "Live memories without one.", lambda: progress().backlog)
    gauge(
        "aimem_vector_lag_seconds", "How long the first of them has waited.",
        lambda: progress().lag_s,
    )  # fmt: skip
    gauge(
        "aimem_vectors_failing", "Texts that failed by themselves and are tried again.",
        lambda: progress().failing,
    )  # fmt: skip
    states = Gauge(
        "aimem_embedding_state", "1 for the state in which the model of texts is.", ["state"],
        registry=metrics.registry,
    )  # fmt: skip

    def is_now(name: str) -> bool:
        return bool(embedding.status().state == name)

    for name in EMBEDDING_STATES:
        states.labels(name).set_function(partial(is_now, name))
