"""How long a cluster takes to be whole again after a partition in which packets are dropped.

Three nodes with real TLS and real files in one process, each pair joined by a link that stops
passing bytes without telling either end: no reset, no refusal, as behind a firewall that drops.
While one node is cut off, both sides go on writing. After the heal two clocks run: until a write at
the node that was cut off is acknowledged by a majority again, and until all three hold the same
logs. Every acknowledged write must then be on every node.
"""

import argparse
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aimem_node import logs
from aimem_node.contract.errors import Failure
from aimem_node.gateways.operator.bench.figures import Figure, Spread
from aimem_node.gateways.operator.bench.report import Marks, markdown_table, table, write_doc
from chaos.team import Team

AVAILABLE_S, LEVEL_S = 2.0, 5.0
WRITES_PER_S = 20
PATIENCE_S = 60.0
PENDING = {"allow_pending": True, "deadline_ms": 20}
DOC = Path("docs/PERFORMANCE.md")
MARKS = Marks(
    "<!-- made by `make chaos-heal ARGS=--write-doc`: do not edit below -->",
    "<!-- end of what chaos-heal made -->",
)


@dataclass(slots=True)
class Round:
    """One partition."""

    cut_s: float
    available_s: float = 0.0
    level_s: float = 0.0
    acknowledged: int = 0
    lost: int = 0


def one_round(team: Team, number: int, cut_s: float) -> Round:
    """Cut one node off for so long, writing on both sides; heal; measure."""
    found = Round(cut_s)
    alone = team.names[number % 3]
    others = [name for name in team.names if name != alone]
    for name in team.names:
        team.until_in_sync(name, 3)
    acknowledged: list[str] = []
    team.part(alone)
    ends = time.monotonic() + cut_s
    at = 0
    while time.monotonic() < ends:
        write(team, others[at % 2], f"r{number} {at}", acknowledged)
        team.store(alone, f"r{number} alone {at}", options=PENDING) if at % 4 == 0 else None
        at += 1
        time.sleep(1 / WRITES_PER_S)
    team.heal()
    healed = time.monotonic()
    while not write(team, alone, f"r{number} after {at}", acknowledged, deadline_ms=200):
        at += 1
        if time.monotonic() - healed > PATIENCE_S:
            raise RuntimeError("no write is acknowledged after the heal")
    found.available_s = time.monotonic() - healed
    team.until_level()
    found.level_s = time.monotonic() - healed
    found.acknowledged = len(acknowledged)
    for name in team.names:
        held = held_titles(team, name, f"r{number} ")
        found.lost += sum(title not in held for title in acknowledged)
    return found


def write(
    team: Team, name: str, title: str, acknowledged: list[str], deadline_ms: int = 1_500
) -> bool:
    """Whether a store was acknowledged by a majority; its title is noted then."""
    try:
        options: dict[str, Any] = {"deadline_ms": deadline_ms}
        outcome = team.store(name, title, options=options)["write"]["outcome"]
    except Failure:
        return False
    if outcome == "committed":
        acknowledged.append(title)
    return bool(outcome == "committed")


def held_titles(team: Team, name: str, prefix: str) -> set[str]:
    """The titles of one round on one node, over all pages."""
    titles: set[str] = set()
    cursor = None
    while True:
        more: dict[str, Any] = {} if cursor is None else {"cursor": cursor}
        page = team.call(name, "List", limit=1000, **more)
        titles.update(m["title"] for m in page["memories"] if m["title"].startswith(prefix))
        cursor = page.get("next_cursor")
        if not cursor:
            return titles


def figures_of(rounds: list[Round]) -> list[Figure]:
    """What was found, beside the goals."""
    cut = f"{rounds[0].cut_s:g} s of dropped packets, {len(rounds)} times"
    available = Spread.of([one.available_s * 1000 for one in rounds])
    level = Spread.of([one.level_s * 1000 for one in rounds])
    return [
        Figure(
            f"{cut}: until a write is acknowledged again", available.p95_ms, "ms p95",
            AVAILABLE_S * 1000, spread=available,
        ),
        Figure(
            f"{cut}: until all members are level", level.p95_ms, "ms p95", LEVEL_S * 1000,
            spread=level,
        ),
        Figure("acknowledged writes", sum(one.acknowledged for one in rounds), "writes"),
        Figure(
            "acknowledged writes missing on any of the three nodes",
            sum(one.lost for one in rounds), "writes", 0, "exactly",
        ),
    ]  # fmt: skip


def main() -> int:
    """0 when every goal is met, 1 when one is missed."""
    parser = argparse.ArgumentParser("chaos.heal", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each partition is")
    parser.add_argument("--seed", type=int, default=1, help="who is cut off first")
    parser.add_argument("--write-doc", action="store_true", help=f"rewrite the part in {DOC}")
    asked = parser.parse_args()
    logs.set_up("error", False)
    first = random.Random(asked.seed).randrange(3)
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="aimem-heal-") as root:
        team = Team(Path(root), 3)
        try:
            for number in range(asked.rounds):
                found = one_round(team, first + number, asked.seconds)
                rounds.append(found)
                sys.stderr.write(
                    f"… round {number + 1} of {asked.rounds}: available after "
                    f"{found.available_s:.2f} s, level after {found.level_s:.2f} s, "
                    f"{found.acknowledged} acknowledged, {found.lost} lost\n"
                )
        finally:
            team.close()
    figures = figures_of(rounds)
    print(table(figures))
    if asked.write_doc:
        write_doc(DOC, markdown_table(figures), MARKS)
    return 0 if all(figure.met is not False for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
