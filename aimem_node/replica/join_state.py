"""How far this node has come with joining, kept so that a restart goes on where it was.

The secret of the line is in it only until the node is a member: what could be used again is not
kept longer than it is needed.
"""

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.addresses import split_address
from aimem_node.replica.handshake import KNOCKING
from aimem_node.replica.kept import damaged, keep, recall
from aimem_node.replica.line import FINGERPRINT_BYTES, Line, parse_line

FILE_NAME: Final = "joining.json"


class Step(StrEnum):
    """Where a joining stands. The words are those of JoinResponse."""

    NONE = "none"
    "Nobody asked for it."
    SPONSOR = "sponsor"
    "Looking for the sponsor, and whether it is the right one."
    IDENTITY = "identity"
    "Proving who this is; the voters decide."
    ADMITTED = "admitted"
    "A member, which holds nothing yet."
    SNAPSHOT = "snapshot"
    "Everything comes in one file."
    CATCH_UP = "catch_up"
    "What was written since comes op by op."
    VOTER = "voter"
    "Done."
    FAILED = "failed"
    "It ended before this node was a member."


BEFORE: Final = (Step.SPONSOR, Step.IDENTITY)
AFTER: Final = (Step.ADMITTED, Step.SNAPSHOT, Step.CATCH_UP)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to join, and with what."""

    addresses: tuple[str, ...]
    fingerprint: str
    invite_id: str
    "KNOCKING if there is no line."
    secret: bytes
    cluster_id: str
    "Empty if it is not known yet."
    name: str

    @property
    def said(self) -> str:
        """Tells one target from another without giving the secret away."""
        return f"{self.invite_id or 'knock'}@{self.fingerprint}"


@dataclass(frozen=True, slots=True)
class JoinState:
    """What is kept."""

    step: str = Step.NONE.value
    said: str = ""
    "Target.said of what was asked."
    line: str = ""
    "With its secret, until this node is a member."
    knock: str = ""
    "host:port, if there is no line."
    fingerprint: str = ""
    "Of the sponsor, if there is no line."
    cluster_id: str = ""
    name: str = ""
    address: str = ""
    bring: bool = False
    epoch: int = 0
    failure: str = ""
    next: str = ""
    snapshot_bytes: int = 0

    def target(self) -> Target:
        """Where it is to join. Raises INVALID_ARGUMENT if that cannot be read."""
        return target_of(self.line, self.knock, self.fingerprint)


def target_of(line: str, knock: str, fingerprint: str) -> Target:
    """Read what an operator gave: a line, or an address and a fingerprint."""
    if line:
        read: Line = parse_line(line)
        return Target(
            read.addresses, read.fingerprint, read.invite_id, read.secret, read.cluster_id,
            read.name,
        )  # fmt: skip
    split_address(knock, "$.knock")
    wanted = fingerprint.strip().lower().removeprefix("sha256:").replace(":", "")
    if len(wanted) != 2 * FINGERPRINT_BYTES or set(wanted) - set("0123456789abcdef"):
        raise Failure(
            Code.INVALID_ARGUMENT,
            "to knock, the whole fingerprint of the member is needed: 64 hex digits",
            path="$.fingerprint",
            next="Read it on that member's own screen: aimem-node identity",
        )
    return Target((knock,), wanted, KNOCKING, b"", "", "")


def load_state(home: Path) -> JoinState:
    """What was kept last. Raises CORRUPT if it cannot be read."""
    path = home / FILE_NAME
    facts = recall(path)
    if facts is None:
        return JoinState()
    blank = JoinState()
    known = {one.name: type(getattr(blank, one.name)) for one in fields(JoinState)}
    if any(type(facts.get(name)) is not kind for name, kind in known.items()):
        raise damaged(path)
    if facts["step"] not in set(Step):
        raise damaged(path)
    return JoinState(**{name: facts[name] for name in known})


def save_state(home: Path, state: JoinState) -> None:
    """On disk when this returns. Raises STORAGE."""
    keep(home / FILE_NAME, asdict(state))
