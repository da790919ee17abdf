"""The contract's messages and enums as immutable Python values, whatever family they are of.

They are made from proto/ and hold no behaviour. A time is whole microseconds since 1970 in UTC;
text that is a JSON object is a mapping; what is absent is None.
"""

from aimem_node.contract.made.values import *  # noqa: F403
