"""What is known of one other member: how far its disk is, and whether it is within reach.

All of it is hearsay bound to one incarnation of that member. When the member comes back under
another one, from a backup say, everything it ever acknowledged is void and counting starts anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from aimem_sync.cursor import Cursor, Range
from aimem_sync.dot import Origin
from aimem_sync.log import Head
from aimem_sync.messages import AppendAck, Beat, Status

BEAT_US: Final = 500_000
"""Between two beats to a member."""

REACH_US: Final = 1_200_000
"""Who was not heard of for this long is out of reach: two beats and some jitter."""

AWAY_US: Final = 300_000
"""A node takes a step every tenth of a second. One that took none for this long was held up itself,
by a busy machine say, and its silence is not that of the others."""

EXCUSED_US_MAX: Final = 3_000_000
"""So much of one silence is excused at most: a node that is held up again and again would otherwise
never find out that a member is gone."""

LAG_OPS_MAX: Final = 256
"""Who lacks more of this node's log than one batch does not confirm a write in time."""

PUSH_OPS_MAX: Final = 8_192
"""Who lacks more than this of the log is not sent it unasked: it pulls, or fetches a snapshot, and
both at once would carry everything twice. More than the largest single request writes."""

BATCH_OPS_MAX: Final = 256
"""Ops of one Append or Page: at 4 KiB an op this is the 1 MiB that a batch may have."""

RESEND_US: Final = 1_000_000
"""An Append without an answer for this long is taken for lost. Above any healthy fsync."""

REFUSED_PAUSE_US: Final = 500_000
"""Before a member that took nothing (full disk, newer epoch) is sent anything again. Without it
each refusal would bring forth the next Append at the speed of the network."""

GAP_PAUSE_US: Final = 50_000
"""The same where the member only wants another place to go on from."""

RTTS_KEPT: Final = 64
"""Of the last answers in time: what is usual on this link. A minute of a quiet team."""

RTTS_LEAST: Final = 8
"""Fewer say nothing about what is usual."""

SLOW_FACTOR: Final = 3
"""Who takes this many times as long as it nearly ever does is in trouble, though alive."""

SLOW_US_MIN: Final = 100_000
"""No answer within this is called slow: on a fast network a single fsync is 20 times the usual."""

SLOW_PAUSE_US: Final = 1_000_000
"""For so long a slow member is not counted on. Then it is given another chance: where its
confirmation is needed for every write, no Append would ever find out that it is well again."""

SLOW_ANSWERS_MAX: Final = 16
"""So many slow answers in a row are what is usual from now on."""

