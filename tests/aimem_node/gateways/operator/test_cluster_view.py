"""A cluster on a screen of 80 columns: what stands where, and that nothing needed is missing."""

from aimem_node.gateways.cli.look import Look, cells
from aimem_node.gateways.operator import cluster_view
from tests.aimem_node.gateways.operator.cluster_answers import ALONE, AWAY, ILL, LAB_1, WELL

NARROW = Look(False, 80)

STANDING = """\
  cluster   3f2a9c1b, epoch 7, N=3, W=2, 2 in sync
  peers at  lab-1.example:8379
  pending   2 writes, the oldest 3.4 s

  member       role     state          lag ops    behind     ack    clock  heard
  lab-1 *      voter    self
  lab-2        voter    in sync              0       0 B  1.2 ms    -3 ms  0.2 s
  workstatio…  voter    unreachable  1,234,567  987.7 MB  123 ms  +12.3 s    3 d
  dddd4444     learner  catching up        512   51.2 kB                   never

  member                       log of                          has      lacks
  lab-2                        lab-1.1f                         12          0
  workstation-in-the-basement  workstation-in-the-basement.9f    3  1,234,567

  not ready: 2 logs are forked
  workstation-in-the-basement: last heard of 3.2 days ago
  workstation-in-the-basement has 3 ops that this node lacks
  dddd4444: 512 ops to go
  two histories of cccc3333.9f: see docs/recovering.md, fork
  lab-9 at 10.0.0.9:8379 knocked: aimem-node approve 7f3c7f3c7f3c7f3c"""

MEMBERS = """\
name              node      role     address           key           state
lab-1             aaaa1111  voter    lab-1.example:8…  a1a1a1a1a1a1  self
lab-2             bbbb2222  voter    lab-2.example:8…  b1b1b1b1b1b1  in sync
                                                       b2b2b2b2b2b2
workstation-in-…  cccc3333  voter    basement.far-aw…  c1c1c1c1c1c1  unreachable
                  dddd4444  learner  (only dials)      d1d1d1d1d1d1  catching up

1 key revoked for ever
  abababababababababababababababababababababababababababababababab"""


def test_the_standing_of_an_ill_cluster_fits_a_narrow_screen() -> None:
    lines = cluster_view.standing(ILL, NARROW, origins=True)
    assert "\n".join(lines) == STANDING
    assert max(map(cells, lines)) <= 80


def test_the_members_fit_a_narrow_screen_with_every_key() -> None:
    lines = cluster_view.members(ILL, NARROW, everyone=True)
    assert "\n".join(lines) == MEMBERS
    assert max(map(cells, lines)) <= 80
    assert "revoked" not in "\n".join(cluster_view.members(ILL, NARROW))


def test_a_cluster_in_which_all_is_well_says_no_more_than_that() -> None:
    assert cluster_view.standing(WELL, NARROW) == [
        "  cluster   3f2a9c1b, epoch 7, N=2, W=2, 2 in sync",
        "  pending   0",
        "",
        "  member   role   state    lag ops  behind     ack  clock  heard",
        "  lab-1 *  voter  self",
        "  lab-2    voter  in sync        0     0 B  1.2 ms  -3 ms  0.2 s",
    ]


def test_a_node_that_is_alone_has_no_table_and_says_how_to_add_one() -> None:
    (line,) = cluster_view.standing(ALONE, NARROW)
    assert line == "  cluster   3f2a9c1b, alone (to add a machine: aimem-node invite)"


def test_a_node_that_is_not_serving_says_why_even_when_alone() -> None:
    fenced = ALONE | {"state": "fenced", "reason": "its log is older than it was", "ready": False}
    assert cluster_view.standing(fenced, NARROW)[-1] == "  fenced: its log is older than it was"


def test_what_a_stranger_calls_itself_cannot_move_the_cursor() -> None:
    knock = {"fingerprint": "7f3c" * 16, "name": "\x1b[2Jgone", "address": "a:1"}
    member = AWAY | {"name": "\x1b[31mred", "reason": "\x07bell"}
    said = "\n".join(
        [
            *cluster_view.standing(ILL | {"knocks": [knock], "members": [LAB_1, member]}, NARROW),
            *cluster_view.members(ILL | {"members": [member]}, NARROW),
        ]
    )
    assert "\x1b" not in said
    assert "\x07" not in said


def test_the_pins_are_one_for_each_key_and_the_revoked_ones_if_asked() -> None:
    pins = cluster_view.pins(ILL)
    assert [(pin.name, pin.role) for pin in pins] == [
        ("lab-1", "voter"),
        ("lab-2", "voter"),
        ("lab-2", "voter"),
        ("workstation-in-the-basement", "voter"),
        ("", "learner"),
    ]
    extra = set(cluster_view.pins(ILL, everyone=True)) - set(pins)
    assert {(pin.fingerprint, pin.role) for pin in extra} == {("ab" * 32, "revoked")}
