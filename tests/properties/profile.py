"""How much is tried: the same examples in every run, or many more when POLICYCHECK_PROPERTIES=long."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

LONG = os.environ.get("POLICYCHECK_PROPERTIES") == "long"

settings.register_profile(
    "policycheck",
    derandomize=not LONG,
    database=None,
    deadline=None,
    print_blob=LONG,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def examples(number: int) -> settings:
    """Settings for a property: half of so many examples, or ten times as many in the long profile."""
    many = number * 10 if LONG else max(1, number // 2)
    return settings(settings.get_profile("policycheck"), max_examples=many)
