"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Both are stopwatches, which fail on a busy machine.
settings.register_profile("nondet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nondet")
