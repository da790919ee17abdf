"""Read everything that proto/ says out of descriptors: shapes, rules, natures and comments.

Nothing made is imported here, because the generator stands on this module: it must run when
the made files are missing or wrong.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any, Final

from aimem_node.contract import words
from aimem_node.contract.descriptors import TIMESTAMP, message_class, pool_of, read_files

DOUBLE, INT64, INT32, BOOL, STRING, MESSAGE, ENUM = 1, 3, 5, 8, 9, 11, 14
"""Field types as google.protobuf.FieldDescriptorProto.Type numbers them."""
REPEATED = 3

KINDS: Final = {
    DOUBLE: "float",
    INT64: "int",
    INT32: "int",
    BOOL: "bool",
    STRING: "string",
    MESSAGE: "message",
    ENUM: "enum",
}


class ContractError(Exception):
    """proto/ says something that cannot be true on every surface. For its authors, not callers."""


@dataclass(frozen=True, slots=True)
class Word:
    """One value of an enum."""

    number: int
    member: str
    "As Python names it: SHORT."
    word: str
    'As JSON says it: "short".'
    help: str


@dataclass(frozen=True, slots=True)
class Enumeration:
    """An enum. Its zero is absence and has no word."""

    full_name: str
    family: str
    help: str
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message, with all that is declared about it."""

    name: str
    number: int
    kind: str
    '"string", "int", "float", "bool", "enum", "timestamp", "json" or "message".'
    bits: int
    "32 or 64 for integers, else 0."
    repeated: bool
    presence: bool
    "True: absent differs from zero."
    required: bool
    default: Any
    "The value when absent, as JSON has it; None for none."
    min: float | None
    max: float | None
    capped: bool
    chars_max: int
    bytes_max: int
    items_max: int
    format: str
    'The word of a Format, such as "title"; empty for none.'
    positional: bool
    short: str
    advanced: bool
    stdin: bool
    one_of: tuple[str, ...]
    secret: bool
    first: bool
    help: str
    type_name: str
    "Full name of the enum or message, else empty."
    words: tuple[str, ...] = ()
    "The words of an enum."
    message: type | None = None
    "The value class of a message, once it is known."

    @property
    def attribute(self) -> str:
        """Its name in Python, which keeps some words for itself: from is from_."""
        return f"{self.name}_" if iskeyword(self.name) else self.name


@dataclass(frozen=True, slots=True)
class Shape:
    """A message."""

    full_name: str
    family: str
    "The proto file it stands in."
    help: str
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field | None:
        """The field of that name, or None."""
        return next((field for field in self.fields if field.name == name), None)


@dataclass(frozen=True, slots=True)
class Method:
    """A method. `nature` and `http` are our options as protobuf messages, None when not given."""

    name: str
    service: str
    family: str
    request: str
    response: str
    streaming: bool
    help: str
    nature: Any
    http: Any


@dataclass(frozen=True, slots=True)
class Facts:
    """All of a contract."""

    families: dict[str, str]
    "Proto file by short name, with the comment on top of it."
    enums: dict[str, Enumeration]
    shapes: dict[str, Shape]
    methods: tuple[Method, ...]


class _Comments:
    """The comments of one file, by the path of what they stand above."""

    def __init__(self, file: Any) -> None:
        self._by_path = {
            tuple(place.path): place.leading_comments for place in file.source_code_info.location
        }

    def at(self, *path: int) -> str:
        lines = self._by_path.get(path, "").splitlines()
        return " ".join(line.strip() for line in lines).strip()


