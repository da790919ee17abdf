"""Decide whom to ask for what is missing, and what to answer who asks.

Any member may be asked for any log, so a dead origin's ops still spread. Live ops arrive by
themselves; a lag is looked into only once it has lasted a moment, or everything that is on its
way by push would be fetched a second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aimem_sync.cursor import Cursor, Range
from aimem_sync.dot import Origin
from aimem_sync.effects import Effect, Note, Send, SendPage
from aimem_sync.links import BATCH_OPS_MAX, LAG_OPS_MAX, Link
from aimem_sync.messages import Pull, SnapshotRequired, SnapshotWanted

GRACE_US: Final = 300_000
"""How long a small lag may last before it is looked into: a push and its fsync, with room."""

PULL_PATIENCE_US: Final = 2_000_000
"""How long one member is waited for before another one is asked."""

SNAPSHOT_PATIENCE_US: Final = 30_000_000
"""The same for a snapshot. Long, since a broken connection ends the wait by itself."""

REFUSED_PAUSE_US: Final = 3_000_000
"""Before a member is asked again whose snapshot would have lost ops here."""

NOT_KEPT_PAUSE_US: Final = 500_000
"""Before anything is asked for again after the disk here did not take what had been asked for."""

SNAPSHOT_TRIES: Final = 3
"""So many snapshots that came to nothing, and a long lag is pulled after all."""

PULL_INSTEAD_US: Final = 60_000_000
"""For so long; then a snapshot is thought of again."""


@dataclass(slots=True)
class Asked:
    """One question to one member that waits for its answer."""

    pull_id: int
    origins: frozenset[Origin]
    since_us: int
    patience_us: int


@dataclass(slots=True)
class Lag:
    """One log that ends earlier here than elsewhere."""

    staged_seq: int
    since_us: int


@dataclass(slots=True)
class Catchup:
    """Questions asked, at most one to each member and one about each log."""

    asked: dict[str, Asked] = field(default_factory=dict)
    lags: dict[Origin, Lag] = field(default_factory=dict)
    attempts: dict[Origin, int] = field(default_factory=dict)
    paused_until_us: dict[str, int] = field(default_factory=dict)
    refused_until_us: dict[str, int] = field(default_factory=dict)
    "Members whose snapshots would lose ops here, until it is worth another try."
    installing: bool = False
    "A snapshot is being put in place: until it is, every cursor here is about to change."
    last_pull_id: int = 0
    snapshot_lag_ops: int = 0
    "A lag of more than this over all logs asks for a snapshot; 0: only where nothing else will."
    snapshot_failures: int = 0
    pull_until_us: int = 0
    "Until then no snapshot is asked for that could be done without."
    resting_until_us: int = 0

    def decide(
        self, now_us: int, own: Origin, staged: Cursor, links: Iterable[Link], skip: set[Origin]
    ) -> list[Effect]:
        """The questions to ask now. Call often: it asks nothing twice."""
        near = [link for link in links if link.in_reach(now_us)]
        self._give_up(now_us)
        if self.installing or now_us < self.resting_until_us:
            return []
        rather = self._rather_a_snapshot(now_us, own, staged, near, skip)
        if rather:
            return rather
        taken = {origin for asked in self.asked.values() for origin in asked.origins}
        by_peer: dict[str, list[Origin]] = {}
        for origin in self._lagging(now_us, staged, near):
            if origin == own or origin in skip or origin in taken:
                continue
            peer = self._whom(now_us, origin, staged.get(origin), near)
            if peer is not None:
                by_peer.setdefault(peer, []).append(origin)
        return [self._pull(now_us, peer, found, staged) for peer, found in by_peer.items()]

    def _rather_a_snapshot(
        self, now_us: int, own: Origin, staged: Cursor, near: Iterable[Link], skip: set[Origin]
    ) -> list[Effect]:
        """Far behind, thousands of pages cost more than one file: ask who can give the most."""
        if not self.snapshot_lag_ops or now_us < self.pull_until_us or self._loading():
            return []
        best, most, lacking = "", self.snapshot_lag_ops, frozenset[Origin]()
        for link in near:
            gaps = {
                origin: seq - staged.get(origin)
                for origin, seq in link.held.items()
                if seq > staged.get(origin) and origin != own and origin not in skip
            }
            idle = now_us >= max(
                self.paused_until_us.get(link.node_id, 0),
                self.refused_until_us.get(link.node_id, 0),
            )
            if idle and sum(gaps.values()) > most:
                best, most, lacking = link.node_id, sum(gaps.values()), frozenset(gaps)
        if not best:
            return []
        return [Note("far behind", best), *self.want_snapshot(now_us, best, lacking)]

    def _loading(self) -> bool:
        """Whether a snapshot is on its way."""
        return any(asked.patience_us > PULL_PATIENCE_US for asked in self.asked.values())

    def hurry(self, origins: Iterable[Origin]) -> None:
        """Somebody waits for these logs: look into them without the moment of grace."""
        for origin in origins:
            self.lags[origin] = Lag(-1, -GRACE_US)

    def answered(self, peer: str, pull_id: int) -> frozenset[Origin] | None:
        """The logs that this answer is about; None if nobody asked, or no longer."""
        asked = self.asked.get(peer)
        if asked is None or asked.pull_id != pull_id:
            return None
        del self.asked[peer]
        return asked.origins

    def want_snapshot(self, now_us: int, peer: str, origins: frozenset[Origin]) -> list[Effect]:
        """The log of this member no longer reaches back far enough: ask for its state instead."""
        if self.installing or self._loading() or now_us < self.refused_until_us.get(peer, 0):
            self.paused_until_us[peer] = now_us + GRACE_US
            return []
        pull_id = self._new_id()
        self.asked[peer] = Asked(pull_id, origins, now_us, SNAPSHOT_PATIENCE_US)
        return [Send(peer, SnapshotWanted(pull_id))]

    def installed(self, now_us: int, peer: str, refused: Iterable[Origin]) -> None:
        """The snapshot of this member is in place, or was refused because of these logs."""
        self.installing = False
        if not refused:
            self.snapshot_failures = 0
            return
        self._snapshot_failed(now_us)
        self.refused_until_us[peer] = now_us + REFUSED_PAUSE_US
        for origin in refused:
            self.attempts[origin] = self.attempts.get(origin, 0) + 1

    def fruitless(self, now_us: int, peer: str, origins: Iterable[Origin]) -> None:
        """This member has the logs and did not give anything of them: the next one, and later."""
        self.paused_until_us[peer] = now_us + GRACE_US
        for origin in origins:
            self.attempts[origin] = self.attempts.get(origin, 0) + 1

    def rest(self, now_us: int) -> None:
        """The disk here does not take what is fetched: fetch nothing for a while."""
        self.resting_until_us = now_us + NOT_KEPT_PAUSE_US

    def _snapshot_failed(self, now_us: int) -> None:
        self.snapshot_failures += 1
        if self.snapshot_failures >= SNAPSHOT_TRIES:
            self.snapshot_failures = 0
            self.pull_until_us = now_us + PULL_INSTEAD_US

    def progressed(self, now_us: int, peer: str) -> None:
        """A snapshot is on its way from this member: wait for the rest of it as long again."""
        asked = self.asked.get(peer)
        if asked is not None and asked.patience_us > PULL_PATIENCE_US:
            asked.since_us = now_us

    def forget(self, peer: str) -> None:
        """That node is no longer a member."""
        self.asked.pop(peer, None)
        self.paused_until_us.pop(peer, None)
        self.refused_until_us.pop(peer, None)

    def _lagging(self, now_us: int, staged: Cursor, near: Iterable[Link]) -> list[Origin]:
        found = []
        ends: dict[Origin, int] = {}
        for link in near:
            for origin, seq in link.held.items():
                if seq > max(staged.get(origin), ends.get(origin, 0)):
                    ends[origin] = seq
        for origin in sorted(ends):
            at = staged.get(origin)
            lag = self.lags.get(origin)
            if lag is None or -1 < lag.staged_seq < at:
                # New, or moving by itself.
                lag = self.lags[origin] = Lag(at, now_us)
            if now_us - lag.since_us >= GRACE_US or ends[origin] - at > LAG_OPS_MAX:
                found.append(origin)
        for origin in [o for o in self.lags if o not in ends]:
            del self.lags[origin]
        return found

    def _whom(self, now_us: int, origin: Origin, at: int, near: Iterable[Link]) -> str | None:
        able = [
            (link.node_id, link.floor.get(origin) <= at)
            for link in near
            if link.held.get(origin, 0) > at
            and link.node_id not in self.asked
            and now_us >= self.paused_until_us.get(link.node_id, 0)
        ]
        # A log that still reaches back is cheaper than a snapshot of everything.
        best = [node for node, reaches in able if reaches] or [node for node, _ in able]
        return best[self.attempts.get(origin, 0) % len(best)] if best else None

    def _pull(self, now_us: int, peer: str, origins: list[Origin], staged: Cursor) -> Effect:
        pull_id = self._new_id()
        self.asked[peer] = Asked(pull_id, frozenset(origins), now_us, PULL_PATIENCE_US)
        have = Cursor({origin: staged.get(origin) for origin in origins})
        return Send(peer, Pull(pull_id, tuple(origins), have, BATCH_OPS_MAX))

    def disconnected(self, now_us: int, peer: str) -> None:
        """The connection broke: ask somebody else, and this one again a little later."""
        asked = self.asked.pop(peer, None)
        if asked is not None:
            self.fruitless(now_us, peer, asked.origins)
            if asked.patience_us > PULL_PATIENCE_US:
                self._snapshot_failed(now_us)

    def _give_up(self, now_us: int) -> None:
        for peer, asked in list(self.asked.items()):
            if now_us - asked.since_us >= asked.patience_us:
                self.disconnected(now_us, peer)

    def _new_id(self) -> int:
        self.last_pull_id += 1
        return self.last_pull_id


def serve(to: str, pull: Pull, have: Cursor, floor: Cursor) -> Effect:
    """The answer to a pull: a page, empty if nothing is to be had, or that a snapshot is due."""
    ranges: list[Range] = []
    room = min(pull.ops_max, BATCH_OPS_MAX)
    for origin in pull.origins:
        first, last = pull.have.get(origin) + 1, have.get(origin)
        if first > last:
            continue
        if first <= floor.get(origin):
            return Send(to, SnapshotRequired(pull.pull_id, floor))
        last = min(last, first + room - 1)
        if last >= first:
            ranges.append(Range(origin, first, last))
            room -= last - first + 1
    return SendPage(to, pull.pull_id, tuple(ranges))


def adverts_of(me: str, have: Cursor, links: Mapping[str, Link]) -> dict[str, Cursor]:
    """What each member has, in its present incarnation, as far as it has been heard of."""
    heard = {n: Cursor(dict(link.held)) for n, link in links.items() if link.heard_us is not None}
    return {**heard, me: have}
