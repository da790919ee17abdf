"""Read what the rules are, and say what they mean for a case: one answer for all who ask.

The gate before every write, PolicyExplain and PolicyGet walk the same levels in the same order, so
what is shown is what is enforced. A rule is never guessed at: a word that this version does not
know is a rule that nobody can meet, since the one who wrote it may have meant to forbid.

From the top down ("*", then every namespace on the way) each level may say something of a case; of
several rules of one level the one for the operation goes before the one for the effect, and that
before "*". All levels that say something must agree. So the strictest wins, whoever stands further
up, unless a rule is delegated: then what is said further down stands in its place.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS
from aimem_node.contract.operations import Effect as Nature
from aimem_node.contract.values import Level, PolicyRule, Secrets
from aimem_node.operations.approvers import Approver, is_registered
from aimem_node.operations.identity import person_of, same_person
from aimem_node.store.view import View
from aimem_sync.display import display
from aimem_sync.state import RecordState

POLICY: Final = "policy"
ROOT: Final = "*"
"""Where stands what holds everywhere. No namespace can be called so."""
BUILT_IN: Final = "(built in)"
RULE: Final = "rule:"
QUOTA: Final = "quota:"
PER_AGENT: Final = "memories_per_agent"
MEMORIES: Final = "memories"
PENDING_SECS: Final = 7 * 86_400
PENDING_SECS_MIN: Final = 3_600


class Effect(StrEnum):
    """What a change does, for rules that do not name an operation."""

    WRITE = "write"
    PROMOTE = "promote"
    DELETE = "delete"
    LINK = "link"
    SHARE = "share"
    PURGE = "purge"
    GOVERN = "govern"


class Verdict(StrEnum):
    """What becomes of a case."""

    ALLOW = "allow"
    DENY = "deny"
    PENDING = "pending"


DECIDING: Final = frozenset({"pending-approve", "pending-reject", "pending-cancel"})
"""Who may do these is said by what waits, so a rule about them would be a rule about nothing."""
WRITING: Final = (
    frozenset(one.cli_name for one in OPERATIONS.values() if one.effect == Nature.WRITE) - DECIDING
)
ACTIONS: Final = frozenset({ROOT, *Effect, *WRITING})
"""What a rule may be about."""
OF_POLICY: Final = frozenset({Effect.GOVERN.value, "policy-set", "policy-clear"})
"""Rules that hold for changes of policies themselves. "*" does not, or a rule that denies
everything could never be taken away again."""
EFFECT_OF: Final[Mapping[str, Effect]] = MappingProxyType(
    {
        "promote": Effect.PROMOTE,
        "link": Effect.LINK,
        "unlink": Effect.LINK,
        "kg-invalidate": Effect.LINK,
        "supersede": Effect.LINK,
        "archive": Effect.DELETE,
        "delete": Effect.DELETE,
        "forget": Effect.DELETE,
        "gc": Effect.DELETE,
        "archive-purge": Effect.PURGE,
        "policy-set": Effect.GOVERN,
        "policy-clear": Effect.GOVERN,
        "set-namespace-copies": Effect.GOVERN,
        "namespace-set-standard": Effect.GOVERN,
        "namespace-clear-standard": Effect.GOVERN,
    }
)
"""The first effect of each operation; of those that are not named, to write."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may do one thing."""

    action: str
    level: Level
    approver: Approver | None = None
    "Of level APPROVE, and of no other."
    delegated: bool = False
    unreadable: str = ""
    "Why nobody can tell what it means; then nobody may."

    @property
    def text(self) -> str:
        """Such as "delete: owner"."""
        said = f"{self.action}: {self.level.value}"
        return said if self.approver is None else f"{said} ({self.approver.text})"

    def shown(self) -> PolicyRule:
        """As callers see it."""
        approver = "" if self.approver is None else self.approver.text
        return PolicyRule(
            action=self.action, level=self.level, approver=approver, delegated=self.delegated
        )

    def register(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "level": self.level.value,
            "approver": "" if self.approver is None else self.approver.text,
            "delegated": self.delegated,
        }


