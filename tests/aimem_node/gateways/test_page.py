"""The status page stands alone and can be harmed by nobody's memories."""

import re

from aimem_node.contract.operations import OPERATIONS
from aimem_node.gateways.page import status_page


def test_the_page_loads_nothing_from_elsewhere() -> None:
    text = status_page().body.decode()
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    assert "@import" not in text


def test_the_page_lists_every_operation_of_the_api() -> None:
    text = status_page().body.decode()
    for operation in OPERATIONS.values():
        for rule in operation.http:
            assert f"{rule.method} {rule.path}" in text


def test_the_policy_lets_only_this_pages_own_script_run() -> None:
    first, second = status_page(), status_page()
    policy = first.headers["content-security-policy"]
    nonce = re.search(r"script-src 'nonce-([^']+)'", policy)
    assert nonce is not None
    assert f'<script nonce="{nonce[1]}">' in first.body.decode()
    assert policy != second.headers["content-security-policy"]
    assert "default-src 'none'" in policy


def test_what_the_node_answers_is_shown_as_text_only() -> None:
    text = status_page().body.decode()
    assert "innerHTML" not in text


def test_the_page_asks_only_for_paths_that_exist() -> None:
    asked = set(re.findall(r'ask\("([^"]+)"\)', status_page().body.decode()))
    declared = {rule.path for operation in OPERATIONS.values() for rule in operation.http}
    assert asked
    assert asked <= declared
