"""The latency histogram against exact quantiles."""

import random

import pytest

from connectors.engine.histogram import OCTAVES, SUB, Histogram


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_quantiles_are_right_within_a_bucket(share: float) -> None:
    """Half an eighth of a power of two is the most that a quantile may be off."""
    rng = random.Random(3)
    sample = [round(rng.lognormvariate(10, 2)) for _ in range(20_000)]
    histogram = Histogram()
    for duration in sample:
        histogram.add(duration)
    exact = sorted(sample)[round(share * len(sample)) - 1]
    assert histogram.quantile(share) == pytest.approx(exact, rel=0.07)
    assert histogram.mean() == pytest.approx(sum(sample) / len(sample))
    assert histogram.largest == max(sample)


def test_it_starts_at_zero_and_never_grows() -> None:
    """Nothing, negative and endless durations are borne; the size stays."""
    histogram = Histogram()
    assert (histogram.quantile(0.5), histogram.mean()) == (0.0, 0.0)
    for duration in (-5, 0, 1, 10**30):
        histogram.add(duration)
    assert len(histogram._counts) == OCTAVES * SUB
    assert histogram.count == 4
    assert histogram.quantile(0.01) == 0.0
