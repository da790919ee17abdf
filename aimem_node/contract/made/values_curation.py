# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit.
"""Keep memories few and consistent: duplicates, contradictions, summaries of several. Every step
can be undone.
"""

from __future__ import annotations

from dataclasses import dataclass

from aimem_node.contract.made.values_nouns import Memory, Relation, Tier, WriteOptions, WriteResult
from aimem_node.contract.value import Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FindSimilarRequest(Value):
    """What FindSimilar is asked."""

    id: str | None = None
    """The memory to compare with; or give text."""
    text: str | None = None
    """The text to compare with, when it is not a memory's."""
    namespace: str | None = None
    """Exactly this namespace; with a trailing /* everything below it too."""
    limit: int = 10
    """At most this many."""
    threshold: float = 0.0
    """At least so alike."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FindSimilarResponse(Value):
    """What FindSimilar answers."""

    similar: tuple[Likeness, ...] = ()
    """The most alike first, without the memory itself."""
    count: int = 0
    method: str = ""
    """keyword or vector: how they were compared."""
    unavailable: tuple[str, ...] = ()
    """Ways of finding that were not available, and why."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NearDuplicatesRequest(Value):
    """What NearDuplicates is asked."""

    namespace: str | None = None
    """Exactly this namespace; with a trailing /* everything below it too."""
    threshold: float = 0.85
    """How alike two memories must be, from 0.5 to 1."""
    limit: int = 50
    """At most this many pairs."""
    cursor: str | None = None
    """Go on where an earlier answer ended."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NearPair(Value):
    """Two memories that say nearly the same."""

    keep: Likeness | None = None
    """The one to keep: stored first."""
    other: Likeness | None = None
    similarity: float = 0.0
    """0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NearDuplicatesResponse(Value):
    """What NearDuplicates answers."""

    pairs: tuple[NearPair, ...] = ()
    """The most alike first, within what was looked at."""
    count: int = 0
    looked_at: int = 0
    """Memories that were looked at."""
    next_cursor: str = ""
    """Give it as cursor for the next page; empty at the end."""
    method: str = ""
    """keyword or vector: how they were compared."""
    unavailable: tuple[str, ...] = ()
    """Ways of comparing that were not available, and why."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CheckDuplicateRequest(Value):
    """What CheckDuplicate is asked."""

    title: str
    content: str
    namespace: str | None = None
    """Exactly this namespace; with a trailing /* everything below it too."""
    threshold: float = 0.85
    """How alike it must be, from 0.5 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Likeness(Value):
    """A memory that is like what was asked about."""

    id: str = ""
    title: str = ""
    namespace: str = ""
    similarity: float = 0.0
    """0 to 1."""
    differs: tuple[str, ...] = ()
    """What keeps it from being the same: number, date, negation, opposite, value."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CheckDuplicateResponse(Value):
    """What CheckDuplicate answers."""

    is_duplicate: bool = False
    threshold: float = 0.0
    nearest: Likeness | None = None
    """The most alike; absent when nothing is like it at all."""
    suggested_merge: str = ""
    """The memory to update instead of storing another; only when it is a duplicate."""
    candidates_scanned: int = 0
    method: str = ""
    """exact, keyword or vector: how the nearest was found."""
    candidates: tuple[Likeness, ...] = ()
    """The most alike, what it would be a copy of before what merely is like it."""
    unavailable: tuple[str, ...] = ()
    """Ways of finding that were not available, and why."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class DetectContradictionRequest(Value):
    """What DetectContradiction is asked."""

    id_a: str
    id_b: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NamedMemory(Value):
    """NamedMemory, as it crosses a process boundary."""

    id: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class DetectContradictionResponse(Value):
    """What DetectContradiction answers."""

    contradicts: bool = False
    memory_a: NamedMemory | None = None
    memory_b: NamedMemory | None = None
    confidence: float = 0.0
    """0 to 1."""
    signs: tuple[str, ...] = ()
    """What speaks for it: negation, number, date, opposite, value."""
    stated: bool = False
    """Whether somebody has stated it as a link that holds."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ContradictionsRequest(Value):
    """What Contradictions is asked."""

    topic: str | None = None
    """Memories of this topic: metadata.topic, or the title."""
    namespace: str | None = None
    """Exactly this namespace; with a trailing /* everything below it too."""
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Contradiction(Value):
    """Contradiction, as it crosses a process boundary."""

    source_id: str = ""
    target_id: str = ""
    relation: Relation | None = None
    synthesized: bool = False
    """True when nobody stated it: the two have one topic and do not agree."""
    link_id: str = ""
    """The link, if it was stated."""
    state: str = ""
    """open or resolved."""
    signs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ContradictionsResponse(Value):
    """What Contradictions answers."""

    memories: tuple[Memory, ...] = ()
    links: tuple[Contradiction, ...] = ()
    count: int = 0
    truncated: bool = False
    """There may be more: the answer is full, or not everything was compared."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ResolveRequest(Value):
    """What Resolve is asked."""

    winner_id: str
    """The memory that holds."""
    loser_id: str
    """The memory that does not."""
    keep: bool = False
    """Leave the loser live, with the least priority and little confidence, instead of archiving
    it.
    """
    agent_id: str | None = None
    """Who decides. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ResolveResponse(Value):
    """What Resolve answers."""

    resolved: bool = False
    winner_id: str = ""
    loser_id: str = ""
    archived: bool = False
    step_id: str = ""
    """The step, for rollback."""
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ConsolidateRequest(Value):
    """What Consolidate is asked."""

    ids: tuple[str, ...]
    """The memories to make one of."""
    title: str
    summary: str
    """What the new memory says."""
    namespace: str | None = None
    """Where it lies; absent means where they all lie, or the nearest namespace above them."""
    tier: Tier = Tier.LONG
    agent_id: str | None = None
    """Who does it. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ConsolidateResponse(Value):
    """What Consolidate answers."""

    id: str = ""
    consolidated: int = 0
    """How many were consolidated."""
    step_id: str = ""
    """The step, for rollback."""
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AutoTagRequest(Value):
    """What AutoTag is asked."""

    id: str
    limit: int = 5
    """At most this many new tags."""
    dry_run: bool = False
    """Only show them."""
    agent_id: str | None = None
    """Who does it. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class AutoTagResponse(Value):
    """What AutoTag answers."""

    id: str = ""
    new_tags: tuple[str, ...] = ()
    all_tags: tuple[str, ...] = ()
    step_id: str = ""
    """The step, for rollback; empty when nothing was tagged."""
    write: WriteResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ExpandQueryRequest(Value):
    """What ExpandQuery is asked."""

    query: str
    namespace: str | None = None
    """Exactly this namespace; with a trailing /* everything below it too."""
    limit: int = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ExpandQueryResponse(Value):
    """What ExpandQuery answers."""

    original: str = ""
    expanded_terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CurationLogRequest(Value):
    """What CurationLog is asked."""

    action: str | None = None
    """Only steps of this kind: consolidate, resolve, supersede, merge, auto_tag."""
    limit: int = 50
    cursor: str | None = None
    """Where the page before ended."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CurationStep(Value):
    """One step of curation."""

    id: str = ""
    action: str = ""
    namespace: str = ""
    sources: tuple[str, ...] = ()
    """The memories it was done to."""
    result_id: str = ""
    """The memory it made or kept."""
    author: str = ""
    agent_id: str = ""
    done_at: int | None = None
    reversed_at: int | None = None
    """When it was undone; absent while it stands."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CurationLogResponse(Value):
    """What CurationLog answers."""

    steps: tuple[CurationStep, ...] = ()
    count: int = 0
    next_cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RollbackRequest(Value):
    """What Rollback is asked."""

    id: str
    """The step's id, or the first characters of it."""
    agent_id: str | None = None
    """Who undoes it. Checked against the connection."""
    options: WriteOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RollbackResponse(Value):
    """What Rollback answers."""

    reversed: bool = False
    id: str = ""
    restored: tuple[str, ...] = ()
    """Memories that are live again."""
    archived: tuple[str, ...] = ()
    """Memories that went into the archive."""
    write: WriteResult | None = None
