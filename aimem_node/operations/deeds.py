"""What a change does, in the words of the rules: where, to what effect, and whose it is.

It is told from the change and from what stands there, never from the operation's name alone: so it
makes no difference by which of many operations somebody raises a tier or moves a memory. A memory
whose end is moved nearer is on its way to be deleted. One that is moved counts in both places: it
is new where it comes to, and gone from where it was, unless the rules there hold for it still.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from aimem_node.contract.values import Scope, Tier
from aimem_node.operations.identity import owner_of, principal_of
from aimem_node.operations.lives import higher
from aimem_node.operations.policy import POLICY, ROOT, Effect
from aimem_node.store.rows import LinkRow, MemoryRow
from aimem_node.store.sight import lies_below
from aimem_node.store.view import View
from aimem_sync.change import Change
from aimem_sync.op import Kind

STANDARD: Final = "standard"
GOVERNING: Final = frozenset({POLICY, STANDARD, "copies"})
"""Kinds of records that say what holds in the namespace they are named for."""
PENDING: Final = "pending"
"""What waits is decided by those whom its own rules name, and by no others."""
UPKEEP: Final = frozenset({"tier", "expires_at", "updated_at", "accessed_at", "life"})
"""Registers that say nothing by themselves of what a memory tells."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One effect in one place."""

    effect: Effect
    namespace: str
    owner: Callable[[], str]
    "The principal whose it is; empty if nobody's."
    of_policy: bool = False


def deeds_of(view: View, change: Change, operation: str) -> Iterator[Deed]:
    """All that a change does. `operation`: as on the command line."""
    if change.type == PENDING:
        return
    if change.kind == Kind.PURGE:
        yield from _purge(view, change)
    elif change.type == "memory":
        yield from _memory(view, change, operation)
    elif change.type == "link":
        yield from _link(view, change, operation)
    else:
        yield from _other(view, change)


def _memory(view: View, change: Change, operation: str) -> Iterator[Deed]:
    row = view.memory(change.record_id)
    namespace = change.set.get("namespace")
    if row is None:
        there = namespace if isinstance(namespace, str) else ""
        effects = {Effect.PROMOTE if operation == "promote" else Effect.WRITE}
        if change.set.get("scope", Scope.PRIVATE.value) != Scope.PRIVATE.value:
            effects.add(Effect.SHARE)
        for effect in sorted(effects):
            yield Deed(effect, there, lambda: setter_of_standard(view, there))
        return
    effects = set(_effects(change, row))
    if isinstance(namespace, str) and namespace != row.namespace:
        yield from _move(view, row, namespace, effects | {Effect.SHARE})
        return
    for effect in sorted(effects):
        yield Deed(effect, row.namespace, lambda: owner_of(row))


def _move(view: View, row: MemoryRow, namespace: str, effects: set[Effect]) -> Iterator[Deed]:
    """Of a memory to another namespace: else what may not be deleted, or stored, could be moved."""
    left = effects if lies_below(namespace, row.namespace) else effects | {Effect.DELETE}
    for effect in sorted(left):
        yield Deed(effect, row.namespace, lambda: owner_of(row))
    for effect in sorted(effects - {Effect.WRITE}):
        yield Deed(effect, namespace, lambda: owner_of(row))
    yield Deed(Effect.WRITE, namespace, lambda: setter_of_standard(view, namespace))


def _effects(change: Change, row: MemoryRow) -> Iterator[Effect]:
    said = change.set
    word = _word(said.get("life"))
    if word in ("archived", "deleted"):
        yield Effect.DELETE
        return
    found = False
    if _is_raised(said.get("tier"), row.tier):
        found = True
        yield Effect.PROMOTE
    if _ends_sooner(said, row) and word != "archived":
        found = True
        yield Effect.DELETE
    if said.get("scope", row.scope) != row.scope:
        found = True
        yield Effect.SHARE
    told = set(said) - UPKEEP - {"scope", "namespace"}
    restored = word == "live" and row.life != "live"
    lowered = said.get("tier", row.tier) != row.tier and not _is_raised(said["tier"], row.tier)
    if not found or told or change.tag or change.untag or change.count or restored or lowered:
        yield Effect.WRITE


