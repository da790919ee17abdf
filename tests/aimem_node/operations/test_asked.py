"""What waits, as a record: read strictly, and decided by what was done."""

from typing import Any

import pytest

from aimem_node.contract.errors import Failure
from aimem_node.operations.approvers import Approver, Ask
from aimem_node.operations.asked import Asked, Decided, Request, found, read
from aimem_sync.display import Display
from aimem_sync.dot import Dot, Origin
from aimem_sync.state import Version
from tests.harness import Harness

REQUEST = Request(
    operation="Store", payload={"title": "t"}, sha256="00", requested_by="user:ann@n",
    agent_id="ai:x", claimed=("ai:y",), operator=False, place="", namespaces=("a", "b"),
    memory_id="", reason="because", requested_us=1, expires_us=9,
)  # fmt: skip
RULES = [Ask("store: approve (admin)", "a", Approver.read("admin")).register()]
VALUES: dict[str, Any] = {"said": REQUEST.register(), "rules": RULES, "life": {"is": "live"}}


def test_it_is_read_as_it_is_kept() -> None:
    one = read("p", Display("pending:p", "pending", VALUES))
    assert isinstance(one, Asked)
    assert (one.request, one.asks[0].register()) == (REQUEST, RULES[0])
    assert [one.status(now_us) for now_us in (8, 9)] == ["pending", "expired"]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {**VALUES, "rules": []},
        {**VALUES, "rules": [{"rule": "x", "set_at": "a", "approver": "the cat"}]},
        {**VALUES, "rules": ["x", *RULES]},
        {**VALUES, "said": {}},
        {**VALUES, "said": {**REQUEST.register(), "operator": "yes"}},
        {**VALUES, "said": {**REQUEST.register(), "payload": "x"}},
    ],
)
def test_what_cannot_be_understood_cannot_be_approved(values: dict[str, Any]) -> None:
    assert read("p", Display("pending:p", "pending", values)) is None


@pytest.mark.parametrize("approved_is_shown", [True, False])
def test_what_was_approved_on_one_node_and_rejected_on_another_has_been_done(
    approved_is_shown: bool,
) -> None:
    yes = Decided("approved", "bob", 5, ("x:1",), "m").register()
    no = Decided("rejected", "eve", 6).register()
    other = Decided("approved", "joe", 7, ("y:1",), "m").register()
    first, rest = (yes, [no, other]) if approved_is_shown else (no, [yes, other])
    beside = tuple(
        Version(Dot(Origin("0" * 32, "1" * 16), at), at, at, "x", value)
        for at, value in enumerate(rest, 1)
    )
    shown = Display(
        "pending:p", "pending", {**VALUES, "decided": first}, conflicts={"decided": beside}
    )
    one = read("p", shown)
    assert one is not None
    assert one.decided is not None
    assert (one.status(99), one.decided.made) == ("approved", ("x:1", "y:1"))


def test_an_id_may_be_cut_short_as_long_as_it_names_one(node: Harness) -> None:
    node.call("PolicySet", namespace="a", rules=[{"action": "store", "level": "approve"}])
    ids = [
        node.call("Store", title=str(at), content="c", namespace="a")["write"]["awaiting"][
            "pending_id"
        ]
        for at in range(2)
    ]

    def look(prefix: str) -> str:
        return str(
            node.run(
                node.core.dispatcher._read(lambda view: found(view, prefix, lambda _: True))
            ).id
        )

    assert look(ids[0]) == look(ids[0][:8]) == ids[0]
    for prefix in ("", "nothing"):
        with pytest.raises(Failure):
            look(prefix)
