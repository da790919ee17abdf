"""Every operation, with its name on every surface."""

import pytest

from aimem_node.contract.operations import OPERATIONS, Effect, HttpRule, Operation, Profile, Role
from aimem_node.contract.values import GetTaxonomyRequest, WriteOptions


def test_one_declaration_names_an_operation_everywhere() -> None:
    taxonomy = OPERATIONS["GetTaxonomy"]
    assert taxonomy.grpc_path == "/aimem.v1.NamespaceTree/GetTaxonomy"
    assert taxonomy.mcp_name == "memory_get_taxonomy"
    assert (taxonomy.cli_name, taxonomy.cli_alias) == ("get-taxonomy", "taxonomy")
    assert taxonomy.http == (HttpRule("GET", "/api/v1/taxonomy", "", ()),)
    assert taxonomy.request is GetTaxonomyRequest
    assert (taxonomy.effect, taxonomy.role) == (Effect.READ, Role.READER)


def test_an_operation_may_have_several_paths() -> None:
    methods = [(rule.method, rule.path_params) for rule in OPERATIONS["Update"].http]
    assert methods == [("PUT", ("id",)), ("PATCH", ("id",))]


def test_fields_carry_their_message_types() -> None:
    options = next(f for f in OPERATIONS["Store"].fields if f.name == "options")
    assert options.message is WriteOptions


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation.name)
def test_every_operation_can_be_explained_and_measured(operation: Operation) -> None:
    assert operation.help.endswith(".")
    assert operation.p95_ms > 0
    assert 200 <= operation.http_status < 300
    if operation.effect is Effect.WRITE:
        assert operation.role is not Role.READER
    if operation.destructive:
        assert operation.effect is not Effect.READ
    flags = [field.short for field in operation.fields if field.short]
    assert len(flags) == len(set(flags))


def test_only_the_operator_may_look_after_the_node() -> None:
    for operation in OPERATIONS.values():
        if operation.effect is Effect.ADMIN:
            assert operation.role is Role.ADMIN
            assert operation.profile is Profile.FULL


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        OPERATIONS["New"] = OPERATIONS["Get"]  # type: ignore[index]
