"""Somebody at the door: refused everywhere, and the door that is tried is really one."""

import asyncio
from pathlib import Path

from aimem_node.clocks import SystemChance
from aimem_node.replica.identity import Identity, identity_dir
from chaos.faults.intruders import CERTIFICATE
from chaos.intruder import try_all
from chaos.team import Team


def dial(team: Team, identity: Identity, claimed: str, to: str) -> dict[str, str]:
    certificate = Path(identity_dir(str(team.dir(to)))) / CERTIFICATE
    target = f"{to}=127.0.0.1:{team.ports[to]}={certificate}"
    cluster_id = team.config(to).cluster_id
    return asyncio.run(try_all(identity, claimed, cluster_id, target))


def test_a_stranger_is_refused_at_every_way_in(three: Team, tmp_path: Path) -> None:
    stranger = Identity.load_or_create(str(tmp_path / "stranger"), SystemChance())
    found = dial(three, stranger, three.ids["b"], "c")
    assert set(found) == {"Hello", "Digest", "Live"}
    assert all(found.values()), found


def test_a_member_is_let_in_by_the_same_questions(three: Team) -> None:
    found = dial(three, three.identities["b"], three.ids["b"], "c")
    assert (found["Hello"], found["Digest"], found["Live"]) == ("", "", "")


def test_a_member_that_was_evicted_is_refused_with_its_old_key(three: Team) -> None:
    three.call("a", "Evict", node="b")
    three.until_agreed("a", "c")
    found = dial(three, three.identities["b"], three.ids["b"], "c")
    assert all(found.values()), found
