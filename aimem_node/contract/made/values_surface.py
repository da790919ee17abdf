# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit.
"""What a declaration may say about an operation or a field beyond its types.  Every surface
(gRPC, MCP, HTTP, CLI, OpenAPI, the generated docs) is derived from these facts by rule. If a
gateway needs to know something about an operation, the fact belongs here and not in the
gateway.
"""

from __future__ import annotations

from enum import StrEnum


class Effect(StrEnum):
    """One of a few words."""

    READ = "read"
    """Changes nothing that another caller could see."""
    WRITE = "write"
    """Appends at least one op to the log when it succeeds."""
    ADMIN = "admin"
    """Concerns the node itself, not the memories in it."""


class Role(StrEnum):
    """The least a caller must be to call the operation."""

    READER = "reader"
    WRITER = "writer"
    ADMIN = "admin"
    """The operator: the local user who owns the node, or a caller granted the admin scope."""


class Profile(StrEnum):
    """The smallest MCP tool list that shows the operation. Each one includes those before it."""

    CORE = "core"
    """At most eight tools and six kilobytes: what an agent needs every day."""
    STANDARD = "standard"
    """Core plus the rest of the memory operations."""
    FULL = "full"
    """Everything the node can do."""


class Format(StrEnum):
    """A shape that several fields share. Checked in one place for every surface."""

    CLEAN = "clean"
    """No control characters except newline and tab. Windows line ends become newlines."""
    TITLE = "title"
    """Clean, trimmed, not empty, on one line."""
    TEXT = "text"
    """Clean and not blank."""
    NAMESPACE = "namespace"
    """One to eight segments joined by '/', none of them empty, '.', '..' or '*'; no spaces, no
    backslash.
    """
    AGENT_ID = "agent_id"
    """ASCII letters, digits and _ - : @ . /"""
    ID = "id"
    """Clean, not blank: a record's id, or a prefix of one that is unique."""
    TAG = "tag"
    """Clean, trimmed, not empty."""
    JSON_OBJECT = "json_object"
    """A JSON object, at most 32 levels deep."""
    WORD = "word"
    """A word: lower-case letters, digits and underscores."""
