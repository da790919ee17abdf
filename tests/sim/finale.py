"""What chance alone would hardly bring about, done to a level cluster at the end of some runs.

A fork needs an old disk, put back without our tools, that is written on before anybody is heard;
a refused snapshot needs a node that has lost its disk and still has more to tell than the asker
has. Both begin from a cluster that is level, so that what must come of them is known.
"""

from __future__ import annotations

from collections.abc import Callable

from aimem_sync.change import Change
from tests.sim.world import MS, SECOND, Node, World

OPS_MANY = 15
"""More than the lag from which on a snapshot is asked for here."""


def write(world: World, node: Node, count: int) -> None:
    """Ops on one node, whoever is in reach."""
    for _ in range(count):
        number = world.last_request + 1
        change = Change(f"f{number}", "memory", set={"title": f"finale {number}"})
        world.write(node.node_id, change, f"finale-{number}", wait_us=50 * MS, allow_pending=True)


def honest(world: World) -> list[Node]:
    """Members that have never gone on from an old image under an old name."""
    return [node for node in world.members() if node.node_id not in world.oracles.unrenewed]


def alone(world: World, node: Node) -> None:
    others = [name for name in world.nodes if name != node.node_id]
    world.net.blocked.update((node.node_id, name) for name in others)
    world.net.blocked.update((name, node.node_id) for name in others)


def fork(world: World, settle: Callable[[], int]) -> None:
    """A node goes on from an old image as if nothing had been written since."""
    able = honest(world)
    if len(world.members()) < 2 or not able:
        return
    node = world.rng.choice(able)
    image, origin = node.disk.image.copy(), node.disk.origin
    write(world, node, world.rng.randint(1, 4))
    world.run(world.now_us + SECOND)
    settle()
    if node.disk.origin != origin:
        return  # it has found out something else about itself meanwhile
    world.oracles.forgive_forks = True
    alone(world, node)
    world.restore(node.node_id, image, renew=False, origin=origin)
    world.start(node.node_id)
    write(world, node, world.rng.randint(1, 6))
    world.run(world.now_us + 500 * MS)
    world.net.heal()
    settle()
    if node.disk.origin == origin:
        world.oracles.fail("I2", "a fork was not found out")


def lost_and_ahead(world: World, settle: Callable[[], int]) -> None:
    """One has lost its disk and written much since; another one hears of it alone."""
    able = honest(world)
    if len(able) < 2 or world.retained_ops > 10:
        return
    asker, wiped = world.rng.sample(able, 2)
    write(world, asker, world.retained_ops + 5)
    world.run(world.now_us + 5 * SECOND)
    settle()
    world.snapshot_lag_ops = OPS_MANY - 5
    world.crash(asker.node_id)
    world.start(asker.node_id)
    alone(world, wiped)
    world.restore(wiped.node_id, wiped.disk.image.bare())
    world.start(wiped.node_id)
    write(world, wiped, OPS_MANY)
    world.run(world.now_us + SECOND)
    pair = {(asker.node_id, wiped.node_id), (wiped.node_id, asker.node_id)}
    world.net.blocked -= pair
    world.run(world.now_us + SECOND)
    world.net.heal()
    settle()


FINALES: tuple[Callable[[World, Callable[[], int]], None], ...] = (fork, lost_and_ahead)
