"""What is known of one other member: how far its disk is, and whether it is within reach.

All of it is hearsay bound to one incarnation of that member. When the member comes back under
another one, from a backup say, everything it ever acknowledged is void and counting starts anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aimem_sync.cursor import Cursor, Range
from aimem_sync.dot import Origin
from aimem_sync.log import Head
from aimem_sync.messages import AppendAck, Beat, Status

BEAT_US: Final = 500_000
"""Between two beats to a member."""

REACH_US: Final = 1_200_000
"""Who was not heard of for this long is out of reach: two beats and some jitter."""

LAG_OPS_MAX: Final = 256
"""Who lacks more of this node's log than one batch does not confirm a write in time."""

BATCH_OPS_MAX: Final = 256
"""Ops of one Append or Page: at 4 KiB an op this is the 1 MiB that a batch may have."""

RESEND_US: Final = 1_000_000
"""An Append without an answer for this long is taken for lost. Above any healthy fsync."""

REFUSED_PAUSE_US: Final = 500_000
"""Before a member that took nothing (full disk, newer epoch) is sent anything again. Without it
each refusal would bring forth the next Append at the speed of the network."""

GAP_PAUSE_US: Final = 50_000
"""The same where the member only wants another place to go on from."""


@dataclass(slots=True)
class Link:
    """One other member, as this node sees it."""

    node_id: str
    incarnation: str = ""
    "Of the process and disk behind all the rest; empty until it has been heard of."
    held: dict[Origin, int] = field(default_factory=dict)
    "Per origin: on that member's disk up to here, as it has said itself."
    floor: Cursor = field(default_factory=Cursor)
    epoch: int = 0
    heard_us: int | None = None
    beaten_us: int | None = None
    "When it was last sent a beat."
    told_us: int | None = None
    "When it was last sent the configs that it lacks."
    awaited: int = 0
    "Last sequence of the one Append that waits for its answer; 0 if none does."
    awaited_since_us: int = 0
    paused_until_us: int = 0
    former: set[str] = field(default_factory=set)
    "Incarnations it has left behind; what still arrives from them is void."

    def in_reach(self, now_us: int) -> bool:
        """Whether it was heard of lately."""
        return self.heard_us is not None and now_us - self.heard_us <= REACH_US

    def in_sync(self, now_us: int, own: Origin, own_seq: int) -> bool:
        """Whether it can be expected to confirm a write in time."""
        lag = own_seq - self.held.get(own, 0)
        return self.in_reach(now_us) and lag <= LAG_OPS_MAX and now_us >= self.paused_until_us

    def take_beat(self, now_us: int, beat: Beat) -> bool:
        """Take in how it stands. False if an earlier incarnation is speaking."""
        if not self._is_now(beat.incarnation):
            return False
        self._hold({origin: head.seq for origin, head in beat.heads.items()})
        self.floor = self.floor.merge(beat.floor)
        self.epoch = max(self.epoch, beat.epoch)
        self.heard_us = now_us
        return True

    def take_ack(self, now_us: int, ack: AppendAck) -> bool:
        """Take in an answer. False if an earlier incarnation is speaking."""
        if not self.incarnation or not self._may_count(ack.incarnation):
            return False
        self._hold({ack.origin: ack.durable_seq})
        self.heard_us = now_us
        if ack.answered == self.awaited:
            self.awaited = 0
        if ack.status is Status.GAP:
            self.paused_until_us = now_us + GAP_PAUSE_US
        elif ack.status is not Status.OK:
            self.paused_until_us = now_us + REFUSED_PAUSE_US
        return True

    def next_append(self, now_us: int, own: Origin, own_seq: int, floor_seq: int) -> Range | None:
        """What of the own log to send it now, if anything. Marks it as sent.

        Never a second batch before the first is answered: each answer to a duplicate would
        otherwise bring forth another one.
        """
        held = self.held.get(own, 0)
        if held >= own_seq or held < floor_seq or not self.in_reach(now_us):
            return None
        if now_us < self.paused_until_us or self._is_waiting(now_us):
            return None
        last = min(own_seq, held + BATCH_OPS_MAX)
        self.awaited, self.awaited_since_us = last, now_us
        return Range(own, held + 1, last)

    def _is_waiting(self, now_us: int) -> bool:
        return self.awaited > 0 and now_us - self.awaited_since_us < RESEND_US

    def _is_now(self, incarnation: str) -> bool:
        """Whether this is the incarnation that counts; a new one takes the place of the old."""
        if incarnation in self.former:
            return False
        if incarnation != self.incarnation:
            if self.incarnation:
                self.former.add(self.incarnation)
            self._renew(incarnation)
        return True

    def _may_count(self, incarnation: str) -> bool:
        return incarnation == self.incarnation

    def _renew(self, incarnation: str) -> None:
        self.incarnation = incarnation
        self.held = {}
        self.floor = Cursor()
        self.heard_us = None
        self.awaited = self.paused_until_us = 0

    def _hold(self, seqs: Mapping[Origin, int]) -> None:
        # Messages overtake one another, but a disk does not forget within one incarnation.
        for origin, seq in seqs.items():
            if seq > self.held.get(origin, 0):
                self.held[origin] = seq


def beat_of(
    incarnation: str, epoch: int, heads: Mapping[Origin, Head], floor: Cursor, wall_us: int
) -> Beat:
    """A beat that says how this node stands now; later changes of `heads` do not reach it."""
    return Beat(incarnation, epoch, dict(heads), floor, wall_us)
