"""What happens to a node's process: it is killed, stopped for a while, or told a wrong time."""

from __future__ import annotations

import signal

from chaos.cluster import Build
from chaos.faults.stage import Stage, fault_class

HOUR_US = 3_600_000_000
KILL_PATIENCE_S = 10.0


@fault_class(
    "kill", "One or more nodes, sometimes all, end with SIGKILL and are started again.",
    "What was confirmed was on W disks, not in W memories; retries are done once.",
)  # fmt: skip
async def kill(stage: Stage) -> None:
    gone = stage.some(1, len(stage.cluster.names))
    async with stage.struck("kill", gone) as blow:
        in_flight = stage.workload.in_flight
        stage.cluster.kill(*gone)
        blow.proof(killed=len(gone))
        blow.note(in_flight=in_flight)
        await stage.hold(0.05, 2.0)
        for name in gone:
            await stage.cluster.spawn(name)
        await stage.cluster.answering(gone)


@fault_class(
    "kill-at-commit", "A node kills itself between its commit and its answer, or just before it.",
    "A write without an answer is there once or not at all, and its key tells which.",
)  # fmt: skip
async def kill_at_commit(stage: Stage) -> None:
    [gone] = stage.pick()
    when = stage.chance.choice(["kill-after-commit", "kill-after-commit", "kill-before-commit"])
    async with stage.struck("kill-at-commit", [gone]) as blow:
        machine = stage.cluster.machines[gone]
        machine.tell({"do": when, "count": stage.chance.randint(1, 5)})
        why_not = f"{gone} had no commit to die at"
        blow.proof(killed=await machine.ended(KILL_PATIENCE_S, why_not) == -signal.SIGKILL)
        blow.note(when=when)
        await stage.cluster.start(gone)


@fault_class(
    "power-cut", "Nodes lose power: they end, and what no fsync had put away is gone or torn.",
    "A confirmation means the disk, not the operating system.", build=Build(disk=True),
)  # fmt: skip
async def power_cut(stage: Stage) -> None:
    gone = stage.some(1, len(stage.cluster.names))
    async with stage.struck("power-cut", gone) as blow:
        blow.note(taken_back=stage.cluster.cut_power(*gone))
        blow.proof(killed=len(gone))
        for name in gone:
            await stage.cluster.spawn(name)
        await stage.cluster.answering(gone)


@fault_class(
    "pause", "A node is stopped for 0.2 to 30 s while its kernel goes on acknowledging.",
    "A node that stands still holds up nobody, and believes nothing it slept through.",
)  # fmt: skip
async def pause(stage: Stage) -> None:
    still = stage.some(1, max(1, stage.minority))
    async with stage.struck("pause", still) as blow:
        for name in still:
            stage.cluster.machines[name].pause()
        held_s = await stage.hold(0.2, 30.0)
        states = [_state(stage.cluster.machines[name].pid) for name in still]
        for name in still:
            stage.cluster.machines[name].go_on()
        blow.proof(stopped=states == ["T"] * len(still))
        blow.note(held_s=round(held_s, 3))


def _state(pid: int) -> str:
    """A process's state as the kernel sees it: T is stopped."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0]


@fault_class(
    "clock-jump", "The clocks of some nodes jump by up to an hour, forward or back.",
    "No order, no cursor and no expiry of what is wanted hangs on a clock.",
)  # fmt: skip
async def clock_jump(stage: Stage) -> None:
    wrong = stage.some(1, len(stage.cluster.names))
    async with stage.struck("clock-jump", wrong) as blow:
        shifts = {name: stage.chance.randint(-HOUR_US, HOUR_US) for name in wrong}
        for name, shift_us in shifts.items():
            stage.cluster.machines[name].tell({"do": "clock", "shift_us": shift_us, "rate": 1.0})
        blow.proof(shifts_s={name: round(us / 1e6, 1) for name, us in shifts.items()})
        await stage.hold(1.0, 4.0)
        for name in wrong:
            stage.cluster.machines[name].tell({"do": "clock", "shift_us": 0, "rate": 1.0})


@fault_class(
    "clock-drift", "The clocks of some nodes run at half to twice the proper speed.",
    "Time that passes differently on each node decides nothing between them.",
)  # fmt: skip
async def clock_drift(stage: Stage) -> None:
    wrong = stage.some(1, len(stage.cluster.names))
    async with stage.struck("clock-drift", wrong) as blow:
        rates = {name: round(2 ** stage.chance.uniform(-1, 1), 3) for name in wrong}
        for name, rate in rates.items():
            stage.cluster.machines[name].tell({"do": "clock", "shift_us": 0, "rate": rate})
        blow.proof(rates=rates)
        await stage.hold(1.0, 6.0)
        for name in wrong:
            stage.cluster.machines[name].tell({"do": "clock", "shift_us": 0, "rate": 1.0})
