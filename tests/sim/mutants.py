"""The protocol, broken on purpose in one place at a time: each break must be caught.

A mutant replaces a function of the core, or of the store in memory, while it is active; nothing
in the core knows of it. `python -m tests.sim.mutants` prints how soon each is killed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from aimem_sync import (
    catchup,
    dataplane,
    decree,
    display,
    hearing,
    intake,
    links,
    quorum,
    reads,
    startup,
)
from tests.sim import broken, directed, directed_more, world
from tests.sim import disk as disks
from tests.sim.campaign import one
from tests.sim.oracles import Violation

Patch = tuple[Any, str, Any]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One break."""

    name: str
    patches: tuple[Patch, ...]
    seeds: int = 40
    "Within so many seeds it must be caught, unless a directed schedule does it."
    schedule: Callable[[], None] | None = None

    @contextmanager
    def active(self) -> Iterator[None]:
        with ExitStack() as stack:
            for target, name, broken in self.patches:
                stack.enter_context(patch.object(target, name, broken))
            disks.SAID.clear()
            yield
        disks.SAID.clear()


@dataclass(frozen=True, slots=True)
class Kill:
    """How a mutant fared."""

    runs: int
    kills: int
    first: str
    directed: str


def hunt(mutant: Mutant, *, first: int = 1, seeds: int | None = None, stop: bool = True) -> Kill:
    """Look for a mutant: its directed schedule first, then seeds until one catches it."""
    kills, runs, words, by_schedule = 0, 0, "", ""
    with mutant.active():
        if mutant.schedule is not None:
            by_schedule = caught(mutant.schedule)
            if by_schedule and stop:
                return Kill(0, 0, "", by_schedule)
        for seed in range(first, first + (mutant.seeds if seeds is None else seeds)):
            runs += 1
            run = one(seed, world.World)
            if run.violation:
                kills += 1
                words = words or f"seed {seed}: {run.violation}"
                if stop:
                    break
    return Kill(runs, kills, words, by_schedule)


def caught(schedule: Callable[[], None]) -> str:
    """What a directed schedule had to say against the code it ran on."""
    try:
        schedule()
    except Violation as found:
        return str(found) or "violation"
    except AssertionError as found:
        return str(found).splitlines()[0] if str(found) else "assertion"
    return ""


_UNCHECKED = (disks.Disk, "checks", False)