def _word(life: Any) -> str:
    return str(life.get("is", "")) if isinstance(life, dict) else ""


def _is_raised(tier: Any, was: str) -> bool:
    known = {one.value: one for one in Tier}
    if not isinstance(tier, str) or tier == was or tier not in known or was not in known:
        return False
    return higher(known[tier], known[was]) == known[tier]


def _ends_sooner(said: Any, row: MemoryRow) -> bool:
    if "expires_at" not in said or not isinstance(said["expires_at"], int):
        return False
    return row.expires_us is None or said["expires_at"] < row.expires_us


def _link(view: View, change: Change, operation: str) -> Iterator[Deed]:
    known = view.link(change.record_id)
    body = change.set.get("body")
    ends: list[str] = [] if known is None else [known.source_id, known.target_id]
    if isinstance(body, dict):
        ends += [str(body.get("source_id", "")), str(body.get("target_id", ""))]
    # A copy into a namespace above takes its link to what it was copied from along.
    effect = Effect.PROMOTE if operation == "promote" else Effect.LINK
    yield from _at_ends(view, ends, effect)


def _at_ends(view: View, ends: list[str], effect: Effect) -> Iterator[Deed]:
    """In the namespaces of some memories. A link belongs to whoever wrote its source."""
    rows = [row for row in map(view.memory, dict.fromkeys(ends)) if row is not None]
    if not rows:
        yield Deed(effect, "", nobody)
    for namespace in dict.fromkeys(row.namespace for row in rows):
        yield Deed(effect, namespace, lambda: owner_of(rows[0]))


def _purge(view: View, change: Change) -> Iterator[Deed]:
    link: LinkRow | None = view.link(change.record_id)
    name = change.record_id.removeprefix("entity:")  # its aliases lie where it lies
    ends = [name] if link is None else [link.source_id, link.target_id]
    yield from _at_ends(view, ends, Effect.PURGE)


def _other(view: View, change: Change) -> Iterator[Deed]:
    name = change.record_id.partition(":")[2]
    if change.type in GOVERNING:
        namespace = "" if name == ROOT else name
        yield Deed(
            Effect.GOVERN, namespace, lambda: setter_of_standard(view, namespace),
            of_policy=change.type == POLICY,
        )  # fmt: skip
        if change.type == STANDARD:  # all who work there are given it, and its setter is the owner
            yield Deed(Effect.WRITE, namespace, lambda: setter_of_standard(view, namespace))
        return
    row = view.memory(name) if change.type == "entity" else None
    if row is not None:  # the other names of a memory are whoever's it is
        yield Deed(Effect.WRITE, row.namespace, lambda: owner_of(row))
        return
    yield Deed(Effect.WRITE, _namespace_of(change), nobody)


def _namespace_of(change: Change) -> str:
    """Where a record of another kind belongs, as far as it says so; else nowhere in particular."""
    said = change.set.get("said")
    for holder, key in ((change.set, "namespace"), (said, "namespace"), (said, "namespace_filter")):
        found = holder.get(key) if isinstance(holder, dict) else None
        if isinstance(found, str):
            return found.removesuffix("/*")
    return ""


def setter_of_standard(view: View, namespace: str) -> str:
    """The principal who set a namespace's standard, and so decides who stores there. Nobody if it
    was cleared since: to clear it is not to set it."""
    state = view.state(f"{STANDARD}:{namespace}") if namespace else None
    heads = () if state is None or state.purged else state.heads.get("memory_id", ())
    if not heads or not heads[0].value:
        return ""
    return principal_of(heads[0].author, heads[0].dot)


def nobody() -> str:
    """The owner of what nobody owns."""
    return ""
