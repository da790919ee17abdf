"""What a declaration may not say."""

from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from aimem_node.contract.descriptors import file_set_bytes, message_class, pool_of
from aimem_node.contract.facts import ContractError, Reader
from aimem_node.contract.operations import FACTS, read_operations
from aimem_node.contract.values import MESSAGES


class Source:
    """The real contract, open for one wrong change."""

    def __init__(self) -> None:
        pool = pool_of(file_set_bytes())
        self.rule = pool.FindExtensionByName("aimem.v1.rule")
        self.nature = pool.FindExtensionByName("aimem.v1.nature")
        self.http = pool.FindExtensionByName("google.api.http")
        self.files = message_class(pool, "google.protobuf.FileDescriptorSet").FromString(
            file_set_bytes()
        )

    def field(self, message: str, name: str) -> Any:
        found = next(m for f in self.files.file for m in f.message_type if m.name == message)
        return next(field for field in found.field if field.name == name)

    def method(self, name: str) -> Any:
        services = [service for file in self.files.file for service in file.service]
        return next(m for service in services for m in service.method if m.name == name)

    def read(self) -> None:
        facts = Reader(self.files.SerializeToString()).read()
        read_operations(facts, MESSAGES)


def test_the_contract_as_it_is_can_be_read() -> None:
    Source().read()


def test_facts_come_with_the_comments_of_the_source() -> None:
    field = FACTS.shapes["aimem.v1.StoreRequest"].field("title")
    assert field is not None
    assert field.help == "A short line that says what it is about."
    assert FACTS.enums["aimem.v1.Tier"].words[0].help == "Six hours, unless it is recalled."


def bad_default(source: Source) -> None:
    source.field("StoreRequest", "tier").options.Extensions[source.rule].default = '"eternal"'


def default_that_is_no_json(source: Source) -> None:
    source.field("StoreRequest", "tier").options.Extensions[source.rule].default = "mid"


def default_of_another_type(source: Source) -> None:
    source.field("ListRequest", "limit").options.Extensions[source.rule].default = '"20"'


def default_and_required(source: Source) -> None:
    source.field("ListRequest", "limit").options.Extensions[source.rule].required = True


def bytes_field(source: Source) -> None:
    source.field("Memory", "title").type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES


def no_role(source: Source) -> None:
    source.method("Store").options.Extensions[source.nature].role = 0


def no_nature(source: Source) -> None:
    source.method("Store").options.ClearExtension(source.nature)


def no_path(source: Source) -> None:
    source.method("Store").options.ClearExtension(source.http)


def write_without_options(source: Source) -> None:
    source.field("StoreRequest", "options").name = "choices"


def write_without_result(source: Source) -> None:
    source.field("StoreResponse", "write").name = "result"


def read_that_writes(source: Source) -> None:
    source.method("List").options.Extensions[source.nature].effect = 2


def path_without_its_field(source: Source) -> None:
    source.method("Get").options.Extensions[source.http].get = "/api/v1/memories/{name}"


def path_taken_twice(source: Source) -> None:
    source.method("Get").options.Extensions[source.http].get = "/api/v1/memories"


def rows_that_are_none(source: Source) -> None:
    source.method("List").options.Extensions[source.nature].rows = "count"


def alias_taken_twice(source: Source) -> None:
    source.method("List").options.Extensions[source.nature].cli_alias = "get"


WRONGS = [
    bad_default, default_that_is_no_json, default_of_another_type, default_and_required,
    bytes_field, no_role, no_nature, no_path, write_without_options, write_without_result,
    read_that_writes, path_without_its_field, path_taken_twice, rows_that_are_none,
    alias_taken_twice,
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONGS)
def test_a_declaration_that_a_surface_could_not_honour_stops_the_start(wrong: Any) -> None:
    source = Source()
    wrong(source)
    with pytest.raises(ContractError):
        source.read()
