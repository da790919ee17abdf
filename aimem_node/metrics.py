"""What the node counts and times, in the Prometheus text format.

Every metric here moves: one that nothing increments would be a lie on a dashboard.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The node's metrics, in a registry of their own so that two nodes fit in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter(
            "aimem_calls",
            "Calls answered, by operation, surface and result code.",
            ["operation", "surface", "code"],
            registry=self.registry,
        )
        self.latency = Histogram(
            "aimem_call_seconds",
            "Time from the arrival of a call to its answer, by operation.",
            ["operation"],
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.ops = Counter("aimem_ops_appended", "Ops appended to the log.", registry=self.registry)
        self.refused = Counter(
            "aimem_callers_refused",
            "Callers that were not let in, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.replayed = Counter(
            "aimem_writes_replayed",
            "Writes answered from a request key that had been seen.",
            registry=self.registry,
        )
        self.touched = Counter(
            "aimem_touches_flushed",
            "Recalled memories whose use was logged.",
            registry=self.registry,
        )
        self.webhooks = Counter(
            "aimem_webhook_deliveries",
            "Attempts to deliver an event, by what came of them: taken, failed, given_up.",
            ["result"],
            registry=self.registry,
        )
        self.vectors_embedded = Counter(
            "aimem_vectors_embedded", "Vectors made by this node's model.", registry=self.registry
        )
        self.vectors_adopted = Counter(
            "aimem_vectors_adopted", "Vectors made by other members.", registry=self.registry
        )
        self.vectors_refused = Counter(
            "aimem_vectors_refused",
            "Answers of other members that held no proper vectors.",
            registry=self.registry,
        )
        self.vector_failures = Counter(
            "aimem_vector_failures",
            "Times that a text could not be embedded, or that the model gave nothing at all.",
            registry=self.registry,
        )

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Add a gauge whose value is read when the metrics are asked for."""
        Gauge(name, text, registry=self.registry).set_function(read)

    def text(self) -> bytes:
        """All metrics in the Prometheus text format, version 0.0.4."""
        return generate_latest(self.registry)
