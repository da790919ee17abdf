# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit.
"""For the operator of a node."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatusRequest:
    """What NodeStatus is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginStatus:
    """OriginStatus, as it crosses a process boundary."""

    origin: str = ""
    have: int = 0
    head: str = ""
    """Hash of the last op, in hex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatusResponse:
    """What NodeStatus answers."""

    node_id: str = ""
    fingerprint: str = ""
    version: str = ""
    data_dir: str = ""
    started_at: int | None = None
    state: str = ""
    """serving, or failed with the reason."""
    reason: str = ""
    origins: tuple[OriginStatus, ...] = ()
    digest: str = ""
    """SHA-256 over the state of all records, in hex: equal on nodes that have seen the same ops."""
    db_size_bytes: int = 0
    wal_size_bytes: int = 0
    disk_free_bytes: int = 0
    schema_version: int = 0
    listening: tuple[str, ...] = ()
    """Where callers reach it."""
    resident_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRequest:
    """What Backup is asked."""

    to: str | None = None
    """A directory on the node's machine; the data directory's backups folder when absent."""
    keep: int = 48
    """How many backups to keep there; 0 keeps all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupResponse:
    """What Backup answers."""

    path: str = ""
    sha256: str = ""
    bytes: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """What Verify is asked."""

    deep: bool = False
    """Fold the whole log again and compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyResponse:
    """What Verify answers."""

    ok: bool = False
    ops: int = 0
    records: int = 0
    digest: str = ""
    problems: tuple[str, ...] = ()
    """What is wrong, one line each."""
