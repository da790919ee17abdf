"""Changes of members: what is refused at once and why, and what is asked of the voters."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    ClusterStatusRequest,
    ClusterStatusResponse,
    EvictRequest,
    ForceEpochRequest,
    LeaveRequest,
    MemberStatus,
    PromoteMemberRequest,
)
from aimem_node.operations import cluster as operations
from aimem_node.operations import registry
from aimem_node.operations.forced_line import Forced, read_line, write_line
from aimem_sync.members import Config, Member, Role

ME = "aaaa1111"
NAMES = {"aaaa1111": "lab-1", "bbbb2222": "lab-2", "cccc3333": "lab-3", "dddd4444": ""}


def member(node_id: str, role: Role = Role.VOTER) -> Member:
    return Member(node_id, (f"key-{node_id}",), role, NAMES[node_id])


THREE = Config(4, tuple(map(member, sorted(NAMES)[:3])), cluster_id="old0old0old0")
FOUR = replace(THREE, members=(*THREE.members, member("dddd4444", Role.LEARNER)))


@dataclass
class FakeCluster:
    """A list of members on which every change is decided as it was asked for."""

    config: Config
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    node_id: str = ME
    forced: list[Config] = field(default_factory=list)
    left: list[bool] = field(default_factory=list)

    @property
    def me(self) -> Member:
        found = self.config.member(self.node_id)
        assert found is not None
        return found

    @property
    def plane(self) -> Any:
        identity = SimpleNamespace(node_id=self.node_id, fingerprint=f"key-{self.node_id}")
        return SimpleNamespace(config=self.config, identity=identity)

    def find(self, text: str) -> Member:
        for one in self.config.members:
            if text == one.name or one.node_id.startswith(text):
                return one
        raise Failure(Code.NOT_FOUND, f"no member is called {text!r}")

    def status(self, _now_us: int) -> ClusterStatusResponse:
        members = tuple(
            MemberStatus(
                **{"node_id": m.node_id, "state": "in sync", **self.seen.get(m.node_id, {})}
            )
            for m in self.config.members
        )
        return ClusterStatusResponse(epoch=self.config.epoch, members=members)

    async def change(self, make: Callable[[Config], Config]) -> Config:
        self.config = make(self.config)
        return self.config

    async def force(self, config: Config) -> None:
        self.forced.append(config)
        self.config = config

    async def leave(self, *, force: bool) -> Config:
        self.left.append(force)
        self.config = Config(9, (self.me,), cluster_id="new0new0new0")
        return self.config


def ask(cluster: FakeCluster, name: str, request: Any) -> Any:
    call = SimpleNamespace(author="op", now_us=0, cluster=cluster, node=None)

    async def run() -> Any:
        return await registry.WAITERS[name](call, request)

    return asyncio.run(run())


def refused(cluster: FakeCluster, name: str, request: Any) -> Failure:
    before = cluster.config
    with pytest.raises(Failure) as raised:
        ask(cluster, name, request)
    assert cluster.config == before
    assert raised.value.definite
    return raised.value


def away(*node_ids: str) -> dict[str, dict[str, Any]]:
    return {node_id: {"state": operations.UNREACHABLE} for node_id in node_ids}


def test_the_status_is_the_cluster_s() -> None:
    said = ask(FakeCluster(THREE), "ClusterStatus", ClusterStatusRequest())
    assert [one.node_id for one in said.members] == [m.node_id for m in THREE.members]


def test_a_learner_that_has_everything_becomes_a_voter_and_twice_is_once() -> None:
    cluster = FakeCluster(FOUR)
    said = ask(cluster, "PromoteMember", PromoteMemberRequest(node="dddd"))
    assert (said.epoch, said.voters, said.needed, said.node_id) == (5, 4, 3, "dddd4444")
    again = ask(cluster, "PromoteMember", PromoteMemberRequest(node="dddd"))
    assert again.epoch == 5
    assert "already" in again.said


def test_a_learner_that_lags_is_not_promoted_and_is_told_how_many_ops_it_lacks() -> None:
    cluster = FakeCluster(FOUR, {"dddd4444": {"lag_ops": 12_345}})
    failure = refused(cluster, "PromoteMember", PromoteMemberRequest(node="dddd"))
    assert failure.code is Code.CONFLICT
    assert failure.message == "dddd4444 still lacks 12,345 ops"
    cluster = FakeCluster(FOUR, away("dddd4444"))
    failure = refused(cluster, "PromoteMember", PromoteMemberRequest(node="dddd"))
    assert "out of reach" in failure.message


def test_an_evicted_member_is_refused_for_ever_and_may_be_evicted_again() -> None:
    cluster = FakeCluster(THREE, {"cccc3333": {"state": "unreachable", "ahead_ops": 7}})
    said = ask(cluster, "Evict", EvictRequest(node="lab-3"))
    assert (said.epoch, said.voters, said.needed) == (5, 2, 2)
    assert "key-cccc3333" in cluster.config.revoked
    assert "had 7 ops that this node lacks" in said.said
    again = ask(cluster, "Evict", EvictRequest(node="cccc"))
    assert (again.epoch, again.node_id) == (5, "cccc3333")
    assert refused(cluster, "Evict", EvictRequest(node="lab-3")).code is Code.NOT_FOUND


def test_who_is_evicted_is_never_this_node_nor_the_last_voter() -> None:
    itself = refused(FakeCluster(THREE), "Evict", EvictRequest(node="lab-1"))
    assert (itself.code, itself.next) == (
        Code.CONFLICT,
        "To take it out of the cluster: aimem-node leave",
    )
    lone = Config(2, (member(ME), member("dddd4444", Role.LEARNER)), cluster_id="c")
    asker = FakeCluster(lone, node_id="dddd4444")
    assert "last voter" in refused(asker, "Evict", EvictRequest(node="lab-1")).message


def test_a_change_that_no_majority_can_decide_is_refused_and_names_who_is_missing() -> None:
    cluster = FakeCluster(THREE, away("bbbb2222", "cccc3333"))
    for name, request in (
        ("Evict", EvictRequest(node="lab-2")),
        ("Leave", LeaveRequest(force=True)),
    ):
        failure = refused(cluster, name, request)
        assert failure.code is Code.UNAVAILABLE
        assert "lab-2, lab-3 cannot be reached" in failure.message
        assert "force-epoch" in failure.next


def test_only_a_voter_asks_for_a_change() -> None:
    asker = FakeCluster(FOUR, node_id="dddd4444")
    failure = refused(asker, "Evict", EvictRequest(node="lab-2"))
    assert failure.next == "Ask on lab-1."
    failure = refused(asker, "Leave", LeaveRequest())
    assert failure.next == "Run aimem-node evict dddd4444 on lab-1."


def test_a_node_leaves_a_cluster_and_goes_on_alone() -> None:
    cluster = FakeCluster(THREE)
    said = ask(cluster, "Leave", LeaveRequest(force=True))
    assert cluster.left == [True]
    assert (said.voters, said.needed, said.node_id) == (1, 1, ME)
    assert "has left cluster old0old0" in said.said
    assert "as cluster new0new0" in said.said
    assert "alone" in refused(cluster, "Leave", LeaveRequest()).message


def test_the_last_voter_does_not_leave_its_learners() -> None:
    lone = Config(2, (member(ME), member("dddd4444", Role.LEARNER)), cluster_id="c")
    assert "last voter" in refused(FakeCluster(lone), "Leave", LeaveRequest(force=True)).message


def test_a_lost_majority_is_gone_on_without_and_the_line_takes_the_other_survivors_along() -> None:
    five = replace(
        THREE,
        members=tuple(sorted((*THREE.members, member("dddd4444"), Member("eeee", ("k",))))),
    )
    lost = away("cccc3333", "dddd4444", "eeee")
    first, second = FakeCluster(five, lost), FakeCluster(five, lost, node_id="bbbb2222")
    said = ask(first, "ForceEpoch", ForceEpochRequest(keep=("lab-1", "bbbb")))
    assert (said.epoch, said.voters) == (5, 2)
    assert said.cluster_id == first.config.cluster_id != five.cluster_id
    assert {"key-cccc3333", "key-dddd4444", "k"} <= first.config.revoked
    told = ask(second, "ForceEpoch", ForceEpochRequest(adopt=said.line))
    assert (told.cluster_id, told.epoch) == (said.cluster_id, 5)
    assert second.config == first.config
    ask(second, "ForceEpoch", ForceEpochRequest(adopt=said.line))
    assert len(second.forced) == 1


def test_both_survivors_may_force_it_and_meet_in_the_same_cluster() -> None:
    both: list[Config] = []
    for node_id in (ME, "bbbb2222"):
        cluster = FakeCluster(FOUR, away("cccc3333", "bbbb2222"), node_id=node_id)
        ask(cluster, "ForceEpoch", ForceEpochRequest(keep=("lab-1", "lab-2")))
        both.append(cluster.config)
    assert both[0] == both[1]


def test_nothing_is_forced_while_a_majority_can_be_reached() -> None:
    cluster = FakeCluster(THREE, away("cccc3333"))
    failure = refused(cluster, "ForceEpoch", ForceEpochRequest(keep=("lab-1",)))
    assert failure.message == "2 of 3 voters are in reach, and 2 can decide"
    assert "evict" in failure.next


def test_who_forces_must_go_on_itself() -> None:
    cluster = FakeCluster(THREE, away("bbbb2222", "cccc3333"))
    failure = refused(cluster, "ForceEpoch", ForceEpochRequest(keep=("lab-2",)))
    assert failure.path == "$.keep"
    assert "lab-1" in failure.message
    for request in (ForceEpochRequest(), ForceEpochRequest(keep=("lab-1",), adopt="x")):
        assert refused(cluster, "ForceEpoch", request).code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("forced", "said"),
    [
        (Forced("else", THREE.forced([ME], "n")), "ends cluster else"),
        (Forced(THREE.cluster_id, THREE.forced(["bbbb2222"], "n")), "does not keep this node"),
        (
            Forced(THREE.cluster_id, replace(THREE, epoch=2).forced([ME], "n")),
            "later changes than the line",
        ),
    ],
)
def test_a_line_that_does_not_belong_here_is_refused(forced: Forced, said: str) -> None:
    line = write_line(forced)
    assert read_line(line) == forced
    failure = refused(FakeCluster(THREE), "ForceEpoch", ForceEpochRequest(adopt=line))
    assert said in failure.message
    assert failure.path == "$.adopt"
