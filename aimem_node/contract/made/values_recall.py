# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit.
"""Find memories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aimem_node.contract.made.values_nouns import Memory, Standard, Tier
from aimem_node.contract.value import Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RecallRequest(Value):
    """What Recall is asked."""

    context: str
    """The question or situation, in natural words."""
    namespace: str | None = None
    """Only here; a name with '/' includes its ancestors, a trailing /* everything below."""
    limit: int = 10
    """At most this many."""
    tags: tuple[str, ...] = ()
    """All of these tags."""
    since: int | None = None
    """Stored at this time or later."""
    until: int | None = None
    """Stored at this time or earlier."""
    budget_tokens: int | None = None
    """At most about this many tokens of content; the best hit is always given."""
    tier: Tier | None = None
    """Only this tier."""
    agent_id: str | None = None
    """Said by this agent."""
    session: str | None = None
    """From this session, thread or document."""
    explain: bool = False
    """Say for each hit what made its score."""
    as_agent: str | None = None
    """See no more than somebody placed in this namespace would."""
    mode: str = "auto"
    """How to look: auto takes words and meaning where a model is there, keyword words alone."""
    rerank: str | None = None
    """Read the best again before the cut: off, tokens (the embedder's own), cross (a
    cross-encoder), llm. As the node is set when absent.
    """
    as_of: int | None = None
    """As the memories were known at this moment."""
    context_tokens: tuple[str, ...] = ()
    """What is being talked about: moves the meaning of the question towards it, by three parts
    of ten.
    """
    expand: bool = False
    """Let the node's language model add words to the question, if it has one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Pool(Value):
    """Where candidates came from."""

    name: str = ""
    """keyword, semantic, neighbours, past."""
    candidates: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Reason(Value):
    """What made the score of one hit."""

    id: str = ""
    factors: Mapping[str, Any] = field(default_factory=dict)
    """The named factors and their values, as a JSON object."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RecallResponse(Value):
    """What Recall answers."""

    memories: tuple[Memory, ...] = ()
    """Best first."""
    count: int = 0
    mode: str = ""
    """How it was found: keyword, semantic or hybrid, and "+rerank" if the best were read again."""
    tokens_used: int = 0
    """Tokens of the content returned, about four bytes each."""
    budget_tokens: int | None = None
    left_out: int = 0
    """Hits that were found but left out for the budget."""
    candidates: int = 0
    """Memories that were considered."""
    unavailable: tuple[str, ...] = ()
    """Ways of finding that were not available, and why."""
    reasons: tuple[Reason, ...] = ()
    """Only when explain was asked for; in the order of memories."""
    standards: tuple[Standard, ...] = ()
    """What everyone should know who works in the namespace, the general first. Not counted as
    tokens used.
    """
    pools: tuple[Pool, ...] = ()
    """How many candidates each way of looking gave."""
    expanded: tuple[str, ...] = ()
    """Words that a language model added to the question."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SearchRequest(Value):
    """What Search is asked."""

    query: str
    """Words that must all occur."""
    namespace: str | None = None
    """Exactly this namespace; with a trailing /* everything below it too."""
    tier: Tier | None = None
    """Only this tier."""
    limit: int = 20
    """At most this many."""
    tags: tuple[str, ...] = ()
    """All of these tags."""
    agent_id: str | None = None
    """Said by this agent."""
    since: int | None = None
    """Stored at this time or later."""
    until: int | None = None
    """Stored at this time or earlier."""
    min_priority: int | None = None
    """At least this priority."""
    session: str | None = None
    """From this session, thread or document."""
    as_agent: str | None = None
    """See no more than somebody placed in this namespace would."""
    as_of: int | None = None
    """As the memories were known at this moment."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SearchResponse(Value):
    """What Search answers."""

    results: tuple[Memory, ...] = ()
    count: int = 0
    query: str = ""
    left_out: int = 0
    """Hits that were left out because the answer would have been larger than two mebibytes."""
    unavailable: tuple[str, ...] = ()
    """Ways of finding that were not available, and why."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SessionStartRequest(Value):
    """What SessionStart is asked."""

    namespace: str | None = None
    """Only here; a name with '/' includes its ancestors."""
    limit: int = 10
    """At most this many."""
    budget_tokens: int | None = None
    """At most about this many tokens of content."""
    agent_id: str | None = None
    """Said by this agent."""
    as_agent: str | None = None
    """See no more than somebody placed in this namespace would."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SessionStartResponse(Value):
    """What SessionStart answers."""

    memories: tuple[Memory, ...] = ()
    count: int = 0
    mode: str = ""
    tokens_used: int = 0
    session_id: str = ""
    """A name for this session; give it as `session` when storing."""
    standards: tuple[Standard, ...] = ()
    """What everyone should know who works in the namespace, the general first. Not counted as
    tokens used.
    """
    unread: int = 0
    """Messages in the caller's inbox that were not read yet."""
