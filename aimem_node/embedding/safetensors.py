"""Read weights as they are stored: eight bytes of length, a JSON header, numbers.

The format is simpler than a dependency on its library. Everything in the header is checked against
the file, since a wrong offset would be read as weights.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from aimem_node.embedding.embedder import Unavailable

if TYPE_CHECKING:
    from aimem_node.embedding.embedder import Matrix

HEADER_BYTES_MAX = 1 << 24
_LENGTH_BYTES = 8
_KINDS = {"F32": "<f4", "F16": "<f2"}
"""Of the format, and as numpy calls them. Tensors of any other are no weights."""


def read_safetensors(path: Path) -> dict[str, Matrix]:
    """All floating-point tensors by name, as float32: mapped from the file where they are stored
    so. Raises Unavailable for a damaged file or none."""
    try:
        return _read(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unavailable(f"{path} is damaged: {error}", "Install the package again.") from None


def _read(path: Path) -> dict[str, Matrix]:
    import numpy as np

    raw = np.memmap(path, dtype=np.uint8, mode="r")
    length = int.from_bytes(raw[:_LENGTH_BYTES].tobytes(), "little")
    if not 0 < length <= min(HEADER_BYTES_MAX, len(raw) - _LENGTH_BYTES):
        raise ValueError("the header is longer than the file")
    header = json.loads(raw[_LENGTH_BYTES : _LENGTH_BYTES + length].tobytes())
    body = raw[_LENGTH_BYTES + length :]
    found: dict[str, Matrix] = {}
    for name, facts in header.items():
        kind = None if name == "__metadata__" else _KINDS.get(facts["dtype"])
        if kind is None:
            continue
        start, end = facts["data_offsets"]
        # Not by numpy, whose product of large numbers wraps around to a small one.
        size = np.dtype(kind).itemsize * math.prod(facts["shape"])
        if not 0 <= start <= end <= len(body) or end - start != size:
            raise ValueError(f"{name} does not fit the file")
        rows = body[start:end].view(kind).reshape(facts["shape"])
        found[name] = rows.astype("<f4", copy=False)
    return found
