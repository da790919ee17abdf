"""Words for an agent that meets this memory for the first time.

Kept apart from the MCP server, so that reading or testing them costs no SDK.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

INSTRUCTIONS = (
    "Long-term memory shared by the agents and people of a team. Recall before you answer "
    "anything that may have come up before; store what should outlive this conversation. "
    "The prompts recall-first and memory-workflow say how."
)


@dataclass(frozen=True, slots=True)
class Words:
    """One prompt."""

    description: str
    arguments: Mapping[str, str]
    """Optional arguments, by name: what each is for."""
    text: Callable[[Mapping[str, str]], str]


def _recall_first(given: Mapping[str, str]) -> str:
    namespace = given.get("namespace", "").strip()
    place = (
        f"Work in the namespace `{namespace}`: name it whenever you recall, list or store."
        if namespace
        else "Pick one namespace for this work, such as `team/project`, and stay in it: name it "
        "whenever you recall, list or store."
    )
    return f"""You have a memory that outlives this conversation. Use it like this.

1. Recall first. Before you answer, plan or change anything, call memory_recall with the
   situation in your own words. At the very start call memory_session_start once.
2. {place}
3. Trust, but date. A memory says who wrote it and when. When two disagree, the newer one
   usually holds; say so, and set the old one right with memory_update, or link the new one to
   it with `supersedes`.
4. Store corrections at once. When the user corrects you or states a lasting preference, call
   memory_store with tier `long` and priority 9 before you go on.
5. Choose how long: `short` (hours) for the state of a task, `mid` (a week) for what this piece
   of work needs, `long` for decisions, preferences, and facts that stay true.
6. One fact, one memory, one clear title. Storing under a title that exists in the namespace
   updates that memory, so use the same title for the same thing and another for another.
7. Never store secrets: no passwords, tokens or keys.
"""


def _workflow(_given: Mapping[str, str]) -> str:
    return """The memory at a glance.

Find    memory_recall(context)            what fits a situation, best first
        memory_list(namespace, tags)      everything in a place, page by page with cursor
        memory_get(id)                    one memory with its links
Start   memory_session_start(namespace)   the most important and recent, once a session
Keep    memory_store(title, content, tier, namespace, tags, priority)
        memory_update(id, …)              only the fields you give change
        memory_link(source_id, target_id, relation)
                                          related_to, supersedes, contradicts, derived_from
Drop    memory_delete(id)                 it can still be brought back from the archive

An id may be shortened to its first characters as long as they are unique.
budget_tokens on a recall keeps the answer small; left_out says how many hits did not fit.
namespace `a/b/*` means a/b and everything below it.
A refused call says what was wrong, at which argument, and what to do next: read it, then retry.
If you are not sure that a write arrived, send it again: the same title updates, it never doubles.
"""


PROMPTS: Mapping[str, Words] = {
    "recall-first": Words(
        "How to behave with this memory: recall before answering, keep what matters.",
        {"namespace": "Where this work belongs, such as team/project."},
        _recall_first,
    ),
    "memory-workflow": Words("The tools on one page, and when to use which.", {}, _workflow),
}
