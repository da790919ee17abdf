"""Write the contract's messages and enums as Python: enums of words and frozen dataclasses.

Everything is made as a value with its default in place, so no code after this ever asks
whether a field with a default was given.
"""

import textwrap
from collections.abc import Iterator

from aimem_node.contract import words
from aimem_node.contract.facts import ContractError, Enumeration, Facts, Field, Shape

COLUMNS = 100
DECORATOR = "@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)"
NOTE = "# Made from proto/aimem/v1 by `python -m aimem_node.contract.make`. Do not edit."

_PLAIN = {"string": "str", "int": "int", "float": "float", "bool": "bool", "timestamp": "int"}
_ZERO = {"string": '""', "int": "0", "float": "0.0", "bool": "False"}


def value_modules(facts: Facts) -> dict[str, str]:
    """Text of every made Python file, by file name."""
    made = {}
    for family, comment in facts.families.items():
        enums = [enum for enum in facts.enums.values() if enum.family == family]
        shapes = [shape for shape in facts.shapes.values() if shape.family == family]
        if enums or shapes:
            made[f"values_{family}.py"] = _module(facts, comment, enums, shapes)
    made["values.py"] = _index(facts)
    return made


def _module(facts: Facts, comment: str, enums: list[Enumeration], shapes: list[Shape]) -> str:
    lines = [NOTE, *_docstring(comment or "Values of the contract.", ""), ""]
    lines += ["from __future__ import annotations", ""]
    body: list[str] = []
    for enum in enums:
        body += ["", "", *_enum(enum)]
    for shape in shapes:
        body += ["", "", *_message(facts, shape)]
    text = "\n".join(body)
    if "Mapping[" in text:
        lines.append("from collections.abc import Mapping")
    if shapes:
        parts = "dataclass, field" if "field(default_factory" in text else "dataclass"
        lines.append(f"from dataclasses import {parts}")
    if enums:
        lines.append("from enum import StrEnum")
    if "Any]" in text:
        lines.append("from typing import Any")
    foreign = _foreign(facts, shapes)
    if foreign or shapes:
        lines.append("")
    for family, names in sorted(foreign.items()):
        lines += _import(f"aimem_node.contract.made.values_{family}", sorted(names))
    if shapes:
        lines.append("from aimem_node.contract.value import Value")
    return "\n".join([*lines, *body, ""])


def _foreign(facts: Facts, shapes: list[Shape]) -> dict[str, set[str]]:
    """Classes of other files that these messages need, by file."""
    needed: dict[str, set[str]] = {}
    for shape in shapes:
        for field in shape.fields:
            if not field.type_name:
                continue
            family = (facts.enums.get(field.type_name) or facts.shapes[field.type_name]).family
            if family != shape.family:
                needed.setdefault(family, set()).add(words.python_class(field.type_name))
    return needed


def _import(module: str, names: list[str]) -> list[str]:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= COLUMNS:
        return [line]
    return [f"from {module} import (", *(f"    {name}," for name in names), ")"]


def _enum(enum: Enumeration) -> list[str]:
    lines = [f"class {words.python_class(enum.full_name)}(StrEnum):"]
    lines += [*_docstring(enum.help or "One of a few words.", "    "), ""]
    for word in enum.words:
        lines.append(f'    {word.member} = "{word.word}"')
        if word.help:
            lines += _docstring(word.help, "    ")
    return lines


def _message(facts: Facts, shape: Shape) -> list[str]:
    name = words.python_class(shape.full_name)
    lines = [DECORATOR, f"class {name}(Value):"]
    lines += _docstring(shape.help or _what_it_is(name), "    ")
    if shape.fields:
        lines.append("")
    for field in shape.fields:
        lines.append(f"    {field.attribute}: {_type(field)}{_default(facts, field)}")
        if field.help:
            lines += _docstring(field.help, "    ")
    return lines


def _what_it_is(name: str) -> str:
    for ending, meaning in (("Request", "What {} is asked."), ("Response", "What {} answers.")):
        if name.endswith(ending):
            return meaning.format(name.removesuffix(ending))
    return f"{name}, as it crosses a process boundary."


def _type(field: Field) -> str:
    if field.kind == "json":
        one = "Mapping[str, Any]"
    else:
        one = _PLAIN.get(field.kind) or words.python_class(field.type_name)
    if field.repeated:
        return f"tuple[{one}, ...]"
    if field.required or field.default is not None:
        return one
    zero = field.kind in _ZERO or field.kind == "json"
    return one if zero and not field.presence else f"{one} | None"


def _default(facts: Facts, field: Field) -> str:
    if field.required:
        return ""
    if field.repeated:
        return " = ()"
    if field.default is not None:
        return f" = {_literal(facts, field)}"
    if field.presence or field.kind in ("enum", "timestamp", "message"):
        return " = None"
    if field.kind == "json":
        return " = field(default_factory=dict)"
    return f" = {_ZERO[field.kind]}"


def _literal(facts: Facts, field: Field) -> str:
    if field.kind == "enum":
        enum = facts.enums[field.type_name]
        member = next(word.member for word in enum.words if word.word == field.default)
        return f"{words.python_class(field.type_name)}.{member}"
    if field.kind == "string":
        return f'"{field.default}"'
    if field.kind in ("int", "float", "bool"):
        return repr(float(field.default) if field.kind == "float" else field.default)
    raise ContractError(f"{field.name}: a {field.kind} can have no default")


def _docstring(text: str, indent: str) -> list[str]:
    if text.startswith('"') or text.endswith('"'):
        return [f"{indent}{text!r}"]
    quoted = text.replace("\\", "\\\\").replace('"""', "'''")
    lines = list(_wrapped(quoted, COLUMNS - len(indent) - 6))
    if len(lines) == 1:
        return [f'{indent}"""{lines[0]}"""']
    first, rest = lines[0], lines[1:]
    return [f'{indent}"""{first}', *(indent + line for line in rest), f'{indent}"""']


def _wrapped(text: str, width: int) -> Iterator[str]:
    yield from textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _index(facts: Facts) -> str:
    by_family: dict[str, list[str]] = {}
    everything: list[Enumeration | Shape] = [*facts.enums.values(), *facts.shapes.values()]
    for made in everything:
        by_family.setdefault(made.family, []).append(words.python_class(made.full_name))
    lines = [NOTE, '"""Every value of the contract, and which message or enum each one is."""', ""]
    for family in sorted(by_family):
        lines += _import(f"aimem_node.contract.made.values_{family}", sorted(by_family[family]))
    names = sorted(name for names in by_family.values() for name in names)
    if len(names) != len(set(names)):
        raise ContractError("two messages or enums have one name in Python")
    lines += ["", "__all__ = ["]
    lines += [f'    "{name}",' for name in sorted(["ENUMS", "MESSAGES", *names])]
    lines += ["]"]
    for table, made_of, kind in (
        ("ENUMS", tuple(facts.enums), "enum"),
        ("MESSAGES", tuple(facts.shapes), "message"),
    ):
        lines += ["", f"{table}: dict[str, type] = {{"]
        lines += [f'    "{name}": {words.python_class(name)},' for name in sorted(made_of)]
        lines += ["}", f'"""Classes by the full name of their {kind}."""']
    return "\n".join([*lines, ""])
