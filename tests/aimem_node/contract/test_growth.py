"""The wire contract only grows."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from aimem_node.contract.descriptors import file_set_bytes
from aimem_node.contract.growth import losses
from aimem_node.contract.make import RELEASED, released_bytes


def test_nothing_that_was_released_is_lost() -> None:
    assert losses(RELEASED.read_bytes(), file_set_bytes()) == []


def test_comments_are_no_part_of_a_release() -> None:
    files = descriptor_pb2.FileDescriptorSet.FromString(RELEASED.read_bytes()).file
    assert files
    assert all(file.package == "aimem.v1" for file in files)
    assert not any(file.HasField("source_code_info") for file in files)


def find(files: Any, name: str) -> Any:
    return next(m for file in files.file for m in file.message_type if m.name == name)


def drop_field(files: Any) -> None:
    del find(files, "Memory").field[3]


def renumber(files: Any) -> None:
    find(files, "Memory").field[3].number = 99


def retype(files: Any) -> None:
    find(files, "Memory").field[3].type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES


def repeat(files: Any) -> None:
    find(files, "Memory").field[3].label = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED


def drop_nested(files: Any) -> None:
    del find(files, "ExportRecord").nested_type[0]


def drop_method(files: Any) -> None:
    service = next(file.service[0] for file in files.file if file.service)
    del service.method[0]


def stream(files: Any) -> None:
    next(file.service[0] for file in files.file if file.service).method[0].server_streaming = True


def drop_word(files: Any) -> None:
    del next(file for file in files.file if file.name.endswith("nouns.proto")).enum_type[0].value[1]


BREAKS = [drop_field, renumber, retype, repeat, drop_nested, drop_method, stream, drop_word]


@pytest.mark.parametrize("change", BREAKS)
def test_every_kind_of_loss_is_noticed(change: Callable[[Any], None]) -> None:
    files = descriptor_pb2.FileDescriptorSet.FromString(RELEASED.read_bytes())
    change(files)
    assert losses(RELEASED.read_bytes(), files.SerializeToString())


def test_a_new_field_is_growth() -> None:
    files = descriptor_pb2.FileDescriptorSet.FromString(RELEASED.read_bytes())
    find(files, "Memory").field.add(name="mood", number=900, type=9, label=1)
    assert losses(RELEASED.read_bytes(), files.SerializeToString()) == []


def test_a_release_is_made_of_what_is_made() -> None:
    assert losses(released_bytes(file_set_bytes()), file_set_bytes()) == []