RTT_OPS_MAX: Final = 32
"""Larger Appends are catch-up; how long those take says nothing about a single write."""


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
    excused_us: int = 0
    "How much later than it was that is, because this node was held up since."
    beaten_us: int | None = None
    "When it was last sent a beat."
    told_us: int | None = None
    "When it was last sent the configs that it lacks."
    awaited: int = 0
    "Last sequence of the one Append that waits for its answer; 0 if none does."
    awaited_since_us: int = 0
    paused_until_us: int = 0
    refusal: Status = Status.OK
    "What its last answer was."
    refused_seq: int = 0
    "Last sequence of this node's log that it would not take in; 0 if it has taken in any since."
    ack_us: int | None = None
    "How long its last answer to an Append took."
    rtts_us: deque[int] = field(default_factory=lambda: deque(maxlen=RTTS_KEPT))
    "How long its last answers in time took, the oldest first."
    slow_rtts_us: list[int] = field(default_factory=list)
    "Those that were too slow, since the last one in time."
    slow_until_us: int = 0
    awaited_first: int = 0
    "First sequence of that Append. It may have ended earlier than was asked for."
    their_wall_us: int = 0
    "What its clock said in its last beat, and when that was heard here."
    their_wall_at_us: int = 0
    told_walls_us: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=8))
    "(wall_us, now_us) of the last beats sent to it."
    offset_us: int | None = None
    "Its clock minus this node's, as the last beat there and back showed it."

    def in_reach(self, now_us: int) -> bool:
        """Whether it was heard of lately."""
        return self.heard_us is not None and now_us - self.heard_us <= REACH_US

    def excuse(self, away_us: int) -> None:
        """This node was held up for so long: that the member was not heard of meanwhile, and that
        its answer was not taken in, says nothing about the member."""
        self.awaited_since_us += away_us
        if self.heard_us is not None:
            excused_us = min(away_us, EXCUSED_US_MAX - self.excused_us)
            self.excused_us += excused_us
            self.heard_us += excused_us

    def _heard(self, now_us: int) -> None:
        self.heard_us, self.excused_us = now_us, 0

    def in_sync(self, now_us: int, own: Origin, own_seq: int) -> bool:
        """Whether it can be expected to confirm a write in time."""
        lag = own_seq - self.held.get(own, 0)
        near = self.in_reach(now_us) and lag <= LAG_OPS_MAX and not self.is_refusing(own)
        return near and now_us >= self.paused_until_us and not self.is_slow(now_us)

    def is_refusing(self, own: Origin) -> bool:
        """Whether it would not take in what it was sent last, and has taken in nothing since.

        It lacks what it refused, so that is sent again after each pause, and it is not counted on
        before an answer shows that it is well.
        """
        return self.held.get(own, 0) < self.refused_seq

    def is_slow(self, now_us: int) -> bool:
        """Whether it is alive and takes far longer than is usual (a gray failure)."""
        return now_us < self.slow_until_us

    def slow_us(self) -> int | None:
        """From when on an answer is slow; None while nothing is known of what is usual."""
        if len(self.rtts_us) < RTTS_LEAST:
            return None
        usual = sorted(self.rtts_us)
        return max(SLOW_US_MIN, SLOW_FACTOR * usual[(len(usual) * 99 - 1) // 100])

    def take_beat(self, now_us: int, beat: Beat) -> bool:
        """Take in how it stands. False if it is in doubt which incarnation is the present one."""
        if not self._is_now(beat):
            return False
        self._hold({origin: head.seq for origin, head in beat.heads.items()})
        self.floor = self.floor.merge(beat.floor)
        self.epoch = max(self.epoch, beat.epoch)
        self._heard(now_us)
        return True

    def sent_own(self, origin: Origin, seq: int) -> None:
        """It has sent ops of its own log, which it never does before they are on its disk."""
        if origin.incarnation == self.incarnation:
            self._hold({origin: seq})

    def take_ack(self, now_us: int, ack: AppendAck) -> bool:
        """Take in an answer. False if an earlier incarnation is speaking."""
        if not self.incarnation or not self._may_count(ack.incarnation):
            return False
        before = self.held.get(ack.origin, 0)
        self._hold({ack.origin: ack.durable_seq})
        self._heard(now_us)
        self.refusal = ack.status
        if ack.status not in (Status.OK, Status.GAP):
            self.refused_seq = max(self.refused_seq, ack.answered)
        elif self.held.get(ack.origin, 0) > before:
            self.refused_seq = 0
        if self.awaited and self.awaited_first <= ack.answered <= self.awaited:
            self.awaited = 0
            self.ack_us = now_us - self.awaited_since_us
            if ack.status is Status.OK and ack.answered - self.awaited_first < RTT_OPS_MAX:
                self._answered_in(now_us, self.ack_us)
        if ack.status is Status.GAP:
            self.paused_until_us = now_us + GAP_PAUSE_US
        elif ack.status is not Status.OK:
            self.paused_until_us = now_us + REFUSED_PAUSE_US
        return True

    def meet(self) -> None:
        """Another epoch rules: who refused because of the last one may take it in now."""
        self.paused_until_us = 0
        if self.refusal is Status.STALE_EPOCH:
            self.refused_seq = 0

    def next_append(self, now_us: int, own: Origin, own_seq: int, floor_seq: int) -> Range | None:
        """What of the own log to send it now at the most, if anything. Marks it as sent.

        Never a second batch before the first is answered: each answer to a duplicate would
        otherwise bring forth another one.
        """
        held = self.held.get(own, 0)
        if held >= own_seq or held < floor_seq or not self.in_reach(now_us):
            return None
        if own_seq - held > PUSH_OPS_MAX:
            return None
        if now_us < self.paused_until_us or self._is_waiting(now_us):
            return None
        if self.awaited > held and self.awaited - self.awaited_first < RTT_OPS_MAX:
            self._answered_in(now_us, now_us - self.awaited_since_us)  # not at all, so far
        last = min(own_seq, held + BATCH_OPS_MAX)
        self.awaited_first, self.awaited, self.awaited_since_us = held + 1, last, now_us
        return Range(own, held + 1, last)

    def _answered_in(self, now_us: int, rtt_us: int) -> None:
        slow_us = self.slow_us()
        if slow_us is None or rtt_us <= slow_us:
            self.rtts_us.append(rtt_us)
            self.slow_rtts_us.clear()
            self.slow_until_us = 0
            return
        self.slow_rtts_us.append(rtt_us)
        self.slow_until_us = now_us + SLOW_PAUSE_US
        if len(self.slow_rtts_us) >= SLOW_ANSWERS_MAX:
            self.rtts_us.clear()
            self.rtts_us.extend(self.slow_rtts_us)
            self.slow_rtts_us.clear()
            self.slow_until_us = 0

    def measure(self, now_us: int, wall_us: int, beat: Beat) -> None:
        """Compare clocks. `wall_us` is this node's; half of the way there and back is the way."""
        told = self.told_walls_us
        sent = next((at for wall, at in told if wall == beat.echo_wall_us != 0), None)
        if sent is not None:
            there_and_back = now_us - sent - beat.echo_age_us
            if 0 <= there_and_back <= REACH_US:
                self.offset_us = beat.wall_us + there_and_back // 2 - wall_us
        self.hear_clock(now_us, beat)

    def hear_clock(self, now_us: int, beat: Beat) -> None:
        """Note what its clock says: it will be told so, and knows then that it was heard."""
        self.their_wall_us, self.their_wall_at_us = beat.wall_us, now_us

    def beat_to(self, now_us: int, beat: Beat) -> Beat:
        """The beat as it goes to this member, with the echo of its last one. Marks it as sent."""
        self.beaten_us = now_us
        self.told_walls_us.append((beat.wall_us, now_us))
        if not self.their_wall_at_us:
            return beat
        age_us = now_us - self.their_wall_at_us
        return replace(beat, echo_wall_us=self.their_wall_us, echo_age_us=age_us)

    def _is_waiting(self, now_us: int) -> bool:
        return self.awaited > 0 and now_us - self.awaited_since_us < RESEND_US

    def _is_now(self, beat: Beat) -> bool:
        """Whether this is the incarnation that counts; a new one takes the place of the old.

        Beats overtake one another, and the last words of a dead incarnation may arrive after the
        first ones of the next. So whoever comes under another one must answer a beat that was
        sent since the last change. Until it does nothing is known of the member at all.
        """
        if beat.incarnation == self.incarnation:
            return True
        answers = any(wall == beat.echo_wall_us != 0 for wall, _ in self.told_walls_us)
        if self.incarnation and not answers:
            self._void()
            self.beaten_us = None  # with the next beat it can answer
            return False
        self._renew(beat.incarnation)
        return True

    def _may_count(self, incarnation: str) -> bool:
        return incarnation == self.incarnation

    def _renew(self, incarnation: str) -> None:
        self.incarnation = incarnation
        self.told_walls_us.clear()
        self._void()

    def _void(self) -> None:
        self.held = {}
        self.floor = Cursor()
        self.heard_us = None
        self.awaited = self.paused_until_us = self.slow_until_us = self.refused_seq = 0
        self.refusal = Status.OK
        self.rtts_us.clear()
        self.slow_rtts_us.clear()

    def _hold(self, seqs: Mapping[Origin, int]) -> None:
        # Messages overtake one another, but a disk does not forget within one incarnation.
        for origin, seq in seqs.items():
            if seq > self.held.get(origin, 0):
                self.held[origin] = seq


def beat_of(
    incarnation: str, epoch: int, heads: Mapping[Origin, Head], floor: Cursor, wall_us: int,
    root: bytes = b"",
) -> Beat:  # fmt: skip
    """A beat that says how this node stands now; later changes of `heads` do not reach it."""
    return Beat(incarnation, epoch, dict(heads), floor, wall_us, root=root)
