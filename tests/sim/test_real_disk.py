"""The node's own store does in a run what the store in memory does: same seed, same trace."""

from pathlib import Path
from typing import Any

import pytest

from tests.sim import real_disk
from tests.sim.campaign import REAL_EVERY, kind_of, one
from tests.sim.directed import A, level, put
from tests.sim.oracles import Violation
from tests.sim.real_disk import RealDisk, RealWorld
from tests.sim.world import SECOND, World


class Model(World):
    """Disks in memory, in a run set up as one with real disks is."""

    def __init__(self, seed: int, nodes: int, **more: Any) -> None:
        super().__init__(seed, nodes, **{**more, "retained_ops": real_disk.KEEP_EVERYTHING})

    def prepare(self) -> None:
        self.snapshot_lag_ops = 0


def test_a_run_on_real_disks_is_the_same_run() -> None:
    real = one(3, RealWorld)
    assert real.violation == ""
    assert real.notes["real store"] == 1
    assert (real.trace, real.ops) == (one(3, Model).trace, one(3, Model).ops)


def test_a_share_of_the_seeds_has_real_disks() -> None:
    assert [seed for seed in range(1, 201) if kind_of(seed) is RealWorld] == list(
        range(REAL_EVERY, 201, REAL_EVERY)
    )


def test_a_store_that_says_otherwise_than_its_log_is_found_out() -> None:
    world = RealWorld(7, 2)
    try:
        world.run(SECOND)
        put(world, A, "r", "one")
        world.run(world.now_us + SECOND)
        level(world)
        world.check()
        disk = world.nodes[A].disk
        assert isinstance(disk, RealDisk)
        disk.image.states.clear()
        with pytest.raises(Violation, match="buckets differ"):
            world.check()
        disk.image.heads.clear()
        world.crash(A)
        with pytest.raises(Violation, match="lost or made up"):
            world.start(A)
    finally:
        world.close()


def test_a_run_leaves_no_files_behind() -> None:
    world = RealWorld(7, 2)
    home = Path(world.home)
    assert home.exists()
    world.close()
    assert not home.exists()
