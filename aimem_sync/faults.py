"""Every way in which what came from elsewhere can be wrong, and what to do about it.

    PeerFault
    ├── OpFault         not an op, a dot or an edit at all
    ├── ChainFault      an op that does not match its own hash
    ├── LamportFault    a Lamport number out of bounds
    └── AdmitFault      a sound op that cannot come next in its log
        ├── Gap         ops before it are missing
        ├── Duplicate   already held
        └── Fork        two histories under one origin

A fault speaks about the op it was raised for and changes nothing: the log, cursor or state that
was passed in is as good as before.
"""

# These are named for what a peer did; half of them are no error of anyone.
# ruff: noqa: N818

from __future__ import annotations

from typing import ClassVar


class PeerFault(Exception):
    """Base of all of them. `next_step` is a sentence for the operator's log."""

    next_step: ClassVar[str] = "Drop the message and close the link; dial again with backoff."


class OpFault(PeerFault):
    """The bytes or text have no reading as an op, a dot, a cursor or an edit."""

    next_step = "Drop it, count it against the sender, and ask another member for the same range."


class ChainFault(PeerFault):
    """The op does not match its own hash: damaged on disk, on the way, or on purpose."""

    next_step = "Keep nothing of the page; fetch the range again from another member."


class LamportFault(PeerFault):
    """A Lamport number leaps too far or lies past the end of the numbers."""

    next_step = "Refuse the op and tell the operator: the clock of its origin is damaged."


class AdmitFault(PeerFault):
    """A sound op that cannot come next in its log."""


class Gap(AdmitFault):
    """Ops before this one are missing. `have` is the last sequence held."""

    next_step = "Answer GAP with `have`; the sender resends from have + 1."

    def __init__(self, have: int) -> None:
        super().__init__(f"the log is held up to {have}; the op is not the next one")
        self.have = have


class Duplicate(AdmitFault):
    """The op is held already. `seq` is its sequence."""

    next_step = "Drop it and acknowledge as usual: taking it in twice changes nothing."

    def __init__(self, seq: int) -> None:
        super().__init__(f"op {seq} is held already")
        self.seq = seq


class Fork(AdmitFault):
    """Two histories under one origin: its disk was restored and it wrote on.

    `seq` and `chain` name the op held here with which the newcomer disagrees.
    """

    next_step = "Quarantine the origin, answer FORK with `seq` and `chain`, bisect with ChainAt."

    def __init__(self, seq: int, chain: bytes) -> None:
        super().__init__(f"another history: here op {seq} has the hash {chain.hex()}")
        self.seq = seq
        self.chain = chain
