"""The names of what stands in the table `meta`: one value each, of the file and not of a record."""

from __future__ import annotations

from typing import Final

META_SCHEMA: Final = "schema"
META_LAMPORT: Final = "lamport"
META_VECTOR_NUMBERS: Final = "vector_numbers"
"""Names the numbering of vectors in this file: whoever brings another file in removes it."""
META_VECTORS_UNSCRUBBED: Final = "vectors_unscrubbed"
"""There while the vector of a purged memory may still stand in a saved index."""
META_UNSCRUBBED: Final = "unscrubbed"
"""There while words of a purged memory may still stand in the file; the value says where."""
IN_INDEX: Final = b"index"
"""In pages of the index, and in the WAL."""
IN_WAL: Final = b"wal"
"""In the WAL alone."""
