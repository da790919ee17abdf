"""Models that turn texts into vectors: one of them for a node, on a thread of its own.

Nothing heavy is imported before a model is needed. A node without one finds by words alone.
"""

from aimem_node.embedding.recipes import embedding_of
from aimem_node.embedding.worker import Embedding

__all__ = ["Embedding", "embedding_of"]