@dataclass(frozen=True, slots=True)
class Said:
    """What is set for one namespace."""

    rules: Mapping[str, Rule] = field(default_factory=dict)
    strange: Rule | None = None
    "Something is said that this version does not know. It may be about anything."
    quota: Mapping[str, int] = field(default_factory=dict)
    "By MEMORIES and PER_AGENT: the most there may be. A limit that cannot be read is 0."
    secrets: Secrets | None = None
    pending_secs: int | None = None
    author: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is set, or not any more."""
        return self == Said(author=self.author)


@dataclass(frozen=True, slots=True)
class Case:
    """Somebody would do something somewhere."""

    operation: str
    "As on the command line: kg-invalidate."
    effect: Effect
    namespace: str
    "Empty for what belongs to none: then only what holds everywhere counts."
    principal: str
    agent_id: str
    operator: bool
    owner: Callable[[], str]
    "The principal whose it is, empty if nobody's. Asked for only where a rule wants to know."
    of_policy: bool = False

    @property
    def where(self) -> str:
        """For people."""
        return self.namespace or "what belongs to no namespace"


@dataclass(frozen=True, slots=True)
class Met:
    """A rule on the way down, and what it says of the case."""

    set_at: str
    rule: Rule
    verdict: Verdict
    reason: str
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rules say, together."""

    met: tuple[Met, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Denied by any, else waiting for any, else allowed."""
        verdicts = {one.verdict for one in self.met if one.counts}
        for verdict in (Verdict.DENY, Verdict.PENDING):
            if verdict in verdicts:
                return verdict
        return Verdict.ALLOW

    @property
    def decider(self) -> Met | None:
        """The rule that makes it so: of several the topmost, and of those that allow the lowest."""
        those = [one for one in self.met if one.counts and one.verdict == self.verdict]
        if not those:
            return None
        return those[-1] if self.verdict == Verdict.ALLOW else those[0]

    @property
    def asking(self) -> tuple[Met, ...]:
        """The rules that want an approval."""
        return tuple(one for one in self.met if one.counts and one.verdict == Verdict.PENDING)


class Book:
    """The policies, each read once for as long as it does not change."""

    def __init__(self, is_alone: Callable[[], bool]) -> None:
        """is_alone: whether this node has no other members to ask."""
        self._is_alone = is_alone
        self._read: dict[str, tuple[RecordState, Said]] = {}

    def said(self, view: View, namespace: str) -> Said | None:
        """What is set for exactly this namespace; None if nothing was ever."""
        state = view.state(f"{POLICY}:{namespace}")
        if state is None:
            return None
        before = self._read.get(namespace)
        if before is not None and before[0] is state:
            return before[1]
        said = read(state)
        if len(self._read) >= READ_MAX:
            self._read.clear()
        self._read[namespace] = (state, said)
        return said

    def levels(self, view: View, namespace: str) -> Iterator[tuple[str, Said]]:
        """What is built in and what is set on the way down to a namespace, from the top."""
        yield BUILT_IN, ALONE if self._is_alone() else IN_COMPANY
        for name in downwards(namespace):
            said = self.said(view, name)
            if said is not None and not said.is_empty:
                yield name, said

    def resolve(self, view: View, case: Case) -> Decision:
        """What the rules say of a case. Reading them may fail; then nothing is said at all."""
        met: list[Met] = []
        for set_at, said in self.levels(view, case.namespace):
            rule = matching(said, case)
            if rule is None:
                continue
            met = [
                Met(one.set_at, one.rule, one.verdict, one.reason, counts=False)
                if one.rule.delegated
                else one
                for one in met
            ]
            met.append(Met(set_at, rule, *judged(view, rule, case)))
        return Decision(tuple(met))

    def secrets(self, view: View, namespace: str) -> tuple[Secrets, str]:
        """What becomes of secrets there, and where that is set: the nearest word counts."""
        found = Secrets.REFUSE, ""
        for set_at, said in self.levels(view, namespace):
            if said.secrets is not None:
                found = said.secrets, set_at
        return found

    def pending_secs(self, view: View, namespace: str) -> int:
        """How long something waits for approval there."""
        found = PENDING_SECS
        for _, said in self.levels(view, namespace):
            found = found if said.pending_secs is None else said.pending_secs
        return found


READ_MAX: Final = 4_096
_PURGE: Final = Effect.PURGE.value
IN_COMPANY: Final = Said(
    {_PURGE: Rule(_PURGE, Level.APPROVE, Approver.read("admin"), delegated=True)}
)
"""What is erased for good is erased everywhere, so one operator alone does not do it."""
ALONE: Final = Said({_PURGE: Rule(_PURGE, Level.ADMIN, delegated=True)})
"""Where there is nobody else to ask."""


def downwards(namespace: str) -> Iterator[str]:
    """ "*", and every namespace from the first segment down to this one."""
    yield ROOT
    if not namespace or namespace == ROOT:
        return
    end = namespace.find("/")
    while end >= 0:
        yield namespace[:end]
        end = namespace.find("/", end + 1)
    yield namespace


def matching(said: Said, case: Case) -> Rule | None:
    """The rule of one level that a case meets; None if it says nothing of it."""
    names: tuple[str, ...] = (case.operation, case.effect.value, ROOT)
    if case.of_policy:
        names = tuple(name for name in names if name in OF_POLICY)
    elif said.strange is not None:
        return said.strange
    return next((said.rules[name] for name in names if name in said.rules), None)


def judged(view: View, rule: Rule, case: Case) -> tuple[Verdict, str]:
    """What one rule says of a case, and why."""
    if rule.level == Level.DENY and case.of_policy:
        # Whatever was written there, somebody must be able to write something better.
        return _only(case.operator, "only the operator may change a policy")
    if rule.unreadable:
        return Verdict.DENY, rule.unreadable
    match rule.level:
        case Level.ANY:
            return Verdict.ALLOW, "whoever may write at all may do this"
        case Level.REGISTERED:
            known = (
                is_registered(view, case.agent_id, case.principal)
                or person_of(view, case.principal) != case.principal
            )
            return _only(known, f"only registered agents may, and {case.agent_id!r} is not one")
        case Level.OWNER:
            return _owners(view, case)
        case Level.APPROVE:
            assert rule.approver is not None
            return Verdict.PENDING, f"it needs the approval of {rule.approver.who}"
        case Level.ADMIN:
            return _only(case.operator, "only the operator may")
    return Verdict.DENY, "nobody may"


def _owners(view: View, case: Case) -> tuple[Verdict, str]:
    owner = case.owner()
    if not owner:
        return Verdict.DENY, "only its owner may, and it has none"
    return _only(same_person(view, owner, case.principal), f"only its owner may, {owner}")


def _only(fits: bool, otherwise: str) -> tuple[Verdict, str]:
    return (Verdict.ALLOW, "the caller is one of those who may") if fits else (
        Verdict.DENY, otherwise,
    )  # fmt: skip


def refusal(case: Case, decision: Decision) -> Failure:
    """The failure that a denied case ends with: it names the rule and where it is set."""
    decider = decision.decider
    assert decider is not None
    assert decision.verdict == Verdict.DENY
    asked = f"aimem policy explain {case.operation} {case.namespace}"
    if not case.namespace:
        asked = "aimem policy get"
    return Failure(
        Code.PERMISSION_DENIED,
        f"the rule {decider.rule.text!r} set at {decider.set_at} is against this in {case.where}:"
        f" {decider.reason}",
        next=f"See why: {asked}. The operator can change it: aimem policy set.",
        details={
            "rule": decider.rule.text,
            "set_at": decider.set_at,
            "namespace": case.namespace,
            "action": case.operation,
            "effect": case.effect.value,
        },
    )


def action_of(text: str, path: str) -> str:
    """The one spelling of what a rule is about. Raises INVALID_ARGUMENT for what there is not."""
    kept = text.strip().replace("_", "-")
    if kept in ACTIONS:
        return kept
    raise Failure(
        Code.INVALID_ARGUMENT,
        f"{text!r} is neither an operation that writes nor an effect",
        path=path,
        next=f"Name an operation as on the command line, one of {', '.join(Effect)}, or *.",
    )


# ---- records ---------------------------------------------------------------------------------


def read(state: RecordState) -> Said:
    """What a record says. It never raises: what cannot be read forbids."""
    shown = display(state)
    if shown.purged or shown.type != POLICY:
        # Nothing of ours writes either. Then somebody wanted something else than nothing.
        return Said(strange=_strange("it is no policy any more"))
    rules: dict[str, Rule] = {}
    quota: dict[str, int] = {}
    strange: Rule | None = None
    for name, value in sorted(shown.values.items()):
        if name in KNOWN or value is None:
            continue
        action = name.removeprefix(RULE)
        limit = name.removeprefix(QUOTA)
        if name.startswith(RULE) and action in ACTIONS:
            rules[action] = read_rule(action, value)
        elif name.startswith(QUOTA) and limit in (MEMORIES, PER_AGENT):
            quota[limit] = _number(value)
        else:
            strange = _strange(f"this version does not know what {name!r} means")
    secrets, secs = shown.values.get("secrets"), shown.values.get("pending_secs")
    return Said(
        rules, strange, quota,
        None if secrets is None else _secrets(secrets),
        None if secs is None else _secs(secs),
        "" if shown.last is None else shown.last.author,
    )  # fmt: skip


KNOWN: Final = frozenset({"life", "secrets", "pending_secs"})


def read_rule(action: str, value: Any) -> Rule:
    """A rule as it is kept. One that cannot be understood says so and denies."""

    def unreadable(why: str) -> Rule:
        return Rule(action, Level.DENY, unreadable=f"the rule cannot be understood: {why}")

    if not isinstance(value, dict):
        return unreadable("it is no object")
    level, approver = value.get("level"), value.get("approver", "")
    delegated = value.get("delegated", False)
    if extra := sorted(set(value) - {"level", "approver", "delegated"}):
        return unreadable(f"{extra[0]!r} is not known")
    if not isinstance(level, str) or level not in LEVELS:
        return unreadable(f"there is no level {level!r}")
    if not isinstance(delegated, bool) or not isinstance(approver, str):
        return unreadable("a member has the wrong type")
    if level != Level.APPROVE:
        if approver:
            return unreadable("only what needs an approval has an approver")
        return Rule(action, LEVELS[level], delegated=delegated)
    try:
        return Rule(action, Level.APPROVE, Approver.read(approver), delegated)
    except Failure as failure:
        return unreadable(failure.message)


LEVELS: Final = MappingProxyType({level.value: level for level in Level})


def _strange(why: str) -> Rule:
    return Rule(ROOT, Level.DENY, unreadable=f"the policy cannot be understood: {why}")


def _secrets(value: Any) -> Secrets:
    known = {one.value: one for one in Secrets}
    return known.get(value, Secrets.REFUSE) if isinstance(value, str) else Secrets.REFUSE


def _secs(value: Any) -> int:
    return max(_number(value), PENDING_SECS_MIN)


def _number(value: Any) -> int:
    """A number of what there may be. Of what is none there may be nothing."""
    sound = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return int(value) if sound else 0
