"""What the doctor finds in a cluster, from one node's view and from knocking at addresses."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure, to_json
from aimem_node.gateways.operator import cluster_checks
from aimem_node.gateways.operator.cluster_checks import check_cluster
from aimem_node.gateways.operator.findings import Finding, Grade
from tests.aimem_node.gateways.cli.fake_node import FakeNode
from tests.aimem_node.gateways.operator.cluster_answers import (
    ALONE,
    AWAY,
    LAB_1,
    LAB_2,
    WELL,
    answering,
)

DAY_S = 86_400
Examine = Callable[..., list[Finding]]


@pytest.fixture
def examine(fake: FakeNode, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Examine a node with this cluster; only the named addresses answer."""

    def run(cluster: Any, uptime_s: int = 60, open_at: tuple[str, ...] = ()) -> list[Finding]:
        monkeypatch.setattr(cluster_checks, "answers", lambda address: address in open_at)
        fake.answer = answering(cluster, uptime_s)
        return check_cluster(fake.data_dir)

    return run


def of(*members: dict[str, Any], **more: Any) -> dict[str, Any]:
    return WELL | {"members": list(members)} | more


def test_a_cluster_in_order_and_a_node_alone_are_fit(examine: Examine) -> None:
    (found,) = examine(WELL)
    assert (found.grade, found.said) == (Grade.OK, "2 members, epoch 7, all in reach")
    (found,) = examine(ALONE | {"address": "nowhere:1"})
    assert found.grade is Grade.OK
    assert "invite" in found.said


def test_a_node_that_does_not_run_or_knows_no_cluster_has_nothing_to_say(
    absent: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_cluster(absent.data_dir) == []
    absent.listen()
    unknown = Failure(Code.UNIMPLEMENTED, "no such operation")
    absent.answer = answering((501, to_json(unknown)))
    assert check_cluster(absent.data_dir) == []


def test_a_member_out_of_reach_is_a_warning_that_says_where_to_look(examine: Examine) -> None:
    away = AWAY | {"heard_ms": 61_000}
    third = LAB_2 | {"node_id": "eeee", "name": "lab-3"}
    (found,) = examine(of(LAB_1, LAB_2, third, away))
    assert found.grade is Grade.WARNING
    assert found.said == "workstation-in-the-basement is away for 1 min"
    assert "basement.far-away.example:8379 does not answer" in found.mend
    (found,) = examine(of(LAB_1, LAB_2, third, away), open_at=(AWAY["address"],))
    assert "answers: compare keys" in found.mend
    (found,) = examine(of(LAB_1, LAB_2, third, away | {"address": ""}))
    assert "only dials" in found.mend


def test_a_lost_majority_is_an_error_beside_the_members_that_are_away(examine: Examine) -> None:
    found = examine(of(LAB_1, AWAY))
    assert [one.grade for one in found] == [Grade.WARNING, Grade.ERROR]
    assert found[1].said == "1 of 2 voters in reach, 2 are needed: writes wait"


@pytest.mark.parametrize(
    ("days", "mend"),
    [(6, "does not answer"), (8, "no log can be shortened"), (31, "evict cccc3333")],
)
def test_the_longer_a_member_is_away_the_more_is_proposed(
    days: int, mend: str, examine: Examine
) -> None:
    heard = AWAY | {"heard_ms": days * DAY_S * 1000}
    assert mend in examine(of(LAB_1, LAB_2, heard))[0].mend
    silent = {name: value for name, value in AWAY.items() if name != "heard_ms"}
    (found,) = examine(of(LAB_1, LAB_2, silent), uptime_s=days * DAY_S)
    assert mend in found.mend
    assert f"never heard of since this node started {days} d ago" in found.said


def test_a_clock_that_is_off_is_found_whichever_way(examine: Examine) -> None:
    for off_ms, said in ((5_001, "+5.0 s"), (-3_600_000, "-1 h")):
        (found,) = examine(of(LAB_1, LAB_2 | {"clock_offset_ms": off_ms}))
        assert found.grade is Grade.WARNING
        assert f"the clock of lab-2 is {said}" in found.said
    assert examine(of(LAB_1, LAB_2 | {"clock_offset_ms": 4_999}))[0].grade is Grade.OK


def test_writes_that_wait_for_more_than_a_minute_are_found(examine: Examine) -> None:
    waiting = {"pending_writes": 3, "pending_oldest_ms": 61_000}
    (found,) = examine(WELL | waiting)
    assert found.said == "3 writes are on too few disks, the oldest for 1 min"
    assert examine(WELL | waiting | {"pending_oldest_ms": 59_000})[0].grade is Grade.OK


def test_forks_and_differing_states_are_errors(examine: Examine) -> None:
    (found,) = examine(WELL | {"forked": ["cccc3333.9f"]})
    assert found.grade is Grade.ERROR
    assert "cccc3333.9f" in found.said
    (found,) = examine(of(LAB_1, LAB_2 | {"reason": "its state diverges from ours"}))
    assert (found.grade, found.said) == (Grade.ERROR, "lab-2: its state diverges from ours")
    assert "verify --deep" in found.mend
    (found,) = examine(WELL | {"ready": False, "reason": "1 member diverges"})
    assert found.said == "this node: 1 member diverges"
    (found,) = examine(WELL | {"ready": False})
    assert (found.grade, "verify --deep" in found.mend) == (Grade.ERROR, True)


def test_a_node_that_is_fenced_or_lags_says_so(examine: Examine) -> None:
    (found,) = examine(WELL | {"state": "fenced", "reason": "its log was rolled back"})
    assert found.grade is Grade.ERROR
    (found,) = examine(WELL | {"ready": False, "state": "catching up", "reason": "9 ops behind"})
    assert found.grade is Grade.WARNING
    assert found.said == "this node is not ready (catching up): 9 ops behind"


def test_an_own_address_at_which_nobody_listens_is_found(examine: Examine) -> None:
    told = WELL | {"address": "lab-1.example:8379"}
    (found,) = examine(told)
    assert "lab-1.example:8379, which does not answer" in found.said
    assert examine(told, open_at=("lab-1.example:8379",))[0].grade is Grade.OK


def test_knocking_tells_an_open_port_from_a_closed_one_and_from_nonsense() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert cluster_checks.answers(f"127.0.0.1:{port}")
    assert not cluster_checks.answers(f"127.0.0.1:{port}")
    for nonsense in ("", "lab", "127.0.0.1:many", "127.0.0.1:99999"):
        assert not cluster_checks.answers(nonsense)
