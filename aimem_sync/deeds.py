"""One deed that came twice, and only one of them was seen.

A client that was left in doubt sends its request again, perhaps to another member, and each of the
two may have written an op: twins, of which nobody saw the other. Whoever then overwrote the one has
had the deed before his eyes. The other, when it arrives at last, is no news, and not a concurrent
word either: an edit would be hidden behind what it had replaced, and what was deleted come back.

So every edit that speaks of life says which request made it, and which requests it has seen there,
each done by which op. Display passes over what an op says whose request a standing version has seen
done by another op. That is a function of the versions alone: nothing has to be remembered beside
them, and no order of arrival matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from aimem_sync.canon import Json
from aimem_sync.dot import Dot
from aimem_sync.state import Version

BY: Final = "by"
"""In a value of life: the name of the request that wrote it."""
SEEN: Final = "seen"
"""In a value of life: the requests whose doing its writer saw, newest first, each as its name and a
mark of the op that was seen."""
SEEN_MAX: Final = 8
"""So many are remembered. A retry is a matter of minutes; only a twin that so many later edits of
one record have overtaken is taken for a concurrent one again: that keeps too much and loses
nothing."""
NAME_CHARS: Final = 12
"""48 bits: of two edits of one record that know nothing of each other, one in 10^13 is mistaken."""
MARK_CHARS: Final = 6


def name_of(author: str, request_key: str, otherwise: str) -> str:
    """What a request is called in a value of life. One without a key can have no twin and has a
    name all the same, made of `otherwise`, so that it can be told who has seen it."""
    told = f"{author}\0{request_key}" if request_key else otherwise
    return sha256(told.encode()).hexdigest()[:NAME_CHARS]


def signed(life: Json, deed: str, heads: Sequence[Version]) -> Json:
    """`life` as the request `deed` writes it over `heads`, newest first."""
    if not isinstance(life, Mapping):
        return life
    told: dict[str, Any] = dict(plain(life))
    seen: dict[str, None] = {}
    for head in heads:
        if name := _by(head.value):
            seen[name + _mark(head.dot)] = None
        seen |= dict.fromkeys(_seen(head.value))
    kept = [one for one in seen if one[:NAME_CHARS] != deed]
    if deed:
        told[BY] = deed
    if kept:
        told[SEEN] = kept[:SEEN_MAX]
    return told


def plain(life: Mapping[str, Json]) -> Mapping[str, Json]:
    """A value of life without what is said here."""
    if BY not in life and SEEN not in life:
        return life
    return {name: value for name, value in life.items() if name not in (BY, SEEN)}


def twins(heads: Sequence[Version]) -> frozenset[Dot]:
    """Of the versions of life that stand, those whose request another one has seen done by another
    op. Never all of them: two that each know the other's twin both stand."""
    if len(heads) < 2:
        return frozenset()
    found = frozenset(
        head.dot for head in heads if any(_has_seen_twin(one.value, head) for one in heads)
    )
    return found if len(found) < len(heads) else frozenset()


def _has_seen_twin(one: Json, late: Version) -> bool:
    """Whether `one` was written over a twin of `late` by somebody who had also seen what `late`
    itself was written over, as far as the list reaches: what that had overwritten goes with it.

    Whoever has seen `late` itself, and what tells so has not arrived yet, has seen no twin: what
    they left standing of it stands.
    """
    name, seen = _by(late.value), _seen(one)
    names = [told[:NAME_CHARS] for told in seen]
    if not name or name not in names or name + _mark(late.dot) in seen:
        return False
    reach = SEEN_MAX - names.index(name) - 1
    before = [told[:NAME_CHARS] for told in _seen(late.value)[:reach]]
    return {_by(one), *names}.issuperset(before)


def _mark(dot: Dot) -> str:
    return sha256(str(dot).encode()).hexdigest()[:MARK_CHARS]


def _by(life: Json) -> str:
    name = life.get(BY) if isinstance(life, Mapping) else None
    return name if isinstance(name, str) else ""


def _seen(life: Json) -> list[str]:
    told = life.get(SEEN) if isinstance(life, Mapping) else None
    return [one for one in told if isinstance(one, str)] if isinstance(told, list) else []
