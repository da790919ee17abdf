"""The contract as protoc understood it, read from the committed descriptors.

They are kept in a pool of their own. protobuf's default pool belongs to the whole process, and
a second package that brings another build of a google file into it would end the node at start.
"""

from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "aimem.v1"
MADE = Path(__file__).parent / "made"
TIMESTAMP = "google.protobuf.Timestamp"
PEER_FILE = "aimem/v1/replication.proto"
"""The one file of ours that declares no operations: what nodes say to one another. It is named
here and cannot name itself, so that no other service slips past the rule that an operation without
a role stops the start."""


@cache
def file_set_bytes() -> bytes:
    """The serialised FileDescriptorSet: our files with their comments, and what they import."""
    return (MADE / "descriptors.binpb").read_bytes()


def pool_of(file_set: bytes) -> descriptor_pool.DescriptorPool:
    """A pool with exactly the files of a serialised FileDescriptorSet."""
    files = descriptor_pb2.FileDescriptorSet.FromString(file_set)
    made = descriptor_pool.DescriptorPool()
    for file in files.file:
        made.Add(file)
    return made


@cache
def contract_pool() -> descriptor_pool.DescriptorPool:
    """The pool of this contract; what gRPC reflection shows."""
    return pool_of(file_set_bytes())


def message_class(pool: descriptor_pool.DescriptorPool, full_name: str) -> Any:
    """protobuf's own class for a message, with the options of that pool understood."""
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(full_name))


def read_files(pool: descriptor_pool.DescriptorPool, file_set: bytes) -> list[Any]:
    """The FileDescriptorProtos that declare the surfaces, with our options readable in them."""
    reader = message_class(pool, "google.protobuf.FileDescriptorSet")
    return [
        file
        for file in reader.FromString(file_set).file
        if file.package == PACKAGE and file.name != PEER_FILE
    ]
