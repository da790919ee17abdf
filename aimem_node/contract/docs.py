"""The made pages of docs/: every operation with its names on each surface, and every failure."""

from collections.abc import Iterator

from aimem_node.contract import words
from aimem_node.contract.errors import SIGNS, Code
from aimem_node.contract.facts import Field
from aimem_node.contract.operations import FACTS, OPERATIONS, Operation
from aimem_node.contract.schema import tools
from aimem_node.contract.values import Profile

_NOTE = "<!-- Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit. -->"


def operations_markdown() -> str:
    """docs/operations.md."""
    return "\n".join(_operations_page()) + "\n"


def _operations_page() -> Iterator[str]:
    yield "# Operations"
    yield ""
    yield _NOTE
    yield ""
    yield (
        f"{len(OPERATIONS)} operations. Each is declared once, in proto/aimem/v1, and has the same "
        "meaning, bounds and failures on every surface. Every write takes `options.request_key` "
        "(on the command line `--request-key`): sent again with the same key it does nothing new "
        "and gives the first answer."
    )
    yield ""
    yield "| operation | MCP tool | HTTP | command | effect | role | profile |"
    yield "|---|---|---|---|---|---|---|"
    for operation in OPERATIONS.values():
        yield _row(operation)
    yield ""
    yield (
        "Profiles are MCP tool lists. Each holds those before it: "
        + ", ".join(f"`{profile.value}` has {len(tools(profile))} tools" for profile in Profile)
        + "."
    )
    family = ""
    for operation in OPERATIONS.values():
        if operation.family != family:
            family = operation.family
            yield from ("", f"## {family.capitalize()}", "", FACTS.families[family])
        yield ""
        yield from _section(operation)


def _row(operation: Operation) -> str:
    http = "<br>".join(f"`{rule.method} {rule.path}`" for rule in operation.http)
    effect = operation.effect.value + (", destructive" if operation.destructive else "")
    cells = (
        f"[{operation.name}](#{operation.name.lower()})",
        f"`{operation.mcp_name}`",
        http,
        "<br>".join(f"`aimem {name}`" for name in _commands(operation)),
        effect,
        operation.role.value,
        operation.profile.value,
    )
    return "| " + " | ".join(cells) + " |"


def _commands(operation: Operation) -> list[str]:
    return [name for name in (operation.cli_name, operation.cli_alias) if name]


def _section(operation: Operation) -> Iterator[str]:
    yield f"### {operation.name}"
    yield ""
    yield operation.help
    yield ""
    notes = [f"`{operation.grpc_path}`", f"95 in 100 within {operation.p95_ms} ms"]
    if operation.idempotent:
        notes.append("twice is the same as once")
    if operation.streaming:
        notes.append("answers with a stream")
    yield "; ".join(notes) + "."
    yield ""
    if operation.fields:
        yield "| field | type | |"
        yield "|---|---|---|"
        for field in operation.fields:
            yield f"| `{field.name}` | {_type(field)} | {_cell(_about(field))} |"
        yield ""
    answers = ", ".join(f"`{field.name}`" for field in operation.response_fields)
    yield f"Answers with {answers or 'nothing'}."


def _type(field: Field) -> str:
    if field.kind == "message":
        one = words.python_class(field.type_name)
    elif field.words or field.one_of:
        one = " \\| ".join(field.words or field.one_of)
    else:
        names = {"int": "whole number", "float": "number", "string": "text", "timestamp": "time"}
        one = {**names, "bool": "true or false", "json": "object"}[field.kind]
    return f"list of {one}" if field.repeated else one


def _about(field: Field) -> str:
    parts = [field.help] if field.help else []
    if field.required:
        parts.append("Required.")
    if field.default is not None:
        shown = str(field.default).lower() if isinstance(field.default, bool) else field.default
        parts.append(f"Default {shown}.")
    if field.min is not None and field.max is not None:
        ending = " (more is lowered to it)" if field.capped else ""
        parts.append(f"{field.min:.16g} to {field.max:.16g}{ending}.")
    if field.chars_max:
        parts.append(f"At most {field.chars_max} characters.")
    if field.bytes_max:
        parts.append(f"At most {field.bytes_max} bytes{' each' if field.repeated else ''}.")
    if field.items_max:
        parts.append(f"At most {field.items_max} items.")
    return " ".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def failures_markdown() -> str:
    """docs/failures.md."""
    return "\n".join(_failures_page()) + "\n"


def _failures_page() -> Iterator[str]:
    yield "# Failures"
    yield ""
    yield _NOTE.replace("proto/aimem/v1", "aimem_node/contract/errors.py")
    yield ""
    yield (
        "A failed call answers with `error` (what happened), `code`, `path` (where in the "
        "request), `next` (what to do) and `definite`. Definite means that the call changed "
        "nothing; after any other failure send it again with the same request key. gRPC carries "
        "the whole of it in the trailer `aimem-failure-bin`, MCP in the text of an `isError` "
        "result, HTTP as the JSON body, the command line on standard error."
    )
    yield ""
    yield "| code | gRPC | HTTP | exit | definite | what to do |"
    yield "|---|---|--:|--:|---|---|"
    for code in Code:
        sign = SIGNS[code]
        definite = "yes" if sign.definite else "no"
        cells = (f"`{code.value}`", sign.grpc, str(sign.http), str(sign.exit), definite, sign.next)
        yield "| " + " | ".join(cells) + " |"
    yield from ("", "## What became of a write", "", *_OUTCOMES)


_OUTCOMES = (
    "A write ends in one of four ways, and `write.outcome` in its answer says which.",
    "",
    "| outcome | meaning | gRPC | HTTP | MCP | exit |",
    "|---|---|---|--:|---|--:|",
    "| committed | On the disks of at least `write.needed` nodes. | OK | 200 | the answer | 0 |",
    "| pending | In the log here, and on `write.acks` disks so far; `write.peers` names each other "
    "node and its reason. It spreads by itself. `WaitDurable` waits for it; the same request key "
    "tells how it stands. | OK | 202 | the answer and a line that says so | 9 |",
    "| awaiting_approval | Nothing was done: a rule asks for an approval first. `write.awaiting` "
    "names the rule, where it is set, and the id under which it waits. | OK | 202 | an empty "
    "answer and a line that says so | 9 |",
    "| not written | The failure `NOT_WRITTEN`: nothing was logged anywhere. `details.peers` names "
    "each other node and its reason. | UNAVAILABLE | 503 with Retry-After | isError | 5 |",
    "",
    "## What a session has seen",
    "",
    "Every answer brings a token of what its caller has seen by then: in the gRPC trailer and in "
    "the HTTP header `Aimem-Token`. Sent back as `Aimem-After`, to any node of the cluster, it "
    "keeps a later answer from showing less: the node waits for what it lacks, at most "
    "`Aimem-Max-Wait-Ms` (500), and then fails with `UNAVAILABLE` and `details.missing`, or with "
    "`DATA_LOST` when nobody has it any more. The command line, the Python clients and MCP "
    "sessions do this by themselves. A token longer than 4,096 characters is only sent to a "
    "caller who sent `Aimem-After`, which may be empty.",
)
"""What the table of failures does not show."""
