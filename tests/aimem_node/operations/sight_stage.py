"""A node with memories of every scope in a tree of namespaces, and callers who stand in it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aimem_node.contract import codec
from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS, Role
from aimem_node.rpc.access_edit import create_token
from tests.harness import Harness

SCOPES = ("private", "team", "unit", "org", "collective")
PLACES = (
    "acme",
    "acme/eng",
    "acme/eng/web",
    "acme/eng/api",
    "acme/sales",
    "acme/eng/web/ui",
    "zeta/x",
)
"""Where memories lie."""
STANDING = {
    "free": "", "top": "acme", "eng": "acme/eng", "web": "acme/eng/web", "ui": "acme/eng/web/ui",
    "far": "zeta/x", "new": "zeta/y/z",
}  # fmt: skip
"""Callers by name, and where they stand."""
OPERATOR = "operator"


@dataclass(frozen=True)
class Kept:
    """A memory of the stage."""

    id: str
    mark: str
    "A word that stands in its title and content, and nowhere else."
    namespace: str
    scope: str
    author: str
    life: str


def may_see(caller: str, kept: Kept) -> bool:
    """The rule, said once more and in another way than the program says it."""
    place = STANDING.get(caller, "")
    if not place or kept.author == caller or kept.scope == "collective":
        return True
    mine, theirs = place.split("/"), kept.namespace.split("/")
    shared = next((n for n, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), None)
    common = min(len(mine), len(theirs)) if shared is None else shared
    needed = {
        "private": len(mine),
        "team": max(1, len(mine) - 1),
        "unit": max(1, len(mine) - 2),
        "org": 1,
    }[kept.scope]
    return mine == theirs if kept.scope == "private" else common >= needed


class Stage:
    """See the module."""

    def __init__(self, data_dir: Path) -> None:
        self.node = Harness(data_dir)
        self.callers: dict[str, Credentials] = {OPERATOR: self.node.me}
        for name, place in STANDING.items():
            bearer = create_token(str(data_dir), name, Role.WRITER, "*", place=place)
            self.callers[name] = Credentials(channel=Channel.LOOPBACK, bearer=bearer)
        self.node.clock.move(seconds=1)
        self.kept: list[Kept] = []
        self.links: list[tuple[str, str]] = []

    def fill(self) -> None:
        """Two memories for each place and scope, of which one is archived; one of every caller's
        own where nobody else stands; links from each to the next; standards; messages."""
        for life in ("live", "archived"):
            for namespace in PLACES:
                for scope in SCOPES:
                    self._keep(OPERATOR, namespace, scope, life)
        for caller in STANDING:
            self._keep(caller, "remote/corner", "private", "live")
        for one, other in zip(self.kept, self.kept[1:], strict=False):
            self.node.call("Link", source_id=one.id, target_id=other.id)
            self.links.append((one.id, other.id))
        self.node.call("Archive", ids=[one.id for one in self.kept if one.life == "archived"])
        for one in self.of("operator"):
            if one.scope == "private" and one.life == "live":
                self.node.call("NamespaceSetStandard", namespace=one.namespace, id=one.id)
        for caller in STANDING:
            self.call(OPERATOR, "Notify", target_agent_id=f"ai:{caller}", title=f"to {caller}",
                      payload=f"for {caller} only")  # fmt: skip
        self._try_to_register_entities()
        self._keep(OPERATOR, "zeta", "collective", "live")

    def _keep(self, caller: str, namespace: str, scope: str, life: str) -> None:
        mark = f"mark{len(self.kept):03}x"
        stored = self.call(
            caller, "Store", title=f"note {mark}", content=f"a common word and {mark}",
            namespace=namespace, scope=scope,
        )  # fmt: skip
        self.kept.append(Kept(stored["id"], mark, namespace, scope, caller, life))

    def _try_to_register_entities(self) -> None:
        for namespace in PLACES:
            for scope in ("private", "team"):
                mark = f"mark{len(self.kept):03}x"
                try:
                    made = self.node.call(
                        "EntityRegister", canonical_name=f"Entity {mark}", namespace=namespace,
                        aliases=[mark], scope=scope,
                    )  # fmt: skip
                except Failure as failure:
                    assert failure.code == Code.UNIMPLEMENTED  # noqa: PT017
                    return
                made_id = made["entity_id"]
                self.kept.append(Kept(made_id, mark, namespace, scope, OPERATOR, "live"))

    def of(self, author: str) -> list[Kept]:
        return [one for one in self.kept if one.author == author]

    def seen(self, caller: str, *, life: str = "") -> list[Kept]:
        """What a caller should see."""
        return [one for one in self.kept if may_see(caller, one) and life in ("", one.life)]

    def hidden(self, caller: str) -> list[Kept]:
        return [one for one in self.kept if not may_see(caller, one)]

    def call(self, caller: str, operation: str, **fields: Any) -> dict[str, Any]:
        return self.node.call(operation, self.callers[caller], **fields)

    def stream(
        self, caller: str, operation: str, until: str = "", **fields: Any
    ) -> list[dict[str, Any]]:
        """What a stream gives: all of it, or up to what mentions `until`."""

        async def collect() -> list[dict[str, Any]]:
            request = codec.from_json(OPERATIONS[operation].request, fields)
            found = []
            answers = self.node.core.dispatcher.stream(operation, request, self.callers[caller])
            async for item in answers:
                found.append(codec.to_json(item))
                if until and until in json.dumps(found[-1]):
                    break
            await answers.aclose()
            return found

        found: list[dict[str, Any]] = self.node.run(collect())
        return found

    def refused(self, caller: str, operation: str, **fields: Any) -> Failure | None:
        """The failure of a call, if it is one."""
        try:
            self.call(caller, operation, **fields)
        except Failure as failure:
            return failure
        return None

    def told_of_hidden(self, caller: str, *answers: Any) -> set[str]:
        """Which memories out of sight are mentioned anywhere in some answers, by their marks."""
        text = json.dumps(answers, default=str)
        return {one.mark for one in self.hidden(caller) if one.id in text or one.mark in text}


def ids(rows: Iterable[dict[str, Any]]) -> set[str]:
    return {row["id"] for row in rows}
