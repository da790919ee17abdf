"""`python -m aimem_node.gateways.operator.bench.quality`: the same as `make bench-recall`."""

import sys

from aimem_node.gateways.operator.bench.quality.runner import main

sys.exit(main())
