"""Every fault says what to do next."""

from __future__ import annotations

from aimem_sync import faults
from aimem_sync.faults import Duplicate, Fork, Gap, PeerFault


def test_every_fault_is_a_peer_fault_and_names_a_next_step_of_its_own() -> None:
    found = [f for f in vars(faults).values() if isinstance(f, type) and issubclass(f, Exception)]
    assert all(issubclass(fault, PeerFault) for fault in found)
    steps = [fault.__dict__["next_step"] for fault in found if "next_step" in fault.__dict__]
    assert len(steps) == len(set(steps)) == len(found) - 1  # AdmitFault is only a family


def test_a_refusal_carries_what_the_answer_to_the_peer_needs() -> None:
    assert Gap(7).have == 7
    assert Duplicate(3).seq == 3
    fork = Fork(5, b"\xab" * 32)
    assert (fork.seq, fork.chain) == (5, b"\xab" * 32)
    assert "ab" * 32 in str(fork)
