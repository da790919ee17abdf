"""What the cluster looks like from here, for dashboards.

Read from the core at the moment of the scrape. What has a beginning and an end (a write that is
pending, a member that comes back) is watched at every tick instead, since a scrape would miss it.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from aimem_sync.dot import Origin

if TYPE_CHECKING:
    from aimem_node.replica.plane import Plane

PENDING_WATCHED_MAX: Final = 100_000
HEAL_BUCKETS_S: Final = (0.25, 0.5, 1, 2, 5, 10, 30, 60, 300)


@dataclass(slots=True)
class Watch:
    """What is in progress between two ticks."""

    pending: deque[tuple[int, int]] = field(default_factory=deque)
    "(sequence, monotonic microseconds) of own ops that are not known to be committed."
    back_us: dict[str, int] = field(default_factory=dict)
    "Since when a member that was away is in reach again, until it is in sync."
    away: set[str] = field(default_factory=set)
    heals_s: list[float] = field(default_factory=list)
    "Heal times since the last scrape; few, and taken by it."

    def wrote(self, seq: int, now_us: int) -> None:
        """An op is in the own log."""
        if len(self.pending) < PENDING_WATCHED_MAX:
            self.pending.append((seq, now_us))

    def look(self, plane: "Plane", now_us: int) -> None:
        """Strike out what has come to its end."""
        committed = plane.committed.get(plane.origin, 0)
        while self.pending and self.pending[0][0] <= committed:
            self.pending.popleft()
        for node_id, link in plane.core.links.items():
            if not link.in_reach(now_us):
                self.away.add(node_id)
                self.back_us.pop(node_id, None)
            elif node_id in self.away:
                self.away.discard(node_id)
                self.back_us[node_id] = now_us
            if node_id in self.back_us and node_id in plane.in_sync:
                self.heals_s.append((now_us - self.back_us.pop(node_id)) / 1e6)

    def oldest_ms(self, now_us: int) -> int:
        """How long the oldest pending write has been so."""
        return (now_us - self.pending[0][1]) // 1_000 if self.pending else 0


class ClusterGauges:
    """A Prometheus collector over one plane."""

    def __init__(self, plane: "Plane", registry: CollectorRegistry) -> None:
        self._plane = plane
        self._heals = Histogram(
            "aimem_heal_seconds",
            "Time from a member's return to its being in sync again.",
            buckets=HEAL_BUCKETS_S,
            registry=None,
        )
        registry.register(self)
        registry.register(self._heals)  # after what fills it, or a scrape would show the last one's

    def collect(self) -> Iterator[Any]:
        """All families, as they are now."""
        plane = self._plane
        core, now_us = plane.core, plane.clock.monotonic_us()
        names = {member.node_id: member.name for member in plane.config.members}
        while plane.watch.heals_s:
            self._heals.observe(plane.watch.heals_s.pop())
        yield _one("aimem_epoch", "Which list of members is in force.", core.config.epoch)
        yield _one("aimem_voters", "Members that count toward W.", len(core.config.voters))
        yield _one(
            "aimem_in_sync", "Voters that can confirm a write now.",
            len(plane.in_sync & core.config.voters),
        )  # fmt: skip
        pending = plane.pending_writes()
        yield _one("aimem_writes_pending", "Own ops not known to be committed.", pending)
        yield _one(
            "aimem_writes_pending_oldest_seconds", "Age of the oldest of them.",
            plane.watch.oldest_ms(now_us) / 1e3 if pending else 0,
        )  # fmt: skip
        yield _one("aimem_fenced", "1 when the node may not write.", bool(core.fenced))
        yield _one("aimem_logs_forked", "Logs of two histories.", len(core.intake.forked))
        yield from self._lags(names, now_us)
        yield _counts(
            "aimem_write_outcomes", "Writes answered, by outcome.", "outcome",
            plane.tallies.outcomes,
        )  # fmt: skip
        yield _counts(
            "aimem_peers_refused", "Peers that were not let in or not believed, by reason.",
            "reason", plane.tallies.refused,
        )  # fmt: skip
        notes: Mapping[str, int] = plane.tallies.notes
        yield _counts("aimem_replica_notes", "Rare events of replication.", "what", notes)
        diverged = CounterMetricFamily(
            "aimem_divergence", "Times that another member had the same logs and another state."
        )
        diverged.add_metric([], notes.get("divergence", 0))
        yield diverged

    def _lags(self, names: Mapping[str, str], now_us: int) -> Iterator[Any]:
        plane = self._plane
        lag = GaugeMetricFamily(
            "aimem_peer_lag_ops", "Ops that a member has not confirmed, by log.",
            labels=["peer", "origin"],
        )  # fmt: skip
        reach = GaugeMetricFamily(
            "aimem_peer_in_reach", "1 when a member was heard of lately.", labels=["peer"]
        )
        rtt = GaugeMetricFamily(
            "aimem_peer_ack_seconds", "How long a member's last ack took.", labels=["peer"]
        )
        offset = GaugeMetricFamily(
            "aimem_peer_clock_offset_seconds", "A member's clock minus this one's.",
            labels=["peer"],
        )  # fmt: skip
        have = plane.core.intake.have()
        for node_id, link in plane.core.links.items():
            name = names.get(node_id) or node_id[:8]
            reach.add_metric([name], link.in_reach(now_us))
            if link.ack_us is not None:
                rtt.add_metric([name], link.ack_us / 1e6)
            if link.offset_us is not None:
                offset.add_metric([name], link.offset_us / 1e6)
            for origin, seq in have:
                behind = max(0, seq - link.held.get(origin, 0))
                lag.add_metric([name, _short(origin)], behind)
        yield from (lag, reach, rtt, offset)


def _short(origin: Origin) -> str:
    return f"{origin.node_id[:8]}.{origin.incarnation[:4]}"


def _one(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))


def _counts(name: str, text: str, label: str, counts: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for what, count in sorted(counts.items()):
        family.add_metric([what], count)
    return family
