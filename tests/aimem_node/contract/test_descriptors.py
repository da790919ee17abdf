"""The committed descriptors."""

from aimem_node.contract.descriptors import contract_pool, file_set_bytes, pool_of, read_files


def test_the_set_stands_alone() -> None:
    assert pool_of(file_set_bytes()).FindServiceByName("aimem.v1.Memories").full_name
    assert contract_pool() is contract_pool()


def test_our_files_keep_their_comments_for_reflection() -> None:
    files = read_files(contract_pool(), file_set_bytes())
    assert files
    assert all(file.source_code_info.location for file in files)
