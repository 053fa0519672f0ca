"""Trials needed, bounds and spread. Numbers in, numbers out."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def comparisons_needed(rate: float, confidence: float) -> int:
    """Agreeing comparisons after which a divergence of at least `rate` would have shown.

    The smallest k with ``(1 - rate) ** k <= 1 - confidence``: 5 for a rate of 0.5 at 95 %,
    9 for 0.3, 29 for 0.1.
    """
    if not 0 < rate <= 1:
        raise ValueError(f"rate {rate}: expected a number above 0 and at most 1")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence}: expected a number between 0 and 1")
    if rate == 1:
        return 1
    return max(1, math.ceil(math.log(1 - confidence) / math.log(1 - rate) - 1e-9))


def divergence_bound(divergences: int, comparisons: int, level: float = 0.95) -> float:
    """One-sided upper Clopper-Pearson bound on the divergence probability.

    Found by bisection of the binomial's distribution function; 1.0 when nothing was compared.
    """
    if not 0 <= divergences <= comparisons:
        raise ValueError(f"{divergences} divergences of {comparisons} comparisons can't be")
    if comparisons == 0 or divergences == comparisons:
        return 1.0
    if divergences == 0:
        return float(1 - (1 - level) ** (1 / comparisons))
    low, high = divergences / comparisons, 1.0
    for _ in range(100):
        middle = (low + high) / 2
        if _binomial_cdf(divergences, comparisons, middle) > 1 - level:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _binomial_cdf(k: int, n: int, p: float) -> float:
    # By logarithms: thousands of comparisons have coefficients beyond what a float can hold.
    def term(i: int) -> float:
        ways = math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1)
        return math.exp(ways + i * math.log(p) + (n - i) * math.log1p(-p))

    return math.fsum(term(i) for i in range(k + 1))


def divergence_floor(divergences: int, comparisons: int, level: float = 0.95) -> float:
    """One-sided lower Clopper-Pearson bound on the divergence probability.

    0.69 for 8 of 8, 0.55 for 5 of 5; 0.0 when nothing diverged.
    """
    return 1 - divergence_bound(comparisons - divergences, comparisons, level)


def evidence_ratio(divergences: int, comparisons: int, agreeing: int) -> float:
    """How much better "the pin holds it" explains what was seen than "the pin does nothing".

    Without the pin, `divergences` of `comparisons` differed; with it, none of `agreeing`. The
    Bayes factor of a rate that the pin brings to zero against one rate for both, with a uniform
    prior on the rate: ``B(d + 1, n - d + 1) / B(d + 1, n - d + k + 1)``.
    """
    d, n, k = divergences, comparisons, agreeing
    if not 0 <= d <= n or k < 0:
        raise ValueError(f"{d} divergences of {n} comparisons, {k} agreeing: can't be")
    return math.exp(_log_beta(d + 1, n - d + 1) - _log_beta(d + 1, n - d + k + 1))


def chance_of_luck(apart: float, seen: float, agreeing: int) -> float:
    """Probability that so many comparisons agree by luck, while what parted other runs acts.

    Of ``seen + 1`` runs, `apart` were outside the largest group of equal ones; sums with weights
    are allowed. What let no two be equal is as likely to act in every run, which leaves no room for
    luck, as at a rate of which nothing is known. Else nothing is known of the rate r, and
    ``r ** apart * (1 - r) ** (seen - apart)`` is how likely it makes what was seen.
    """
    d, n, k = apart, seen, agreeing
    if k == 0:
        return 1.0
    if d < n:
        return math.exp(_log_beta(d + 1, n - d + 1 + k) - _log_beta(d + 1, n - d + 1))

    # All runs acted, or all but one.
    def weight(more: int) -> float:
        every = math.exp(_log_beta(n + 2, 1 + more))
        return every + (n + 1) * math.exp(_log_beta(n + 1, 2 + more))

    return weight(k) / (weight(0) + 1)


def agreeing_needed(divergences: int, comparisons: int, ratio: float) -> int:
    """The smallest number of agreeing comparisons that brings `evidence_ratio` to `ratio`."""
    k = 0
    while evidence_ratio(divergences, comparisons, k) < ratio:
        k += 1
    return k


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def standard_deviation(values: Sequence[float]) -> float:
    """Sample standard deviation (n - 1); 0.0 for fewer than two values."""
    return statistics.stdev(values) if len(values) > 1 else 0.0


def fewest_outcomes(runs: int, level: float = 0.95) -> int:
    """How many outcomes there must be at least, when so many runs ended with as many of them.

    Were there fewer, and all equally likely, two runs would have ended alike with a probability of
    at least `level`: the smallest N with ``(1 - 1/N) ... (1 - (runs - 1)/N) > 1 - level``. 156 for
    30 runs at 95 %.
    """
    if runs < 2:
        return 1

    def apart(outcomes: int) -> float:
        """Log of the probability that no two runs end alike."""
        return math.fsum(math.log1p(-i / outcomes) for i in range(1, runs))

    wanted = math.log1p(-level)
    low, high = runs - 1, runs
    while apart(high) <= wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if apart(middle) > wanted else (middle, high)
    return high
