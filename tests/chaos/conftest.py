"""The clusters of tests/cluster, here too."""

from tests.cluster.conftest import three

__all__ = ["three"]
