"""One value, three forms: immutable Python, protobuf bytes, JSON. All of it by rule, none by hand.

This is the door at which outside shapes become our values; nothing behind it looks at a wire.
"""

from aimem_node.contract.json_text import check_json, dumps, dumps_pretty, loads
from aimem_node.contract.json_values import from_json, from_query, to_json
from aimem_node.contract.times import read_time, show_time
from aimem_node.contract.wire import from_wire, to_wire

__all__ = [
    "check_json",
    "dumps",
    "dumps_pretty",
    "from_json",
    "from_query",
    "from_wire",
    "loads",
    "read_time",
    "show_time",
    "to_json",
    "to_wire",
]
