"""What holds for all tests."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

from hypothesis import HealthCheck, settings

# Both are stopwatches, which fail on a busy machine.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=False)
# Tries the same examples each time: nothing fails for what it happened to draw.
settings.register_profile("nondet", untimed, derandomize=True, database=None)
# Draws others each time: `sh .ci/do long`.
settings.register_profile("searching", untimed, print_blob=True)
settings.load_profile("nondet")

# Hypothesis draws what stands in our modules, too, as they are just now, of those that happen to be
# loaded: other examples in each worker, and no setting against it. Where it has no such function,
# tests/test_conftest.py tells whether it still does so.
with contextlib.suppress(ImportError, AttributeError):
    providers: Any = importlib.import_module("hypothesis.internal.conjecture.providers")
    is_ours = providers.is_local_module_file
    providers.is_local_module_file = lambda path: not settings().derandomize and is_ours(path)
