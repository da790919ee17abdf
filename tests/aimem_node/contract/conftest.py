"""The tests of the contract share their strategies by plain import."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
