"""Clients on every node of a cluster at once, over gRPC, HTTP and MCP, and all that they were told.

What a checker has to know of the Events beyond chaos/history.py:

- An attempt that is refused for certain after an earlier attempt of the same request key had no
  certain end is `info`, not `fail`: it did nothing, but the earlier one may have.
- The answer to a write has in `seen` how many confirmed it and whether it was an answer again:
  {"acks": 2, "replayed": false}. Answers name no members, so `acked` is only there while a write
  is pending.
- `ok` without write_ids is a write that had nothing to change.
- A read is ok when it was served: `seen` is the list of the ids that it was shown, empty if the
  memory it asked for is not there, and `value` of a Get's answer what that memory said. Its
  refusal is `fail`, always: a read does nothing.
- A count is one recall of the memory `key`; `seen` of its answer is what was recalled.
- A vote is a request that has to be approved (value {"ask": title}), or a decision on one (value
  {"approve": id} or {"reject": id}).
- `proc` is a session. Whoever cannot take a token along (MCP on a new connection, or what a token
  spoke of is lost) goes on as another proc.
"""

from chaos.workload.speaking import Endpoint
from chaos.workload.workload import Workload

__all__ = ["Endpoint", "Workload"]
