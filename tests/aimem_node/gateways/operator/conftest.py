"""The command line's fake node serves the operator's tests too."""

from tests.aimem_node.gateways.cli.conftest import absent, fake

__all__ = ["absent", "fake"]
