"""Ports for nodes of one's own; that the nodes become one cluster is shown by the demo's tests."""

from aimem_node.gateways.demo.own_team import PORTS_FROM, PORTS_UPTO, free_port


def test_a_free_port_is_one_that_no_outgoing_connection_is_given() -> None:
    assert all(PORTS_FROM <= free_port() < PORTS_UPTO for _ in range(20))
