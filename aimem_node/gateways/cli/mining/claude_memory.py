"""What Claude remembers in files: CLAUDE.md, rules, and the memory directory of a project.

In a project's directory only those files are taken and none of its other Markdown. A topic file
that has a name in its front matter is one memory; the rest are cut at their headings.
"""

from __future__ import annotations

from collections.abc import Iterator

from aimem_node.gateways.cli.mining import markdown
from aimem_node.gateways.cli.mining.chats import Item
from aimem_node.gateways.cli.mining.found import Unreadable
from aimem_node.gateways.cli.mining.sources import Tree, whole_text

NAMES = frozenset({"claude.md", "claude.local.md", "memory.md", "agents.md"})
FOLDERS = frozenset({"memory", "memories", "rules", "agent-memory"})
SUFFIXES = (*markdown.SUFFIXES, ".txt")


def find(tree: Tree) -> Iterator[Item]:
    """Every memory in every such file."""
    names = tree.names()
    beside = {name.lower() for name in names}
    for name in names:
        if len(names) == 1 or _is_memory(name, "memory.md" in beside):
            yield from markdown.sections_of(tree, name, whole=_is_topic(tree, name))


def _is_memory(name: str, in_memory_folder: bool) -> bool:
    if not name.lower().endswith(SUFFIXES):
        return False
    *folders, base = name.lower().split("/")
    if base in NAMES or (in_memory_folder and not folders):
        return True
    return not FOLDERS.isdisjoint(folders)


def _is_topic(tree: Tree, name: str) -> bool:
    try:
        front, _ = markdown.front_matter(whole_text(tree, name))
    except Unreadable:
        return False  # said once, by whoever reads it next
    return "name" in front
