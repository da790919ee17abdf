"""Records that are no memories: settings, policies, agents, votes. One way to read them.

Such a record has an id of the form kind:name, so that all of one kind stand together, and its
registers are replicated and merged like those of a memory. Nothing more is derived from it.
"""

from collections.abc import Iterator

from aimem_node.store.view import View
from aimem_sync.display import Display, display

PAGE = 100
KINDS = frozenset(
    {
        "agent", "copies", "dead", "entity", "link", "memory", "pending", "policy", "standard",
        "step", "subscription",
    }
)  # fmt: skip
"""What such ids may begin with before the colon. No memory of any caller's is called so."""


def kept(view: View, kind: str, name: str) -> Display | None:
    """What is shown of one record of a kind; None if there is none, or it was erased."""
    shown = view.display(f"{kind}:{name}")
    return shown if shown is not None and _stands(shown, kind) else None


def all_kept(view: View, kind: str) -> Iterator[tuple[str, Display]]:
    """Every record of a kind that was not erased, by name."""
    prefix = f"{kind}:"
    after = prefix
    while True:
        page = view.records_after(after, PAGE)
        for one in page:
            after = one.state.record_id
            if not after.startswith(prefix):
                return
            shown = display(one.state)
            if _stands(shown, kind):
                yield after.removeprefix(prefix), shown
        if len(page) < PAGE:
            return


def is_any_kept(view: View, kind: str) -> bool:
    """Whether there may be records of a kind: one step in the index of ids."""
    return view.has_records(f"{kind}:")


def _stands(shown: Display, kind: str) -> bool:
    return shown.type == kind and not shown.purged
