"""The committed descriptors."""

import pytest
from google.protobuf import descriptor_pb2

from aimem_node.contract.descriptors import (
    PEER_FILE,
    contract_pool,
    file_set_bytes,
    pool_of,
    read_files,
)
from aimem_node.contract.facts import ContractError, Reader
from aimem_node.contract.operations import OPERATIONS, read_operations
from aimem_node.contract.values import MESSAGES


def test_the_set_stands_alone() -> None:
    assert pool_of(file_set_bytes()).FindServiceByName("aimem.v1.Memories").full_name
    assert contract_pool() is contract_pool()


def test_our_files_keep_their_comments_for_reflection() -> None:
    files = read_files(contract_pool(), file_set_bytes())
    assert files
    assert all(file.source_code_info.location for file in files)


def test_what_nodes_say_to_one_another_is_known_and_no_operation() -> None:
    peer = contract_pool().FindServiceByName("aimem.v1.Peer")
    assert peer.file.name == PEER_FILE
    assert PEER_FILE not in {file.name for file in read_files(contract_pool(), file_set_bytes())}
    assert peer.full_name not in {operation.service for operation in OPERATIONS.values()}


def test_no_other_file_can_slip_past_the_rule_that_an_operation_declares_itself() -> None:
    """The same service, word for word, in a file of any other name, stops the start."""
    files = descriptor_pb2.FileDescriptorSet.FromString(file_set_bytes())
    moved = next(file for file in files.file if file.name == PEER_FILE)
    moved.name = "aimem/v1/replication2.proto"
    for message in moved.message_type:  # only what a surface could show, so that the rule decides
        del message.field[:], message.nested_type[:], message.oneof_decl[:], message.enum_type[:]
    facts = Reader(files.SerializeToString()).read()
    assert "aimem.v1.Peer" in {method.service for method in facts.methods}
    with pytest.raises(ContractError, match="must say its effect, its role and its profile"):
        read_operations(facts, MESSAGES)
