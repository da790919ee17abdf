"""What this node has promised and accepted about members, on disk before anybody is told.

The file lies beside the key and not in the store: a store that is put back from a backup would
bring back a node that has forgotten a promise, and two majorities could then decide differently.
For the same reason a file that cannot be read is never taken for an empty one.
"""

import json
import threading
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.kept import forget, keep
from aimem_sync.effects import Vote
from aimem_sync.faults import OpFault
from aimem_sync.members import Config, decode_config, encode_config
from aimem_sync.messages import Ballot

FILE: Final = "votes.json"
FORM: Final = 1
_PARTS: Final = {"form", "sha256", "votes"}


class VoteFile:
    """The votes of one node. May be used from any thread."""

    def __init__(self, identity_dir: Path) -> None:
        self._path = identity_dir / FILE
        self._lock = threading.Lock()
        self._votes: dict[int, Vote] | None = None

    def load(self) -> dict[int, Vote]:
        """Every vote that was kept, by epoch; empty if there is no file.

        Raises Failure CORRUPT if the file is damaged, STORAGE if it cannot be read.
        """
        with self._lock:
            return dict(self._loaded())

    def keep(self, vote: Vote) -> None:
        """Keep this vote in place of what was kept about its epoch; on disk when this returns.

        Raises Failure STORAGE, then the former votes stand; CORRUPT as `load` does.
        """
        with self._lock:
            votes = {**self._loaded(), vote.epoch: vote}
            rows = [_row(votes[epoch]) for epoch in sorted(votes)]
            keep(self._path, {"form": FORM, "sha256": _sum(rows), "votes": rows})
            self._votes = votes

    def clear(self) -> None:
        """Forget them all: this node now belongs to another cluster, whose epochs are others."""
        with self._lock:
            forget(self._path)
            self._votes = {}

    def _loaded(self) -> dict[int, Vote]:
        if self._votes is None:
            self._votes = self._read()
        return self._votes

    def _read(self) -> dict[int, Vote]:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise Failure(Code.STORAGE, f"cannot read {self._path}: {error.strerror}") from error
        try:
            return _votes(json.loads(content))
        except (ValueError, KeyError, TypeError, OpFault) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, why: str) -> Failure:
        return Failure(
            Code.CORRUPT,
            f"{self._path} is damaged: {why}",
            next="Put the file back as it was. If it is lost, this node must not vote under its "
            "present name again: have another member evict it, then join anew with an empty "
            "data directory.",
        )


def _row(vote: Vote) -> dict[str, Any]:
    accepted = None if vote.accepted is None else encode_config(vote.accepted).decode()
    return {
        "epoch": vote.epoch,
        "promised": list(vote.promised),
        "accepted_ballot": list(vote.accepted_ballot),
        "accepted": accepted,
    }


def _votes(said: Any) -> dict[int, Vote]:
    if not isinstance(said, dict) or said.keys() != _PARTS or said["form"] != FORM:
        raise ValueError("it is not a list of votes")
    rows = said["votes"]
    if said["sha256"] != _sum(rows):
        raise ValueError("it does not match its own hash")
    votes = {vote.epoch: vote for vote in map(_vote, rows)}
    if len(votes) != len(rows):
        raise ValueError("it speaks of one epoch twice")
    return votes


def _vote(row: Mapping[str, Any]) -> Vote:
    if row.keys() != {"epoch", "promised", "accepted_ballot", "accepted"}:
        raise ValueError("a vote has other parts")
    accepted: Config | None = None
    if row["accepted"] is not None:
        accepted = decode_config(row["accepted"].encode())
        if accepted.epoch != row["epoch"]:
            raise ValueError("a vote accepts another epoch than its own")
    if type(row["epoch"]) is not int or row["epoch"] < 1:
        raise ValueError("not the number of an epoch")
    return Vote(row["epoch"], _ballot(row["promised"]), _ballot(row["accepted_ballot"]), accepted)


def _ballot(said: Any) -> Ballot:
    turn, node_id = said
    if type(turn) is not int or turn < 0 or type(node_id) is not str:
        raise ValueError("not a ballot")
    return (turn, node_id)


def _sum(rows: Any) -> str:
    return sha256(json.dumps(rows, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
