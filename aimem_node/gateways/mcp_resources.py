"""MCP resources: the tree of namespaces, one namespace, one memory, each at an address.

A resource is an answer of the operations that every caller has, so who may see it is decided
where it always is, and what a caller may not see does not exist for them here either. Of the
memories none is listed: a client that attaches all it is shown would attach them all.
"""

import difflib
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn
from urllib.parse import quote, unquote

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS

from aimem_node.contract import codec, errors
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS
from aimem_node.gateways import answers
from aimem_node.gateways.mistakes import as_failure
from aimem_node.gateways.prompts import PROMPTS

NAMESPACES = "aimem://namespaces"
NAMESPACE = "aimem://namespace/"
MEMORY = "aimem://memory/"
TEMPLATES = (NAMESPACE + "{namespace}", MEMORY + "{id}")

JSON_TYPE = "application/json"
URI_CHARS_MAX = 4096
"""A namespace has 512 characters at most, each of which may be escaped as twelve."""
LISTED_MAX = 100
"""Namespaces on one page of the list: about 20 KiB."""
MEMORIES_MAX = 20
"""Of a namespace, the most important first. The whole of it is a matter for memory_list."""
COMPLETIONS_MAX = 100
"""The protocol's own bound."""

_CALLERS_FAULTS = frozenset(
    {Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.AMBIGUOUS, Code.PERMISSION_DENIED}
)

Context = ServerRequestContext[Any, Any]
Ask = Callable[[str, Any, Context], Awaitable[Any]]
"""An operation by name and its request, in the name of the client; its response, or Failure."""


