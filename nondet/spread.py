"""Spread of repeated measurements: summaries, bootstrap intervals, shares. Numbers in, numbers out.

SciPy and NumPy are imported where they are needed: the command alone stays light.
"""

from __future__ import annotations

import math
import struct
import warnings
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from nondet.repetition import Bootstrap, Interval, Kind, Summary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

PERCENTS = (5, 25, 50, 75, 95)
FEWEST_VALUES = 10
"""Below this, intervals hold the truth far less often than they say: there are none. How often they
do from there on is measured (tests/benchmarks/intervals.py)."""
FEWEST_RUNS = 8
"""Below this, runs that all differ may still be a choice among few results."""
BOOTSTRAP = Bootstrap(seed=20_210_301, resamples=9999, level=0.95)


def summarise(
    values: Sequence[float | None], about: Summary, bootstrap: Bootstrap = BOOTSTRAP
) -> Summary:
    """The summary of a metric, with its names from `about`; None is a run without a value.

    NaN and infinities are counted apart and are in none of the figures.
    """
    given = [value for value in values if value is not None]
    finite = [float(value) for value in given if math.isfinite(value)]
    odd = Counter(word(value) for value in given if not math.isfinite(value))
    about = msgspec.structs.replace(
        about,
        count=len(finite),
        missing=len(values) - len(given),
        not_finite=dict(sorted(odd.items())),
        distinct=len({_bits(value) for value in finite}),
    )
    if not finite:
        return about
    import numpy as np

    about = msgspec.structs.replace(about, min=min(finite), max=max(finite))
    middle, scale, z = _standardised(finite)
    if not math.isfinite(scale):
        return about
    deviation = _finite(scale * float(np.std(z, ddof=1))) if len(finite) > 1 else None
    points = np.percentile(z, PERCENTS)
    return msgspec.structs.replace(
        about,
        mean=_within(middle + scale * float(np.mean(z)), finite),
        sd=deviation,
        percentiles={
            str(percent): _within(middle + scale * float(point), finite)
            for percent, point in zip(PERCENTS, points, strict=True)
        },
        mean_interval=_mapped(_interval((z,), _mean, bootstrap), middle, scale),
        sd_interval=_mapped(_interval((z,), _sd, bootstrap), 0.0, scale),
    )


def share(
    alone: Sequence[float], every: Sequence[float], bootstrap: Bootstrap = BOOTSTRAP
) -> tuple[float, Interval | None] | None:
    """Variance of `alone` over that of `every`, with its bootstrap interval.

    Both are resampled, each by itself. NaN and infinities are left out. None when either has fewer
    than two values, or `every` has no variance to share.
    """
    import numpy as np

    one = [value for value in alone if math.isfinite(value)]
    two = [value for value in every if math.isfinite(value)]
    if len(one) < 2 or len(two) < 2:
        return None
    _, scale, b = _standardised(two)
    if not 0 < scale < math.inf:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        # Less a value of their own: of equal values not even an error of rounding is left.
        a = (np.asarray(one, dtype=np.float64) - one[0]) / scale
        ratio = _finite(float(np.var(a, ddof=1) / np.var(b, ddof=1)))
    return None if ratio is None else (ratio, _interval((a, b), _ratio, bootstrap))


def kind(sizes: Sequence[int]) -> Kind:
    """What the numbers of runs with each distinct result look like."""
    runs, results = sum(sizes), len(sizes)
    if not runs:
        return "none"
    if runs == 1:
        return "too-few"
    if results == 1:
        return "one"
    if results == runs:
        return "too-few" if runs < FEWEST_RUNS else "all-different"
    return "few" if 3 * results <= runs else "many"


def grouped(keys: Iterable[Hashable]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The group of each key, from 1 for the most frequent, and the sizes of the groups.

    Groups of the same size are in the order in which they come.
    """
    listed = list(keys)
    counts = Counter(listed)
    # Stable: equally frequent keys stay in the order in which they first came.
    order = sorted(counts, key=lambda key: -counts[key])
    place = {key: number for number, key in enumerate(order, 1)}
    return tuple(place[key] for key in listed), tuple(counts[key] for key in order)


# -- resampling


def _interval(samples: tuple[Numbers, ...], statistic: Any, how: Bootstrap) -> Interval | None:
    """A bootstrap interval: BCa, or by percentiles where that can't be had.

    None for few values, and for a sample without any difference: no resample would show one.
    """
    import numpy as np
    from scipy import stats

    if any(len(sample) < FEWEST_VALUES for sample in samples):
        return None
    if all(not np.ptp(sample) for sample in samples):
        return None
    method: Any
    for method in ("bca", "percentile"):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # What is degenerate shows in the interval, which is looked at below.
            warnings.simplefilter("ignore")
            found = stats.bootstrap(
                samples,
                statistic,
                n_resamples=how.resamples,
                confidence_level=how.level,
                method=method,
                vectorized=True,
                rng=np.random.default_rng(how.seed),
            ).confidence_interval
        low, high = float(found.low), float(found.high)
        if math.isfinite(low) and math.isfinite(high):
            return Interval(low=low, high=high, method=method)
    return None


def _mean(x: Numbers, axis: int = -1) -> Numbers:
    import numpy as np

    found: Numbers = np.mean(x, axis=axis)
    return found


def _sd(x: Numbers, axis: int = -1) -> Numbers:
    import numpy as np

    found: Numbers = np.std(x, axis=axis, ddof=1)
    return found


def _ratio(a: Numbers, b: Numbers, axis: int = -1) -> Numbers:
    import numpy as np

    found: Numbers = np.var(a, axis=axis, ddof=1) / np.var(b, axis=axis, ddof=1)
    return found


# -- numbers


def _standardised(values: Sequence[float]) -> tuple[float, float, Numbers]:
    """A middle, a scale, and the values less the one and over the other: at most 1 in size.

    So no square overflows or vanishes, however large or small the values are. What is computed of
    these is mapped back by the same two numbers. An infinite scale: they are too far apart.
    """
    import numpy as np

    x = np.asarray(values, dtype=np.float64)
    middle = float(np.sort(x)[len(x) // 2])
    with np.errstate(over="ignore"):
        scale = float(np.max(np.abs(x - middle)))
    return middle, scale, (x - middle) / scale if 0 < scale < math.inf else np.zeros_like(x)


def _mapped(found: Interval | None, middle: float, scale: float) -> Interval | None:
    if found is None:
        return None
    low, high = _finite(middle + scale * found.low), _finite(middle + scale * found.high)
    return (
        None if low is None or high is None else Interval(low=low, high=high, method=found.method)
    )


def _within(value: float, values: Sequence[float]) -> float:
    """The value, not beyond what it was made of by an error of rounding."""
    return min(max(value, min(values)), max(values))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _bits(value: float) -> bytes:
    """-0.0 is another value than 0.0."""
    return struct.pack("<d", value)


def word(value: float) -> str:
    """NaN or an infinity as JSON's readers know it."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
