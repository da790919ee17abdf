# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit.
"""Show who did what, and that nothing was changed since."""

from __future__ import annotations

from dataclasses import dataclass

from aimem_node.contract.value import Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AuditRequest(Value):
    """What Audit is asked."""

    since: int | None = None
    """Done then or later."""
    until: int | None = None
    """Done then or earlier."""
    author: str | None = None
    """Only by this principal or agent."""
    namespace: str | None = None
    """Exactly this namespace; with a trailing /* everything below it too."""
    id: str | None = None
    """Only this record."""
    event: str | None = None
    """Only this kind of event: memory_stored, policy_set, ..."""
    limit: int | None = None
    """End after this many; all that there are when absent."""
    verify: bool = True
    """Prove the chains and signatures of all logs, whatever is listed of them."""
    after: str | None = None
    """The token of the last line that was seen: go on behind it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AuditRecordEntry(Value):
    """AuditRecordEntry, as it crosses a process boundary."""

    token: str = ""
    write_id: str = ""
    """The op, as origin:sequence."""
    written_at: int | None = None
    author: str = ""
    """The principal, and the node it called."""
    node_id: str = ""
    node_name: str = ""
    agent_id: str = ""
    """The agent that it spoke as, where the op says so."""
    event: str = ""
    record_id: str = ""
    record_type: str = ""
    namespace: str = ""
    changed: tuple[str, ...] = ()
    """What was written: registers and tags, without any text of a memory."""
    rule: str = ""
    """The rule that allowed or asked for approval of it, where one did."""
    request_key: str = ""
    epoch: int = 0
    body_sha256: str = ""
    """SHA-256 of the body, in hex, and of the chain behind it."""
    chain: str = ""
    body_absent: bool = False
    """True when the body is not here: erased, withheld, or given up for its age."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AuditRecordVerdict(Value):
    """AuditRecordVerdict, as it crosses a process boundary."""

    sound: bool = False
    """True when every chain is whole and every signature good."""
    ops: int = 0
    listed: int = 0
    problems: tuple[str, ...] = ()
    """Up to 100 sentences."""
    heads: tuple[str, ...] = ()
    """Where each log ends, as origin:sequence chain-hash."""
    verified: bool = False
    """False when it was not asked for."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AuditRecord(Value):
    """One thing that was done, or the verdict at the end. Exactly one of entry and verdict is
    given.
    """

    entry: AuditRecordEntry | None = None
    verdict: AuditRecordVerdict | None = None
