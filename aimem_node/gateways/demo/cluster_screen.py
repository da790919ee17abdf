"""How the cluster demo looks: the operator's table, a line for each node, what was recalled."""

from collections.abc import Mapping, Sequence

from aimem_node.contract import codec
from aimem_node.contract.values import ClusterStatusResponse
from aimem_node.gateways.cli.look import Look
from aimem_node.gateways.demo.agreement import Hits, Standing
from aimem_node.gateways.demo.asking import hit_line
from aimem_node.gateways.demo.conversation import Question
from aimem_node.gateways.demo.screen import Piece, Screen, Tone
from aimem_node.gateways.operator import cluster_view

DIGEST_CHARS = 12
INDENT = 3


def mark(holds: bool) -> Piece:
    """A tick or a cross, before what it is about."""
    return ("✓ ", Tone.GOOD) if holds else ("✗ ", Tone.BAD)


def show_status(screen: Screen, status: ClusterStatusResponse) -> None:
    """The table that `aimem-node status` shows."""
    look = Look(colours=False, width=screen.width - INDENT)
    for line in cluster_view.standing(codec.to_json(status), look):
        screen.line(line.removeprefix("  "))


def show_standings(screen: Screen, standings: Sequence[Standing]) -> None:
    """What each node has, side by side."""
    screen.line(
        (f"{'node':<6}{'ops':>7}{'memories':>10}  {'digest':<14}{'ends of logs':<14}verify",
         Tone.QUIET),
    )  # fmt: skip
    first = standings[0]
    for one in standings:
        ends = " ".join(head[:4] for _, (_, head) in sorted(one.heads.items()))
        alike = one.digest == first.digest and one.heads == first.heads
        sound = f"{len(one.problems)} faults" if one.problems else "sound"
        screen.line(
            (f"{one.name:<6}", Tone.NAME), (f"{one.ops:>7,}{one.records:>10,}  ", Tone.FIGURE),
            (f"{one.digest[:DIGEST_CHARS]:<14}{ends:<14}", Tone.PLAIN if alike else Tone.BAD),
            (sound, Tone.BAD if one.problems else Tone.GOOD),
        )  # fmt: skip


def show_answers(
    screen: Screen, question: Question, answers: Mapping[str, Hits], odd: Sequence[str]
) -> None:
    """One question, who answered alike, and the best hit."""
    screen.line(("? ", Tone.NAME), (question.text, Tone.STRONG))
    names = ", ".join(answers)
    hits = next(iter(answers.values()))
    if odd:
        screen.line(("✗ ", Tone.BAD), f"{', '.join(odd)} answered otherwise", indent=5)
    else:
        screen.line(
            ("✓ ", Tone.GOOD), f"{names}: the same {len(hits)} memories in the same order", indent=5
        )
    for at, hit in enumerate(hits[:1], 1):
        screen.line(*hit_line(at, hit, is_evidence=False), indent=5)
