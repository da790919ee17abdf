"""`python -m aimem_node.gateways.operator.bench.scale`: measure what `make bench-scale` filled."""

import sys

from aimem_node.gateways.operator.bench.scale.runner import main

sys.exit(main())
