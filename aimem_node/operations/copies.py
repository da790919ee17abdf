"""Say where copies of a namespace are kept, and find out where a write has to be.

A setting is a record like any other: it is replicated, two operators may change it at once, and
what it says holds below its namespace until one further down says otherwise. Asking costs a look-up
for every level, so a write is asked about only where anything is set at all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    Copies,
    NamespaceCopiesRequest,
    NamespaceCopiesResponse,
    SetNamespaceCopiesRequest,
    SetNamespaceCopiesResponse,
)
from aimem_node.operations.asked import PENDING, asked
from aimem_node.operations.call import ReadCall, WriteCall
from aimem_node.operations.kept import all_kept, is_any_kept, kept
from aimem_node.operations.registry import operation
from aimem_node.operations.sight_of import concerns
from aimem_node.replica.granting import Grants
from aimem_node.store.session import WriteSession
from aimem_node.store.view import View
from aimem_sync.canon import Json
from aimem_sync.change import Change
from aimem_sync.display import Display
from aimem_sync.op import Op

if TYPE_CHECKING:
    from aimem_node.replica.plane import Plane

COPIES = "copies"
_HERE_ONLY = "none"
_EVERYWHERE = "all"

Holders = frozenset[str] | None
"""Node ids of those that may hold something; None: every member."""


@operation
def set_namespace_copies(
    call: WriteCall, request: SetNamespaceCopiesRequest
) -> SetNamespaceCopiesResponse:
    """Set W, the holders, or both; what is not given stays as it is."""
    if request.w is None and not request.holders:
        raise Failure(
            Code.INVALID_ARGUMENT, "nothing is to be set", path="$.w",
            next="Give w, holders, or both.",
        )  # fmt: skip
    namespace, wanted = request.namespace, dict[str, Json]()
    if request.w is not None:
        wanted["w"] = request.w or None
    if request.holders:
        holders = _named(call, request.holders)
        wanted["holders"] = None if holders is None else sorted(holders)
    now = _set_at(call.view, namespace)
    after = {**now, **wanted}
    _check_reachable(after)
    changed = {name: value for name, value in wanted.items() if value != now.get(name)}
    if changed:
        call.tx.change(Change(f"{COPIES}:{namespace}", COPIES, set=changed))
    return SetNamespaceCopiesResponse(copies=_resolved(call.view, namespace))


@operation
def namespace_copies(call: ReadCall, request: NamespaceCopiesRequest) -> NamespaceCopiesResponse:
    """What holds in one namespace, or everything that is set."""
    if request.namespace:
        return NamespaceCopiesResponse(copies=(_resolved(call.view, request.namespace),))
    shown = []
    for name, said in _all(call.view):
        w, holders = _w_of(said), _holders_of(said)
        if (w or holders is not None) and concerns(call.place, name):
            named = tuple(sorted(holders or ()))
            shown.append(Copies(namespace=name, w=w or None, holders=named, set_at=name))
    return NamespaceCopiesResponse(copies=tuple(shown))


def needed_and_holders(view: View, namespace: str) -> tuple[int, Holders]:
    """W (0: a majority of those that may hold it) and who may hold it (None: every member)."""
    needed, holders = 0, None
    for name in _upwards(namespace):
        said = _set_at(view, name)
        needed = needed or _w_of(said)
        holders = _holders_of(said) if holders is None else holders
    return needed, holders


def strictest(
    plane: "Plane",
) -> Callable[[WriteSession, Sequence[Op]], tuple[int, Holders] | None]:
    """What answers, within a write's transaction, how many must hold all of it and who counts.

    None when no namespace says anything: then the core alone decides.
    """

    def of(session: WriteSession, ops: Sequence[Op]) -> tuple[int, Holders] | None:
        if not _is_anything_set(session):
            return None
        places: set[str | None] = set()
        for record_id in {op.record_id for op in ops}:
            places.update(_places(session, record_id))
        asked: dict[Holders, int] = {}
        voters = frozenset(plane.config.voters)
        for place in places:
            needed, holders = (0, None) if place is None else needed_and_holders(session, place)
            asked[holders] = max(asked.get(holders, 0), needed)
        return combined(asked, voters, plane.identity.node_id)

    return of


def combined(
    asked: Mapping[Holders, int], voters: frozenset[str], writer: str
) -> tuple[int, Holders]:
    """One W and one set of nodes that meet several: each of `asked` is nodes and the W among them.

    Of any k of all those nodes at most |all| - |some| are not among some of them. So enough of all
    is enough of each, and an acknowledgement need not be counted twice.
    """
    if len(asked) <= 1:
        return next(((needed, holders) for holders, needed in asked.items()), (0, None))
    counted = {
        holders: voters if holders is None else voters & holders for holders in asked
    }  # fmt: skip
    everyone: frozenset[str] = frozenset().union(*counted.values())
    wanted = 1
    for holders, needed in asked.items():
        some = counted[holders]
        enough = needed or len(some) // 2 + 1
        if enough > 1 or writer not in some:  # the writer holds what it has written
            wanted = max(wanted, enough + len(everyone) - len(some))
    return wanted, everyone


def _places(view: View, record_id: str) -> Iterator[str | None]:
    """The namespaces that a record belongs to; None where no setting can reach it."""
    if record_id.startswith(f"{PENDING}:"):  # it holds the text of a write that is not done yet
        waiting = asked(view, record_id.removeprefix(f"{PENDING}:"))
        yield from (waiting.request.namespaces or (None,)) if waiting is not None else (None,)
        return
    link = view.link(record_id)
    name = record_id.removeprefix("entity:")  # an entity's aliases lie where it lies
    ends = (name,) if link is None else (link.source_id, link.target_id)
    for end in ends:
        row = view.memory(end)
        yield None if row is None else row.namespace


def _named(call: WriteCall, given: Sequence[str]) -> Holders:
    """The node ids that a request means; None for every member."""
    holders: set[str] = set()
    for index, text in enumerate(given):
        if text in (_HERE_ONLY, _EVERYWHERE):
            if len(given) > 1:
                raise Failure(
                    Code.INVALID_ARGUMENT, f"{text!r} goes with no other holder",
                    path=f"$.holders[{index}]", next=f"Give {text} alone, or give nodes.",
                )  # fmt: skip
            return frozenset({call.node.node_id}) if text == _HERE_ONLY else None
        try:
            holders.add(call.find_member(text))
        except Failure as failure:
            path = f"$.holders[{index}]"
            raise Failure(
                failure.code, failure.message, path, failure.next, failure.details
            ) from None
    return frozenset(holders)


def _check_reachable(said: Mapping[str, Json]) -> None:
    needed, holders = _w_of(said), _holders_of(said)
    if holders is not None and needed > len(holders):
        raise Failure(
            Code.INVALID_ARGUMENT,
            f"{needed} nodes must hold it and only {len(holders)} may: nothing could be written",
            path="$.w", next="Lower w, or name more holders.",
        )  # fmt: skip


def _resolved(view: View, namespace: str) -> Copies:
    set_at = next(
        (n for n in _upwards(namespace) if any(v is not None for v in _set_at(view, n).values())),
        "",
    )
    needed, holders = needed_and_holders(view, namespace)
    named = tuple(sorted(holders or ()))
    return Copies(namespace=namespace, w=needed or None, holders=named, set_at=set_at)


def _upwards(namespace: str) -> Iterator[str]:
    """A namespace and those above it, the nearest first."""
    while namespace:
        yield namespace
        namespace = namespace.rpartition("/")[0]


def _is_anything_set(view: View) -> bool:
    """Every write asks this."""
    return is_any_kept(view, COPIES)


def _all(view: View) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """Every namespace for which anything was ever set, by name."""
    return ((name, _said(shown)) for name, shown in all_kept(view, COPIES))


def _set_at(view: View, namespace: str) -> Mapping[str, Json]:
    shown = kept(view, COPIES, namespace)
    return {} if shown is None else _said(shown)


def _said(shown: Display) -> Mapping[str, Json]:
    return {name: shown.values[name] for name in ("w", "holders") if name in shown.values}


def _w_of(said: Mapping[str, Json]) -> int:
    """A peer of a later version may have written anything: what we do not understand is not set."""
    value = said.get("w")
    sound = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return value if sound and isinstance(value, int) else 0


def _holders_of(said: Mapping[str, Json]) -> Holders:
    value = said.get("holders")
    if not isinstance(value, list) or not value:
        return None
    return frozenset(one for one in value if isinstance(one, str)) or None


def grants() -> Grants:
    """Who may hold what, for the room that sends ops to others."""
    return Grants(_is_anything_set, holders_of, excludes)


def holders_of(view: View, record_id: str) -> Holders:
    """Which members may hold what an op says of a record; None: all.

    A link between two namespaces goes by both: only who may hold either end gets it.
    """
    found: Holders = None
    for place in _places(view, record_id):
        holders = None if place is None else needed_and_holders(view, place)[1]
        if holders is not None:
            found = holders if found is None else found & holders
    return found


def excludes(view: View, node_id: str) -> bool:
    """Whether any namespace is withheld from this member."""
    said = (_holders_of(one) for _, one in _all(view))
    return any(holders is not None and node_id not in holders for holders in said)
