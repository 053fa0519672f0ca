"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Both are stopwatches, which fail on a busy machine.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=False)
# Tries the same examples each time: nothing fails for what it happened to draw.
settings.register_profile("nondet", untimed, derandomize=True, database=None)
# Draws others each time: `sh .ci/do long`.
settings.register_profile("searching", untimed, print_blob=True)
settings.load_profile("nondet")