MUTANTS = (
    Mutant("ack before fsync", ((intake.Intake, "begin", broken.ack_before_fsync),)),
    Mutant("count self twice", ((quorum, "acks_in", broken.count_self_twice),)),
    Mutant(
        "duplicate acks counted",
        (
            (dataplane.DataPlane, "_acked", broken.acked_again),
            (dataplane.DataPlane, "holders", broken.holders_again),
            (quorum, "acks_in", broken.every_name_counts),
        ),
    ),
    Mutant("commit on timeout", ((quorum.Quorum, "_late", broken.late_is_committed),)),
    Mutant("fail on timeout", ((quorum.Quorum, "_late", broken.late_is_failed),)),
    Mutant(
        "accept gaps",
        ((intake.Intake, "_next", broken.gaps_welcome), _UNCHECKED),
        schedule=directed.an_append_that_leaves_a_gap_is_not_taken_in,
        seeds=400,
    ),
    Mutant("no duplicate check", ((intake.Intake, "_next", broken.duplicates_welcome), _UNCHECKED)),
    Mutant(
        "Lamport as cursor",
        (
            (world.World, "_do", broken.read_by_lamport),
            (intake.Intake, "_next", broken.gaps_welcome),
            _UNCHECKED,
        ),
    ),
    Mutant("truncate unstable log", ((dataplane, "truncation", broken.truncate_anything),)),
    Mutant("skip truncated range", ((hearing, "serve", broken.serve_from_floor),), seeds=400),
    Mutant("restart forgets Lamport", ((world.World, "start", broken.start_without_lamport),)),
    Mutant("Lamport not merged", ((disks.Image, "witness", broken.witness_own_only),)),
    Mutant("untag by value", ((disks.Image, "fold", broken.untag_by_value),)),
    Mutant(
        "GC tombstones at once",
        (
            (dataplane, "collectable", broken.collect_always),
            (disks.Disk, "_collect", broken.collect_at_once),
        ),
        seeds=200,
    ),
    Mutant(
        "snapshot without tombstones",
        ((disks.Disk, "snapshot", broken.bare_snapshot),),
        schedule=directed.a_snapshot_carries_what_it_knows_to_be_overwritten,
        seeds=400,
    ),
    Mutant(
        "snapshot drops own ops",
        ((disks, "plan", broken.plan_without_tail),),
        schedule=directed.a_snapshot_leaves_own_ops_in_place,
        seeds=400,
    ),
    Mutant(
        "snapshot may regress",
        ((disks, "plan", broken.plan_never_refused),),
        schedule=directed.a_snapshot_that_would_lose_ops_is_refused,
        seeds=400,
    ),
    Mutant(
        "restore reuses origin",
        ((world.World, "renew", broken.keep_the_origin),),
        seeds=200,
    ),
    Mutant("token ignored", ((dataplane, "judge", broken.serve_any_read),)),
    Mutant("idempotency ignored", ((disks.Disk, "known", broken.no_key_known),)),
    Mutant("push storm", ((links.Link, "next_append", broken.push_always),)),
    Mutant(
        "acks survive restore",
        (
            (links.Link, "_renew", broken.renew_but_remember),
            (links.Link, "_void", broken.void_nothing),
        ),
        schedule=directed.acks_die_with_the_incarnation_that_gave_them,
        seeds=400,
    ),
    Mutant(
        "accept from evicted",
        (
            (dataplane.DataPlane, "_sender", broken.listen_to_all),
            (dataplane.DataPlane, "_meet", broken.drop_no_link),
        ),
        schedule=directed.an_evicted_node_is_neither_heard_nor_answered,
        seeds=200,
    ),
    Mutant(
        "half the voters decide",
        (
            (decree.Council, "_majority", broken.half_is_enough),
            (decree.Council, "is_proven", broken.prove_nothing),
        ),
        schedule=directed.two_halves_decide_nothing,
        seeds=400,
    ),
    Mutant(
        "accepted config forgotten",
        ((decree.Council, "_choose", broken.own_wish_always),),
        schedule=directed.what_may_be_decided_stays_decided,
        seeds=400,
    ),
    Mutant(
        "promise not kept",
        ((decree.Council, "_accept", broken.promise_nothing),),
        schedule=directed.an_outbid_proposer_decides_nothing,
        seeds=400,
    ),
    Mutant(
        "stale epoch accepted",
        ((dataplane.DataPlane, "_append", broken.stale_is_fine),),
        schedule=directed.an_append_of_an_older_epoch_is_answered_with_the_newer,
        seeds=0,
    ),
    Mutant(
        "proof ignored",
        ((decree.Council, "is_proven", broken.prove_nothing),),
        schedule=directed_more.an_epoch_that_nobody_signed_is_not_believed,
        seeds=0,
    ),
    Mutant(
        "eligible ignored",
        ((quorum, "counted_in", broken.anybody_counts),),
        schedule=directed_more.who_may_not_hold_a_write_does_not_confirm_it,
        seeds=200,
    ),
    Mutant(
        "empty page loops",
        ((catchup.Catchup, "fruitless", broken.never_fruitless),),
        schedule=directed_more.pages_that_bring_nothing_are_not_asked_for_in_a_loop,
        seeds=200,
    ),
    Mutant(
        "no patience with a snapshot",
        ((catchup.Catchup, "progressed", broken.no_patience),),
        schedule=directed_more.a_snapshot_that_takes_long_is_waited_for_while_bytes_arrive,
        seeds=0,
    ),
    Mutant(
        "lost before the time is up",
        ((reads.Reads, "settle", broken.lost_at_once),),
        schedule=directed_more.what_seems_lost_is_called_so_only_when_the_time_is_up,
        seeds=0,
    ),
    Mutant(
        "divergence not noticed",
        ((dataplane.DataPlane, "_compare", broken.compare_nothing),),
        schedule=directed_more.states_that_differ_are_told_of,
        seeds=0,
    ),
    Mutant(
        "own fork counted as held",
        ((dataplane.DataPlane, "_own_log_ends", broken.forget_own_chains),),
        schedule=directed_more.a_forked_write_is_never_called_committed,
        seeds=0,
    ),
    Mutant(
        "writes before it was told",
        ((startup.Startup, "is_over", broken.over_at_once),),
        schedule=directed.an_old_image_writes_nothing_before_others_have_told_what_they_hold,
        seeds=200,
    ),
    Mutant(
        "waits from when it began and not from when it can hear",
        ((startup.Startup, "is_over", broken.over_long_after_the_start),),
        schedule=directed.an_old_image_waits_for_others_only_from_when_it_can_hear_them,
        seeds=0,
    ),
    Mutant(
        "any member's word is enough",
        ((startup.Startup, "is_over", broken.over_with_the_first),),
        schedule=directed.an_old_image_waits_also_for_who_is_late_to_tell,
        seeds=400,
    ),
    Mutant(
        "a request done twice is two deeds",
        ((display, "twins", broken.no_twins),),
        schedule=directed.what_was_taken_away_stays_away_when_its_creation_was_sent_twice,
        seeds=0,
    ),
    Mutant(
        "any incarnation believed",
        ((links.Link, "_is_now", broken.any_incarnation),),
        schedule=directed_more.last_words_of_a_dead_incarnation_count_for_nothing,
        seeds=400,
    ),
    Mutant(
        "replaced key still opens",
        ((dataplane.DataPlane, "_sender", broken.old_keys_too),),
        schedule=directed_more.a_key_that_was_replaced_opens_nothing,
        seeds=200,
    ),
    Mutant(
        "slow member counted on",
        ((links.Link, "is_slow", broken.never_slow),),
        schedule=directed_more.a_member_that_has_become_slow_is_not_counted_on_until_it_is_well,
        seeds=0,
    ),
    Mutant(
        "refusing member counted on",
        ((links.Link, "is_refusing", broken.never_refusing),),
        schedule=directed_more.who_refuses_is_not_counted_on_until_it_takes_something_in,
        seeds=0,
    ),
    Mutant(
        "short append stalls",
        ((links.Link, "take_ack", broken.whole_answers_only),),
        schedule=directed_more.appends_shorter_than_asked_for_follow_one_another_at_once,
        seeds=0,
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument(
        "--all-seeds", type=int, default=0, help="run so many seeds of each, and count all kills"
    )
    asked = parser.parse_args()
    survived = 0
    print(f"{'mutant':30} {'kills/runs':>12}  what caught it")
    for mutant in MUTANTS:
        if asked.only not in mutant.name:
            continue
        counted = asked.all_seeds or None
        kill = hunt(mutant, first=asked.first, seeds=counted, stop=not counted)
        dead = bool(kill.kills or kill.directed)
        survived += not dead
        how = kill.first or (f"directed: {kill.directed}" if kill.directed else "SURVIVED")
        print(f"{mutant.name:30} {f'{kill.kills}/{kill.runs}':>12}  {how[:110]}", flush=True)
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
