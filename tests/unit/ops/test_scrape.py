"""What is made of a /metrics page."""

import pytest

from ops import scrape

PAGE = """
# TYPE lag gauge
lag{partition="0"} 3
lag{partition="1"} 4.5
# TYPE seconds histogram
seconds_bucket{le="0.1"} 90
seconds_bucket{le="0.5"} 100
seconds_bucket{le="+Inf"} 100
seconds_count 100
seconds_sum 7
"""


def test_samples_are_summed_and_chosen_by_their_labels() -> None:
    samples = scrape.parse(PAGE)
    assert samples.total("lag") == 7.5
    assert samples.largest("lag") == 4.5
    assert samples.total("lag", partition="0") == 3
    assert samples.total("nothing") is None
    assert samples.largest("nothing") is None


def test_a_quantile_is_interpolated_as_promql_does() -> None:
    buckets = scrape.parse(PAGE).buckets("seconds")
    assert scrape.quantile(0.99, buckets) == pytest.approx(0.1 + 0.4 * 0.9)
    assert scrape.quantile(0.45, buckets) == pytest.approx(0.05)
    assert scrape.quantile(0.99, {0.1: 0.0, float("inf"): 0.0}) is None
    assert scrape.quantile(0.99, {0.1: 1.0, float("inf"): 100.0}) == 0.1, "the last bound that is known"


def test_what_was_counted_between_two_scrapes_is_all_after_a_restart() -> None:
    assert scrape.since({0.1: 5.0, 1.0: 6.0}, {0.1: 7.0, 1.0: 9.0}) == {0.1: 2.0, 1.0: 3.0}
    assert scrape.since({0.1: 5.0, 1.0: 6.0}, {0.1: 1.0, 1.0: 1.0}) == {0.1: 1.0, 1.0: 1.0}
    assert scrape.since({}, {0.1: 1.0}) == {0.1: 1.0}
