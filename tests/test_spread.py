"""Summaries, intervals and shares, against what is known of them."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nondet import spread
from nondet.repetition import Bootstrap, Interval, Kind, Summary

FAST = Bootstrap(seed=1, resamples=999, level=0.95)
NAN, INF = math.nan, math.inf
ABOUT = Summary(label="loss")


def summary(values: Sequence[float | None]) -> Summary:
    return spread.summarise(values, ABOUT, FAST)


def normal(count: int, sd: float = 1.0, mean: float = 0.0, seed: int = 7) -> list[float]:
    source = random.Random(seed)
    return [source.gauss(mean, sd) for _ in range(count)]


def test_a_normal_sample() -> None:
    values = normal(200, sd=2.0, mean=10.0)
    found = summary(values)
    assert found.count == found.distinct == 200
    assert found.mean == pytest.approx(statistics.fmean(values))
    assert found.sd == pytest.approx(statistics.stdev(values))
    assert (found.min, found.max) == (min(values), max(values))
    assert found.percentiles["50"] == pytest.approx(statistics.median(values))
    assert list(found.percentiles) == ["5", "25", "50", "75", "95"]
    assert found.mean_interval is not None
    assert found.sd_interval is not None
    assert found.mean_interval.method == found.sd_interval.method == "bca"
    # The theory's interval of a mean: 1.96 standard errors either way.
    half = 1.96 * statistics.stdev(values) / math.sqrt(200)
    assert found.mean_interval.low == pytest.approx(statistics.fmean(values) - half, abs=0.1 * half)
    assert found.mean_interval.high == pytest.approx(
        statistics.fmean(values) + half, abs=0.1 * half
    )
    assert found.sd_interval.low < 2.0 < found.sd_interval.high


def test_intervals_cover_about_as_often_as_they_say() -> None:
    """Of 200 samples of 30, the true mean is in about 95 %, the true sd in fewer."""
    mean = sd = 0
    for seed in range(200):
        found = summary(normal(30, seed=seed))
        assert found.mean_interval is not None
        assert found.sd_interval is not None
        mean += found.mean_interval.low <= 0 <= found.mean_interval.high
        sd += found.sd_interval.low <= 1 <= found.sd_interval.high
    assert mean >= 180
    assert sd >= 168


def test_equal_values_have_no_interval() -> None:
    found = summary([0.1] * 9)
    assert (found.mean, found.sd, found.distinct) == (0.1, 0.0, 1)
    assert set(found.percentiles.values()) == {0.1}
    assert found.mean_interval is None
    assert found.sd_interval is None


@pytest.mark.parametrize(("count", "told"), [(9, False), (10, True)])
def test_few_values_have_no_interval(count: int, told: bool) -> None:
    values = [float(n * n) for n in range(count)]
    found = spread.summarise(values, Summary(label="x"))
    shared = spread.share([value / 2 for value in values], values)
    assert shared is not None
    for interval in (found.mean_interval, found.sd_interval, shared[1]):
        assert (interval is not None) == told


def test_two_values_have_a_deviation_and_no_interval() -> None:
    found = summary([1.0, 2.0])
    assert found.mean == 1.5
    assert found.sd == pytest.approx(math.sqrt(0.5))
    assert found.mean_interval is None


def test_one_value_has_no_deviation() -> None:
    found = summary([3.0])
    assert (found.mean, found.sd, found.min, found.max) == (3.0, None, 3.0, 3.0)
    assert found.mean_interval is None


def test_no_value() -> None:
    assert summary([]).mean is None
    found = summary([None, None])
    assert (found.count, found.missing, found.mean, found.percentiles) == (0, 2, None, {})


def test_what_is_not_finite_is_counted_apart() -> None:
    found = summary([1.0, NAN, 2.0, INF, -INF, NAN, None])
    assert found.count == 2
    assert found.missing == 1
    assert found.not_finite == {"-Infinity": 1, "Infinity": 1, "NaN": 2}
    assert found.mean == 1.5


def test_two_results_of_unequal_frequency() -> None:
    """A resample without the rare one is likely: an interval all the same, with its ends in it."""
    found = summary([1.0] * 9 + [2.0])
    assert found.mean_interval is not None
    assert 1 <= found.mean_interval.low < 1.1 < found.mean_interval.high <= 2


def test_where_bca_is_degenerate_percentiles_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy import stats

    whole = stats.bootstrap

    def refuses(*samples: object, method: str, **more: object) -> object:
        found = whole(*samples, method="percentile", **more)
        if method == "bca":
            found.confidence_interval = type(found.confidence_interval)(NAN, NAN)
        return found

    monkeypatch.setattr(stats, "bootstrap", refuses)
    found = summary(normal(20))
    assert found.mean_interval is not None
    assert found.mean_interval.method == "percentile"


def test_the_same_seed_gives_the_same_intervals() -> None:
    values = normal(20)
    assert summary(values) == summary(values)
    other = spread.summarise(values, ABOUT, Bootstrap(seed=2, resamples=999, level=0.95))
    assert other.mean_interval != summary(values).mean_interval


@given(
    st.lists(st.integers(-1000, 1000), min_size=5, max_size=12),
    st.sampled_from([2.0**-960, 2.0**-20, 2.0**40, 2.0**960]),
)
def test_figures_scale_with_the_values(values: list[int], factor: float) -> None:
    """However large or small: no square may overflow or vanish. By powers of two, since ties that
    an error of rounding breaks move an interval."""
    one, other = summary([float(v) for v in values]), summary([v * factor for v in values])

    def same(a: float | None, b: float | None) -> bool:
        if a is None or b is None:
            return a is b
        return math.isclose(a * factor, b, rel_tol=1e-6, abs_tol=1e-9 * factor)

    assert same(one.mean, other.mean)
    assert same(one.sd, other.sd)
    for before, after in ((one.mean_interval, other.mean_interval),
                          (one.sd_interval, other.sd_interval)):  # fmt: skip
        assert (before is None) == (after is None)
        if before is not None and after is not None:
            assert same(before.low, after.low)
            assert same(before.high, after.high)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=8))
def test_whatever_comes_the_figures_are_finite_and_in_order(values: list[float]) -> None:
    found = summary(values)
    assert found.count + sum(found.not_finite.values()) == len(values)
    figures = [found.mean, found.sd, found.min, found.max, *found.percentiles.values()]
    assert all(math.isfinite(value) for value in figures if value is not None)
    if found.mean is not None and found.min is not None and found.max is not None:
        assert found.min <= found.mean <= found.max
        points = list(found.percentiles.values())
        assert points == sorted(points)
    for interval in (found.mean_interval, found.sd_interval):
        assert interval is None or interval.low <= interval.high


# -- shares


def test_a_share_is_a_ratio_of_variances() -> None:
    found = spread.share(normal(400, 1.0), normal(400, 2.0, seed=8), FAST)
    assert found is not None
    part, interval = found
    assert part == pytest.approx(0.25, rel=0.25)
    assert interval is not None
    assert interval.low < 0.25 < interval.high


def test_a_share_of_one_that_does_not_vary() -> None:
    assert spread.share([1.0] * 30, normal(30), FAST) == (
        0.0,
        Interval(low=0.0, high=0.0, method="percentile"),
    )


@pytest.mark.parametrize(
    ("alone", "every"),
    [([1.0, 2.0], [1.0] * 5), ([1.0], [1.0, 2.0]), ([1.0, 2.0], [NAN, 1.0]), ([], [])],
)
def test_no_share_of_nothing(alone: list[float], every: list[float]) -> None:
    assert spread.share(alone, every, FAST) is None


def test_a_share_does_not_depend_on_the_unit() -> None:
    one, two = normal(30), normal(30, 3.0, seed=9)
    tiny = spread.share([v * 1e-200 for v in one], [v * 1e-200 for v in two], FAST)
    plain = spread.share(one, two, FAST)
    assert tiny is not None
    assert plain is not None
    assert tiny[0] == pytest.approx(plain[0])


# -- distinct results


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((), "none"),
        ((1,), "too-few"),
        ((2,), "one"),
        ((30,), "one"),
        ((1, 1), "too-few"),
        ((1,) * 7, "too-few"),
        ((1,) * 8, "all-different"),
        ((14, 10, 6), "few"),
        ((29, 1), "few"),
        ((3, 1, 1, 1), "many"),
        ((2, *[1] * 28), "many"),
    ],
)
def test_kinds(sizes: tuple[int, ...], expected: Kind) -> None:
    assert spread.kind(sizes) == expected


def test_groups_are_numbered_by_how_frequent_they_are() -> None:
    assert spread.grouped("baabcb") == ((1, 2, 2, 1, 3, 1), (3, 2, 1))
    assert spread.grouped("ab") == ((1, 2), (1, 1))
    assert spread.grouped(()) == ((), ())
