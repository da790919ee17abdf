"""What is known of a caller."""

from aimem_node.contract.calls import Channel, Credentials


def test_a_token_is_not_shown() -> None:
    assert "hunter2" not in repr(Credentials(channel=Channel.TLS, bearer="hunter2"))
