"""How hard Hypothesis tries: enough to find a broken law, little enough for every commit.

A commit is judged by the same examples everywhere; `make properties` draws others.
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "core",
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("core")
