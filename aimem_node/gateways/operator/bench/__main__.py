"""`python -m aimem_node.gateways.operator.bench`: the same as `aimem-node bench`."""

import sys

from aimem_node.gateways.operator.bench.runner import main

sys.exit(main())
