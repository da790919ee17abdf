"""What everyone should know who works in a namespace: one memory each, given with every recall.

A standard is a memory like any other, and the record standard:<namespace> points at it. So it goes
out of force with its memory and comes back with it, and it is shown only to those who see the
memory. What holds in a namespace is a chain, the general first: everything, then each namespace
on the way down, and before each of them those that it names as parents.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from aimem_node.contract import formats
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    Level,
    NamespaceClearStandardRequest,
    NamespaceClearStandardResponse,
    NamespaceGetStandardRequest,
    NamespaceGetStandardResponse,
    NamespaceSetStandardRequest,
    NamespaceSetStandardResponse,
    PolicyRule,
    PolicySetRequest,
    Scope,
    Standard,
    StoreRequest,
    Tier,
)  # fmt: skip
from aimem_node.operations.call import ReadCall, WriteCall
from aimem_node.operations.governance import policy_set
from aimem_node.operations.kept import is_any_kept, kept
from aimem_node.operations.memories import store_memory
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import found, has_ended
from aimem_node.operations.sight_of import narrowed, refuse_reserved, sight_of
from aimem_node.store.rows import MemoryRow, size_bytes
from aimem_node.store.view import View
from aimem_sync.change import Change

STANDARD = "standard"
EVERYTHING = "*"
STANDARD_TAG = "_standard"
STANDARD_PRIORITY = 9
POLICY_ACTIONS = ("write", "promote", "delete")
POLICY_LEVELS = ("any", "registered", "owner", "approve")
HOPS_MAX = 8
"""Parents of parents that are followed from one namespace."""
STANDARDS_BYTES_MAX = 1 << 20
"""Of the texts of standards in one answer: beside a page of memories it must fit 4 MiB."""


@operation
def namespace_set_standard(
    call: WriteCall, request: NamespaceSetStandardRequest
) -> NamespaceSetStandardResponse:
    """Point at a memory, or make one; what is not given of an earlier standard stays."""
    call.speaker(request.agent_id)
    namespace = _namespace(request.namespace)
    refuse_reserved(namespace)
    known = _said(call.view, namespace)
    wanted: dict[str, Any] = {}
    if request.parent is not None:
        wanted["parent"] = _parent(namespace, request.parent)
    if request.id is not None:
        wanted["memory_id"] = found(call, request.id).record_id
    elif request.content is not None:
        wanted["memory_id"] = _made(call, namespace, request)
    elif not (wanted and known.get("memory_id")):
        raise Failure(
            Code.INVALID_ARGUMENT, "nothing says what the standard is", path="$.id",
            next="Give the id of a memory, or content to make one of.",
        )  # fmt: skip
    changed = {name: value for name, value in wanted.items() if value != known.get(name)}
    if changed:
        call.tx.change(Change(f"{STANDARD}:{namespace}", STANDARD, set=changed))
    if request.governance:
        _set_policy(call, namespace, request.governance)
    after = {**known, **wanted}
    return NamespaceSetStandardResponse(
        set=True, namespace=namespace, standard_id=str(after["memory_id"]),
        parent=after.get("parent") or "",
    )  # fmt: skip


@operation
def namespace_get_standard(
    call: ReadCall, request: NamespaceGetStandardRequest
) -> NamespaceGetStandardResponse:
    """Its own, or all that hold there."""
    return standard_of(call, _namespace(request.namespace), inherit=bool(request.inherit))


@operation
def namespace_clear_standard(
    call: WriteCall, request: NamespaceClearStandardRequest
) -> NamespaceClearStandardResponse:
    """Point at nothing any more, and at no parent."""
    namespace = _namespace(request.namespace)
    known = _said(call.view, namespace)
    if known:
        over = dict.fromkeys(("memory_id", "parent"))
        call.tx.change(Change(f"{STANDARD}:{namespace}", STANDARD, set=over))
    return NamespaceClearStandardResponse(cleared=bool(known), namespace=namespace)


def standard_of(call: ReadCall, namespace: str, *, inherit: bool) -> NamespaceGetStandardResponse:
    """What is set for a namespace, and with `inherit` all that holds there."""
    mine = _shown(call, namespace, None)
    warning = ""
    if _said(call.view, namespace).get("memory_id") and mine is None:
        warning = f"the standard of {namespace} cannot be shown: it is gone, or not yours to see"
    if not inherit:
        return NamespaceGetStandardResponse(
            namespace=namespace, standard=None if mine is None else mine[0], warning=warning,
            count=int(mine is not None),
        )  # fmt: skip
    chain, standards = _holding(call, namespace, None)
    return NamespaceGetStandardResponse(
        namespace=namespace, standard=None if mine is None else mine[0], chain=chain,
        standards=standards, count=len(standards), warning=warning,
    )  # fmt: skip


def standards_for(
    call: ReadCall, namespace: str | None, as_agent: str | None = None
) -> tuple[Standard, ...]:
    """What is given with a recall: the standards that hold in a namespace, the general first."""
    if not is_any_kept(call.view, STANDARD):
        return ()
    place = (namespace or EVERYTHING).removesuffix("/*")
    return _holding(call, place, as_agent)[1]


def _holding(
    call: ReadCall, namespace: str, as_agent: str | None
) -> tuple[tuple[str, ...], tuple[Standard, ...]]:
    """The namespaces that have a say in one, and their standards, each memory once.

    Whoever is bounded is not told of parents whose standards it does not see.
    """
    sight, size = sight_of(call), 0
    chain: list[str] = []
    standards: dict[str, Standard] = {}
    for name, is_parent in _chain(call.view, namespace):
        shown = _shown(call, name, as_agent)
        if shown is not None or not is_parent or sight is None or not sight.narrows:
            chain.append(name)
        if shown is None or shown[0].standard_id in standards:
            continue
        size += size_bytes(shown[1])
        if size <= STANDARDS_BYTES_MAX:
            standards[shown[0].standard_id] = shown[0]
    return tuple(chain), tuple(standards.values())


def _chain(view: View, namespace: str) -> Iterator[tuple[str, bool]]:
    """The namespaces that have a say, the general first, and whether each is a named parent."""
    met = {EVERYTHING}
    yield EVERYTHING, False
    parts = namespace.split("/") if namespace != EVERYTHING else []
    for depth in range(1, len(parts) + 1):
        name = "/".join(parts[:depth])
        parents: list[str] = []
        above = _said(view, name).get("parent")
        while above and above not in met and above != name and len(parents) < HOPS_MAX:
            met.add(above)
            parents.append(above)
            above = _said(view, above).get("parent")
        yield from ((parent, True) for parent in reversed(parents))
        if name not in met:
            met.add(name)
            yield name, False


def _shown(
    call: ReadCall, namespace: str, as_agent: str | None
) -> tuple[Standard, MemoryRow] | None:
    """The standard of exactly one namespace; None if none is set, in force, or to be seen."""
    said = _said(call.view, namespace)
    row = call.view.memory(str(said["memory_id"])) if said.get("memory_id") else None
    sight = narrowed(call, as_agent)
    if row is None or row.life != "live" or has_ended(call, row):
        return None
    if sight is not None and not sight.sees(row):
        return None
    standard = Standard(
        namespace=namespace, standard_id=row.record_id, title=row.title, content=row.content,
        priority=row.priority, parent=said.get("parent") or "",
    )  # fmt: skip
    return standard, row


def _made(call: WriteCall, namespace: str, request: NamespaceSetStandardRequest) -> str:
    """The memory that says it: long-lived, and for all who work there or below."""
    everywhere = namespace == EVERYTHING
    wish = StoreRequest(
        title="Standard of everything" if everywhere else f"Standard of {namespace}",
        content=request.content or "",
        namespace="global" if everywhere else namespace,
        tags=(STANDARD_TAG,),
        tier=Tier.LONG,
        priority=STANDARD_PRIORITY,
        scope=Scope.COLLECTIVE if everywhere else Scope.ORG,
        agent_id=request.agent_id,
    )
    return store_memory(call, wish).id


def _said(view: View, namespace: str) -> Mapping[str, Any]:
    """What the record of a namespace says. What a later version wrote otherwise is not set."""
    shown = kept(view, STANDARD, namespace)
    values = {} if shown is None else shown.values
    said = {name: values.get(name) for name in ("memory_id", "parent")}
    return {name: value for name, value in said.items() if isinstance(value, str) and value}


def _namespace(text: str, path: str = "$.namespace") -> str:
    if text.strip() == EVERYTHING:
        return EVERYTHING
    try:
        return formats.namespace(text)
    except Failure as failure:
        raise Failure(
            failure.code, f"the namespace {failure.message}", path,
            next="Write a/b for a namespace, or * for everything.",
        ) from None  # fmt: skip


def _parent(namespace: str, text: str) -> str | None:
    """The parent as it is kept; empty takes it away."""
    if not text.strip():
        return None
    parent = _namespace(text, "$.parent")
    if parent == namespace:
        raise Failure(
            Code.INVALID_ARGUMENT, "a namespace cannot be its own parent", path="$.parent",
            next="Name another one, or leave parent out.",
        )  # fmt: skip
    return parent


def _set_policy(call: WriteCall, namespace: str, said: Mapping[str, Any]) -> None:
    """Set the rules that came with a standard, in the words of ai-memory. As policy-set does."""
    if not call.operator:
        raise Failure(
            Code.PERMISSION_DENIED, "only the operator sets policies", path="$.governance",
            next="Leave governance out, or have the operator set it: aimem policy-set.",
        )  # fmt: skip
    rules: list[PolicyRule] = []
    approver = _approver(said.get("approver"))
    for action, level in said.items():
        if action == "approver":
            continue
        if action not in POLICY_ACTIONS or level not in POLICY_LEVELS:
            raise Failure(
                Code.INVALID_ARGUMENT, f"{action!r} with {level!r} is no rule",
                path=f"$.governance.{action}",
                next=f"Set {', '.join(POLICY_ACTIONS)} to one of {', '.join(POLICY_LEVELS)}; "
                "for anything else use policy-set.",
            )  # fmt: skip
        asks = level == Level.APPROVE.value
        rules.append(PolicyRule(action=action, level=Level(level), approver=approver * asks))
    policy_set(call, PolicySetRequest(namespace=namespace, rules=tuple(rules)))


def _approver(said: Any) -> str:
    """human, agent:<id> or consensus:<n>, out of the forms that ai-memory knows."""
    if isinstance(said, dict) and len(said) == 1:
        return ":".join(str(part) for part in next(iter(said.items())))
    if said is None or isinstance(said, str):
        return said or "human"
    raise Failure(
        Code.INVALID_ARGUMENT, "this is no approver", path="$.governance.approver",
        next="Use human, agent:<id> or consensus:<n>.",
    )  # fmt: skip
