"""What a run of kills proves, judged from what was written down during it.

Pure: evidence in, checks out, so that each check can be shown a bad history and be seen to fail.
A run that proved nothing is a failed run: kills that struck an idle node, or a node that
acknowledged nothing, would let any bug through.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from chaos.checker.check import Check


@dataclass(frozen=True, slots=True)
class Wish:
    """One memory that a client wants stored."""

    title: str
    content: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the node answered to a store."""

    record_id: str
    write_ids: tuple[str, ...]
    replayed: bool
    """The node says that it had seen the request key before."""


@dataclass(frozen=True, slots=True)
class Found:
    """One memory that was there at the end, and how many ops its history has."""

    record_id: str
    title: str
    content: str
    ops: int


@dataclass(frozen=True, slots=True)
class Kill:
    """One SIGKILL."""

    in_flight: int
    """Stores that were sent and not answered at that moment."""
    acknowledged: int
    """Stores that had been answered by then."""
    restart_ms: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that was written down. Request keys name wishes, answers and replays."""

    wishes: Mapping[str, Wish]
    answers: Mapping[str, Answer]
    """The first answer to each key that reached its client."""
    replays: Mapping[str, Answer]
    """The answer to each key when it was sent once more at the end."""
    refused: Mapping[str, str]
    """Keys that the node refused for good, with its words."""
    found: tuple[Found, ...]
    kills: tuple[Kill, ...]
    there_after_replays: int
    """Memories that were there once every acknowledged store had been sent once more."""
    problems: tuple[str, ...]
    """What the node's own deep verification had to say."""


def judge(seen: Evidence) -> tuple[Check, ...]:
    """Every check, in the order in which a reader wants them."""
    return (
        Check("every store was answered in the end", len(seen.wishes), _unanswered(seen)),
        Check("every acknowledged memory is there", len(seen.answers), _missing(seen)),
        Check("no memory is there twice", len(seen.found), _doubled(seen)),
        Check("each memory was written by one op", len(seen.found), _rewritten(seen)),
        Check("nothing is there that nobody stored", len(seen.found), _unasked(seen)),
        Check("a retry gets the first answer", len(seen.replays), _contradicted(seen)),
        Check("log, fold and indexes verify", 1, seen.problems),
        Check("each kill struck stores in flight", len(seen.kills), _idle(seen)),
    )


def _unanswered(seen: Evidence) -> tuple[str, ...]:
    refused = [f"{key}: {words}" for key, words in seen.refused.items()]
    silent = [key for key in seen.wishes if key not in seen.answers and key not in seen.refused]
    return (*refused, *silent)


def _missing(seen: Evidence) -> tuple[str, ...]:
    there = {one.record_id: Wish(one.title, one.content) for one in seen.found}
    return tuple(
        f"{key} was acknowledged as {answer.record_id}"
        for key, answer in seen.answers.items()
        if there.get(answer.record_id) != seen.wishes[key]
    )


def _doubled(seen: Evidence) -> tuple[str, ...]:
    ids = Counter(one.record_id for one in seen.found)
    titles = Counter(one.title for one in seen.found)
    return tuple(f"{name} is there {n} times" for name, n in (ids + titles).items() if n > 1)


def _rewritten(seen: Evidence) -> tuple[str, ...]:
    return tuple(f"{one.record_id} has {one.ops} ops" for one in seen.found if one.ops != 1)


def _unasked(seen: Evidence) -> tuple[str, ...]:
    asked = set(seen.wishes.values())
    return tuple(
        f"{one.record_id} {one.title!r}"
        for one in seen.found
        if Wish(one.title, one.content) not in asked
    )


def _contradicted(seen: Evidence) -> tuple[str, ...]:
    broken = []
    for key, again in seen.replays.items():
        first = seen.answers[key]
        if (again.record_id, again.write_ids) != (first.record_id, first.write_ids):
            broken.append(f"{key}: first {_named(first)}, then {_named(again)}")
        elif not again.replayed:
            broken.append(f"{key}: done once more")
    if seen.there_after_replays != len(seen.found):
        broken.append(f"{len(seen.found)} memories before, {seen.there_after_replays} after it")
    return tuple(broken)


def _named(answer: Answer) -> str:
    return f"{answer.record_id} by {', '.join(answer.write_ids) or 'no op'}"


def _idle(seen: Evidence) -> tuple[str, ...]:
    return tuple(
        f"kill {number} found {kill.in_flight} stores in flight, {kill.acknowledged} acknowledged"
        for number, kill in enumerate(seen.kills, 1)
        if kill.in_flight == 0 or kill.acknowledged == 0
    )
