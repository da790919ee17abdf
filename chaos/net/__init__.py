"""The network between nodes that are to be parted: namespaces, and a router of ours in between."""

from chaos.net.loopback import CannotInject, Loopback
from chaos.net.namespaces import requirements
from chaos.net.network import Network, network_for
from chaos.net.rules import Rule

__all__ = ["CannotInject", "Loopback", "Network", "Rule", "network_for", "requirements"]
