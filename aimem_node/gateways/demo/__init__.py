"""The demonstration: one node, two tools, one memory, and nothing left behind afterwards."""