class Resources:
    """The handlers of one MCP server for everything at an aimem:// address."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def list_resources(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        """The tree, and every namespace that the caller sees something in, page by page."""
        start = _read_cursor(params.cursor if params is not None else None)
        counted = (await self._asked("Namespaces", context)).namespaces
        page = counted[start : start + LISTED_MAX]
        end = start + len(page)
        return types.ListResourcesResult(
            resources=[*([_TREE] if start == 0 else []), *map(_listed, page)],
            next_cursor=str(end) if end < len(counted) else None,
        )

    async def list_templates(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        """How the addresses of a namespace and of a memory are made."""
        return types.ListResourceTemplatesResult(resource_templates=list(_TEMPLATES))

    async def read(
        self, context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        """What is at one address. An error of the protocol when nothing is."""
        uri = params.uri
        if len(uri) > URI_CHARS_MAX:
            raise MCPError(INVALID_PARAMS, f"the URI is longer than {URI_CHARS_MAX} characters")
        kind, name = _split(uri)
        if kind == NAMESPACES:
            shown = codec.to_json(await self._asked("GetTaxonomy", context))
        elif kind == NAMESPACE:
            shown = await self._namespace(name, context)
        else:
            shown = codec.to_json(await self._asked("Get", context, id=name))
        text = types.TextResourceContents(uri=uri, mime_type=JSON_TYPE, text=codec.dumps(shown))
        return types.ReadResourceResult(contents=[text])

    async def complete(
        self, context: Context, params: types.CompleteRequestParams
    ) -> types.CompleteResult:
        """Namespaces and ids that begin as the argument does; for another argument nothing."""
        name = params.argument.name
        found: list[str] = []
        if name in _arguments_of(params.ref):
            begun = params.argument.value
            names = self._namespaces if name == "namespace" else self._ids
            found = await names(begun, context)
        shown = types.Completion(
            values=found[:COMPLETIONS_MAX],
            total=len(found),
            has_more=len(found) > COMPLETIONS_MAX,
        )
        return types.CompleteResult(completion=shown)

    async def _namespace(self, name: str, context: Context) -> dict[str, Any]:
        """Standards that hold there, the general first, and the most important memories."""
        held = await self._asked("List", context, namespace=name, limit=MEMORIES_MAX)
        shown = codec.to_json(held)
        told = await self._standards(name, context)
        if not held.memories and "standard" not in told:
            await self._check_that_something_is_below(name, context)
        return {
            "namespace": name,
            "standards": told.get("standards", []),
            "memories": shown["memories"],
            "more": bool(held.next_cursor),
        }

    async def _standards(self, name: str, context: Context) -> dict[str, Any]:
        """What NamespaceGetStandard says; nothing on a node that does not know the operation."""
        try:
            told = await self._ask_for(
                "NamespaceGetStandard", context, namespace=name, inherit=True
            )
        except Failure as failure:
            if failure.code is Code.UNIMPLEMENTED:
                return {}
            _refuse(failure)
        return codec.to_json(told)

    async def _check_that_something_is_below(self, name: str, context: Context) -> None:
        """Raises for a namespace that is neither used nor above one that is, naming the nearest."""
        known = await self._namespaces("", context)
        if any(one.startswith(name + "/") for one in known):
            return
        near = difflib.get_close_matches(name, known, n=3) or known[:10]
        there = f"; there are {', '.join(near)}" if near else "; there is none yet"
        raise MCPError(INVALID_PARAMS, f"nothing is in the namespace {name[:100]!r}{there}")

    async def _namespaces(self, begun: str, context: Context) -> list[str]:
        counted = (await self._asked("Namespaces", context)).namespaces
        return sorted(one.namespace for one in counted if one.namespace.startswith(begun))

    async def _ids(self, begun: str, context: Context) -> list[str]:
        """The ids that begin so, as far as a failure names them; of all ids the most important."""
        try:
            if begun:
                return [(await self._ask_for("Get", context, id=begun)).memory.id]
        except Failure as failure:
            return list(failure.details.get("ids", ()))
        held = await self._asked("List", context, limit=MEMORIES_MAX)
        return [one.id for one in held.memories]

    async def _asked(self, operation: str, context: Context, **fields: Any) -> Any:
        """The response of an operation; its failure is an error of the protocol here."""
        try:
            return await self._ask_for(operation, context, **fields)
        except Exception as fault:
            _refuse(as_failure(fault, operation))

    async def _ask_for(self, operation: str, context: Context, **fields: Any) -> Any:
        request = codec.from_json(OPERATIONS[operation].request, fields)
        return await self._ask(operation, request, context)


_TREE = types.Resource(
    uri=NAMESPACES,
    name="namespaces",
    title="Namespaces",
    description="The tree of namespaces, with how many memories each holds.",
    mime_type=JSON_TYPE,
)
_TEMPLATES = (
    types.ResourceTemplate(
        uri_template=TEMPLATES[0],
        name="namespace",
        title="A namespace",
        description="Its standards and its most important memories.",
        mime_type=JSON_TYPE,
    ),
    types.ResourceTemplate(
        uri_template=TEMPLATES[1],
        name="memory",
        title="A memory",
        description="One memory with its content and its links. The id may be shortened.",
        mime_type=JSON_TYPE,
    ),
)


def _listed(counted: Any) -> types.Resource:
    return types.Resource(
        uri=NAMESPACE + quote(counted.namespace, safe=""),
        name=counted.namespace,
        description=f"{counted.count} memories" if counted.count != 1 else "1 memory",
        mime_type=JSON_TYPE,
    )


def _split(uri: str) -> tuple[str, str]:
    """What kind of address it is, and the name in it. A namespace may come with plain slashes."""
    if uri == NAMESPACES:
        return NAMESPACES, ""
    for kind in (NAMESPACE, MEMORY):
        name = unquote(uri.removeprefix(kind)) if uri.startswith(kind) else ""
        if name:
            return kind, name
    known = ", ".join((NAMESPACES, *TEMPLATES))
    raise MCPError(INVALID_PARAMS, f"no resource {uri[:200]!r}; there are {known}", {"uri": uri})


def _read_cursor(cursor: str | None) -> int:
    """Where a page begins, which is all that a cursor says."""
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 9):
        raise MCPError(INVALID_PARAMS, f"{cursor[:40]!r} is no cursor of this list")
    return int(cursor)


def _arguments_of(ref: types.ResourceTemplateReference | types.PromptReference) -> tuple[str, ...]:
    """The arguments that what is referred to has. Raises for what does not exist."""
    if isinstance(ref, types.PromptReference):
        words = PROMPTS.get(ref.name)
        if words is None:
            raise MCPError(INVALID_PARAMS, f"no prompt {ref.name[:100]!r}")
        return tuple(words.arguments)
    if ref.uri not in TEMPLATES:
        known = ", ".join(TEMPLATES)
        raise MCPError(INVALID_PARAMS, f"no template {ref.uri[:200]!r}; there are {known}")
    return ("namespace",) if ref.uri == TEMPLATES[0] else ("id",)


def _refuse(failure: Failure) -> NoReturn:
    """The failure as the protocol's error, whole, so that a program can read it too."""
    code = INVALID_PARAMS if failure.code in _CALLERS_FAULTS else INTERNAL_ERROR
    raise MCPError(code, answers.failure_text(failure), errors.to_json(failure)) from None
