"""The few words by which a statement can be seen to leave room for one value only.

"The port is 8080" and "the port is 9090" cannot both hold; "we met 5 people" and "we met 7 people"
can. Words are stems, as statements have them. The lists are short on purpose: each word in them
makes a mistake possible, and a contradiction that is none costs more trust than one that is missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aimem_node.operations.quantities import is_quantity
from aimem_node.operations.statements import is_telling, stem

NAME_TOKENS_MAX: Final = 4
AFTER_MAX: Final = 3


def _stems(words: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words.split())


MINE: Final = _stems("i my me mine myself")
OWN: Final = MINE | _stems("we our us ours")
"""Words that mean somebody else in another mouth."""
POINTING: Final = _stems(
    "he she it they this that these those you your his her their its there here one him them some"
    " someone somebody everyone each another other both who which"
)
"""A subject that is no name: nobody knows of what it speaks in another memory."""
EQUAL: Final = _stems("is are was were be =")
STATES_OF: Final = EQUAL | _stems("stays remains becomes keeps runs gets am")
MEASURING: Final = EQUAL | _stems(
    "has have had costs requires needs expires starts begins ends takes lasts weighs listens runs"
    " defaults retains keeps uses lives opens closes equals allows holds stores weighs measures am"
)
CHOOSING: Final = _stems("uses use prefers chose picked")
VERBS: Final = MEASURING | STATES_OF | CHOOSING
PURPOSE: Final = frozenset({"for", "as", "to", "in", "on", "when"})

COUNTED: Final = _stems(
    "step chapter issue pr ticket page section part phase week day session round item case test"
    " node server room figure table line row column task sprint number no question bug lesson unit"
    " episode season volume level option note example build attempt trial group team build"
)
"""What is told from its likes by a number: another number is another thing."""

SLOTS: Final = _stems(
    "name color colour capital database port language version owner lead manager region timeout"
    " limit default deadline address location email budget price favorite favourite birthday size"
    " framework license licence branch provider host hostname url job nationality director author"
    " maintainer engine editor shell currency timezone cloud password username key format encoding"
    " birthplace hometown employer boss wife husband partner spouse fiance president ceo cto"
    " headquarters codename backend model supplier vendor landlord doctor dentist teacher coach"
)
"""Of these a thing has one."""
PLACED: Final = frozenset(
    (stem(verb), preposition)
    for verb, prepositions in {
        "lives": "in at", "works": "at for as", "located": "in at", "hosted": "on by at in",
        "written": "in", "deployed": "to on in", "owned": "by", "led": "by", "managed": "by",
        "maintained": "by", "born": "in on", "stored": "in on", "runs": "on", "points": "to",
        "defaults": "to", "married": "to", "called": "", "named": "", "based": "in on",
        "belongs": "to", "reports": "to", "licensed": "under", "engaged": "to", "allergic": "",
    }.items()
    for preposition in prepositions.split()
)  # fmt: skip
"""A verb and its preposition behind which one thing stands at a time."""

_NOT_NAMES: Final = _stems(
    "slow fast good bad down up ready done broken new old big small great nice fine full empty high"
    " low free busy better worse best worst important useful different same similar available able"
    " easy hard simple complex clean dirty long short late early sure happy sad amazing awesome"
    " wonderful beautiful perfect fun cool key main open closed hot cold large tiny stable unstable"
    " public private safe unsafe active inactive primary secondary correct wrong right left under"
    " over in on at of for with by to from about like than as but and or because when where what"
)

_STATES: Final = (
    "enabled disabled", "on off", "open closed", "open shut", "true false", "required optional",
    "mandatory optional", "allowed forbidden", "allowed prohibited", "permitted forbidden",
    "public private", "synchronous asynchronous", "sync async", "up down", "alive dead",
    "safe dangerous", "valid invalid", "active inactive", "secure insecure", "online offline",
    "empty full", "single married", "mutable immutable", "supported deprecated", "free paid",
    "possible impossible", "correct incorrect", "correct wrong", "complete incomplete",
    "visible hidden", "locked unlocked", "stateless stateful", "blocking nonblocking",
    "encrypted plaintext", "vegetarian carnivore", "legal illegal", "fast slow", "hot cold",
    "cheap expensive", "reliable unreliable", "accepted rejected", "approved rejected",
    "healthy unhealthy", "healthy sick", "present absent", "guilty innocent", "right wrong",
    "read-only writable", "connected disconnected", "left right", "passing failing",
    "deterministic nondeterministic", "ascending descending", "permanent temporary",
    "included excluded",
)  # fmt: skip
_STANCES: Final = (
    "likes dislikes", "likes hates", "loves hates", "enjoys hates", "allows forbids",
    "allows prohibits", "permits forbids", "accepts rejects", "includes excludes",
    "supports opposes", "agrees disagrees", "trusts distrusts", "before after", "above below",
    "can cannot", "more less", "with without", "increases decreases", "must may",
)  # fmt: skip


def _both_ways(pairs: Sequence[str]) -> frozenset[tuple[str, str]]:
    split = [tuple(stem(word) for word in pair.split()) for pair in pairs]
    return frozenset((a, b) for a, b in split) | frozenset((b, a) for a, b in split)


_OPPOSITE_STATES: Final = _both_ways(_STATES)
_OPPOSITE_STANCES: Final = _both_ways(_STANCES)
_TURNING: Final = ("un", "non")


def are_opposite_states(one: str, other: str) -> bool:
    """Whether something can be one of these only, at a time."""
    return (one, other) in _OPPOSITE_STATES or _is_turned(one, other) or _is_turned(other, one)


def are_opposite_stances(one: str, other: str) -> bool:
    """Whether someone can do one of these only, at a time."""
    return (one, other) in _OPPOSITE_STANCES


def are_opposite(one: str, other: str) -> bool:
    """Whether two words are opposites of either kind."""
    return are_opposite_states(one, other) or are_opposite_stances(one, other)


def _is_turned(one: str, other: str) -> bool:
    return len(other) >= 4 and any(one in (t + other, f"{t}-{other}") for t in _TURNING)


def last_verb(tokens: Sequence[str]) -> str:
    """The last verb known here that stands in front of something; empty if there is none."""
    return next((token for token in reversed(tokens) if token in VERBS), "")


def is_name(tokens: Sequence[str]) -> bool:
    """Whether a few words can be what something is, and do not merely describe it."""
    if not 1 <= len(tokens) <= NAME_TOKENS_MAX or not is_telling(tokens[0]):
        return False
    return not any(
        token in _NOT_NAMES or token in VERBS or token.endswith("ing") or is_quantity(token)
        for token in tokens
    )