class Reader:
    """Turns one FileDescriptorSet into Facts. Raises ContractError."""

    def __init__(self, file_set: bytes) -> None:
        pool = pool_of(file_set)
        self._rule = pool.FindExtensionByName("aimem.v1.rule")
        self._nature = pool.FindExtensionByName("aimem.v1.nature")
        self._http = pool.FindExtensionByName("google.api.http")
        self._no_rule = message_class(pool, "aimem.v1.Rule")()
        self._formats: dict[int, str] = {}
        self._files = read_files(pool, file_set)

    def read(self) -> Facts:
        """Everything, with the files in alphabetical order."""
        files = sorted(self._files, key=lambda file: file.name)
        facts = Facts(
            families={_family(file): _Comments(file).at(12) for file in files},
            enums={e.full_name: e for file in files for e in self._enums(file)},
            shapes={},
            methods=tuple(m for file in files for m in self._methods(file)),
        )
        formats = facts.enums["aimem.v1.Format"]
        self._formats = {word.number: word.word for word in formats.words}
        for file in files:
            facts.shapes.update((s.full_name, s) for s in self._shapes(file, facts.enums))
        return facts

    def _enums(self, file: Any) -> Iterator[Enumeration]:
        comments = _Comments(file)
        for at, enum in enumerate(file.enum_type):
            found = []
            for value_at, value in enumerate(enum.value):
                if value.number != 0:
                    name = words.member(enum.name, value.name)
                    help_text = comments.at(5, at, 2, value_at)
                    found.append(Word(value.number, name, name.lower(), help_text))
            yield Enumeration(
                f"{file.package}.{enum.name}", _family(file), comments.at(5, at), tuple(found)
            )

    def _shapes(self, file: Any, enums: dict[str, Enumeration]) -> Iterator[Shape]:
        options = {extension.type_name.lstrip(".") for extension in file.extension}
        comments = _Comments(file)

        def walk(messages: Any, prefix: str, *path: int) -> Iterator[Shape]:
            for at, message in enumerate(messages):
                name, here = f"{prefix}.{message.name}", (*path, at)
                if name in options:
                    continue
                yield from walk(message.nested_type, name, *here, 3)
                fields = tuple(
                    self._field(name, field, comments.at(*here, 2, field_at), enums)
                    for field_at, field in enumerate(message.field)
                )
                yield Shape(name, _family(file), comments.at(*here), fields)

        yield from walk(file.message_type, file.package, 4)

    def _field(
        self, owner: str, field: Any, help_text: str, enums: dict[str, Enumeration]
    ) -> Field:
        rule = self._no_rule
        if field.options.HasExtension(self._rule):
            rule = field.options.Extensions[self._rule]
        where = f"{owner}.{field.name}"
        kind = KINDS.get(field.type)
        if kind is None:
            raise ContractError(f"{where} has a type that no surface can show")
        type_name = field.type_name.lstrip(".")
        format_word = self._formats.get(rule.format, "")
        if type_name == TIMESTAMP:
            kind, type_name = "timestamp", ""
        elif kind == "string" and format_word == "json_object":
            kind = "json"
        known = tuple(word.word for word in enums[type_name].words) if kind == "enum" else ()
        made = Field(
            name=field.name,
            number=field.number,
            kind=kind,
            bits={INT32: 32, INT64: 64}.get(field.type, 0),
            repeated=field.label == REPEATED,
            presence=field.proto3_optional or (field.type == MESSAGE and field.label != REPEATED),
            required=rule.required,
            default=_default(where, rule.default),
            min=rule.min if rule.HasField("min") else None,
            max=rule.max if rule.HasField("max") else None,
            capped=rule.capped,
            chars_max=rule.chars_max,
            bytes_max=rule.bytes_max,
            items_max=rule.items_max,
            format=format_word,
            positional=rule.positional,
            short=rule.short,
            advanced=rule.advanced,
            stdin=rule.stdin,
            one_of=tuple(rule.one_of),
            secret=rule.secret,
            first=rule.first,
            help=help_text,
            type_name=type_name,
            words=known,
        )
        _check_field(where, made)
        return made

    def _methods(self, file: Any) -> Iterator[Method]:
        comments = _Comments(file)
        for at, service in enumerate(file.service):
            for method_at, method in enumerate(service.method):
                options = method.options
                yield Method(
                    name=method.name,
                    service=f"{file.package}.{service.name}",
                    family=_family(file),
                    request=method.input_type.lstrip("."),
                    response=method.output_type.lstrip("."),
                    streaming=method.server_streaming,
                    help=comments.at(6, at, 2, method_at),
                    nature=_given(options, self._nature),
                    http=_given(options, self._http),
                )


def _family(file: Any) -> str:
    name: str = file.name.rsplit("/", 1)[-1].removesuffix(".proto")
    return name


def _given(options: Any, extension: Any) -> Any:
    return options.Extensions[extension] if options.HasExtension(extension) else None


def _default(where: str, literal: str) -> Any:
    if not literal:
        return None
    try:
        return json.loads(literal)
    except ValueError:
        raise ContractError(f"{where}: the default {literal!r} is not a JSON literal") from None


def _check_field(where: str, field: Field) -> None:
    """What may not be declared together."""
    if field.default is not None:
        if not field.presence or field.repeated or field.required:
            raise ContractError(f"{where} has a default, so it must be optional")
        if field.kind == "enum" and field.default not in field.words:
            raise ContractError(f"{where}: {field.default!r} is not one of {field.words}")
        kinds = {int: ("int", "float"), float: ("float",), bool: ("bool",), str: ("string", "enum")}
        if field.kind not in kinds.get(type(field.default), ()):
            raise ContractError(f"{where}: {field.default!r} is no {field.kind}")
    if field.required and field.presence and field.kind not in ("message", "timestamp"):
        raise ContractError(f"{where} is required, so it cannot be optional")
    if len(field.short) > 1:
        raise ContractError(f"{where}: {field.short!r} is more than one letter")
