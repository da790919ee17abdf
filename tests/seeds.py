"""A Hypothesis profile for `make properties`: as many examples for each property as SEEDS says.

Loaded with `-p tests.seeds`, before any conftest, so that the profile is known when the command
line asks for it. The commit-time profile stays where the tests of the pure core are.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "seeds",
    max_examples=int(os.environ.get("SEEDS", "500")),
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
