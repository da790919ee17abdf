"""A node without a way to others: what it sends is forgotten, what it asks is refused."""

import asyncio
import inspect

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.net import Net, Nobody
from aimem_node.rpc.peer_net import PeerNet
from aimem_sync.dot import Origin
from aimem_sync.members import Config, Member
from aimem_sync.messages import SnapshotWanted

LOG = Origin("a" * 32, "b" * 16)
ASKED = [name for name, f in vars(Net).items() if inspect.iscoroutinefunction(f)]
TOLD = [
    name
    for name, f in vars(Net).items()
    if not name.startswith("_") and inspect.isfunction(f) and name not in ASKED
]


@pytest.mark.parametrize("name", [*ASKED, *TOLD])
@pytest.mark.parametrize("of", [Nobody, PeerNet])
def test_every_net_answers_to_the_same_words(of: type, name: str) -> None:
    wanted = inspect.signature(getattr(Net, name)).parameters
    assert list(inspect.signature(getattr(of, name)).parameters) == list(wanted)


def test_what_is_sent_to_nobody_is_forgotten() -> None:
    net = Nobody()
    net.send("b", SnapshotWanted(1))
    net.send_append("b", 1, 0, [b"op"], [])
    net.send_page("b", 1, [b"op"], [])
    net.download("b", 1)
    net.follow(Config(1, (Member("a", ("f",)),)), ())
    assert "no listener" in net.why_not("b")


@pytest.mark.parametrize("name", ASKED)
def test_a_question_to_nobody_is_refused_at_once_and_for_certain(name: str) -> None:
    given = {"chain_at": ("b", LOG, (1,)), "ops_at": ("b", LOG, (1,)), "sums": ("b",)}
    asked = getattr(Nobody(), name)(*given.get(name, ("b", (0,))))
    with pytest.raises(Failure) as refused:
        asyncio.run(asked)
    assert refused.value.code is Code.UNAVAILABLE
