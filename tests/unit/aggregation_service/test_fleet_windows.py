"""Which statistics across devices come next: every stored bucket once, what is new first, history backwards."""

from hypothesis import given
from hypothesis import strategies as st

from aggregation_service.fleet_windows import (
    Again,
    Extension,
    FleetLevel,
    Stride,
    backward,
    begun,
    forward,
    newest,
    next_again,
    unfinished,
)

MINUTE, DAY = 60, 86_400


def test_a_level_begins_where_it_is_stored() -> None:
    assert begun(60, None, None, 7 * DAY) == FleetLevel(60, 7 * DAY, 7 * DAY, 7 * DAY)


def test_complete_history_is_kept_in_mind() -> None:
    level = begun(60, None, 6 * DAY, 7 * DAY)
    assert level == FleetLevel(60, None, 6 * DAY, 7 * DAY)
    assert unfinished(level)
    assert not unfinished(begun(60, None, 7 * DAY, 7 * DAY))


def test_a_level_that_is_stored_anew_is_not_complete_beyond() -> None:
    assert begun(60, 5 * DAY, 6 * DAY, 2 * DAY) == FleetLevel(60, 2 * DAY, 2 * DAY, 2 * DAY)


def test_what_was_stored_since_is_next() -> None:
    level = FleetLevel(60, 0, DAY, DAY + 10 * MINUTE)
    assert forward(level, 4) == Extension(60, DAY, DAY + 4 * MINUTE, 0, DAY + 4 * MINUTE)
    assert forward(level, 40) == Extension(60, DAY, DAY + 10 * MINUTE, 0, DAY + 10 * MINUTE)
    assert forward(FleetLevel(60, 0, DAY, DAY), 4) is None


def test_history_skips_days_without_partitions_and_ends() -> None:
    partitions = [(0, DAY), (5 * DAY, 6 * DAY)]
    level = FleetLevel(3_600, 8 * DAY, 8 * DAY, 8 * DAY)
    first = backward(level, 20, partitions)
    assert first == Extension(3_600, 6 * DAY - 20 * 3_600, 6 * DAY, 6 * DAY - 20 * 3_600, 8 * DAY)
    second = backward(first.of(level), 20, partitions)
    assert (second.start, second.end, second.since) == (5 * DAY, first.start, 5 * DAY)
    third = backward(second.of(level), 100, partitions)
    assert (third.start, third.end, third.since) == (0, DAY, 0)
    last = backward(third.of(level), 100, partitions)
    assert (last.start, last.end, last.since) == (0, 0, None)


def test_the_level_that_is_behind_least_goes_on_so_that_all_levels_reach_equally_far() -> None:
    levels = [FleetLevel(60, 5 * DAY, DAY, DAY), FleetLevel(3_600, 6 * DAY, DAY, DAY), FleetLevel(86_400, None, 0, 0)]
    assert newest(levels) is levels[1]
    assert newest(levels[2:]) is None


@given(
    st.sets(st.integers(0, 9), max_size=4),
    st.integers(0, 10 * DAY // MINUTE).map(lambda n: n * MINUTE),
    st.integers(0, 2 * DAY // MINUTE),
    st.integers(1, 2_000),
)
def test_each_bucket_that_may_have_rows_is_extended_over_once(days: set[int], begin: int, news: int, most: int) -> None:
    partitions = [(day * DAY, (day + 1) * DAY) for day in sorted(days)]
    level = FleetLevel(MINUTE, begin, begin, begin + news * MINUTE)
    stored, covered = level.stored, []
    while piece := forward(level, most):
        covered.append((piece.start, piece.end))
        level = piece.of(level)
    while newest([level]):
        piece = backward(level, most, partitions)
        covered.append((piece.start, piece.end))
        level = piece.of(level)
    assert not unfinished(level)
    assert all((end - start) % MINUTE == 0 and end - start <= most * MINUTE for start, end in covered)
    minutes = [minute for start, end in covered for minute in range(start // MINUTE, end // MINUTE)]
    assert len(minutes) == len(set(minutes))
    wanted = {minute for low, high in partitions for minute in range(low // MINUTE, min(high, stored) // MINUTE)}
    assert wanted <= set(minutes)


def test_the_stride_follows_how_many_points_there_were() -> None:
    stride = Stride(1_000_000)
    assert stride.step == 1
    grown = stride.after(1, 10_000)
    assert grown.step == 8  # at most a few times more than before
    assert grown.after(8, 80_000).step == 64
    assert grown.after(8, 8_000_000).step == 1
    assert grown.after(8, 0).step == 64
    assert grown.after(0, 0) == grown


def test_stale_rows_are_made_again_newest_first_some_at_a_time() -> None:
    stale = {(60, 1, minute * MINUTE) for minute in (3, 9, 5)} | {(60, 2, 9 * MINUTE), (3_600, 1, 0)}
    pieces = []
    while stale:
        pieces.append(next_again(stale, {60: 4, 3_600: 1}))
        stale -= pieces[-1].keys
    assert pieces == [
        Again(60, (9 * MINUTE, 5 * MINUTE), (1, 2)),
        Again(60, (3 * MINUTE,), (1,)),
        Again(3_600, (0,), (1,)),
    ]


def test_a_bucket_with_many_metrics_is_made_again_some_metrics_at_a_time() -> None:
    stale = {(3_600, metric, 0) for metric in range(4)}
    assert next_again(stale, {3_600: 3}) == Again(3_600, (0,), (0, 1, 2))
    assert next_again(stale, {3_600: 1}) == Again(3_600, (0,), (0,))


@given(
    st.sets(
        st.tuples(st.sampled_from([60, 3_600]), st.integers(1, 4), st.integers(0, 9).map(lambda n: n * 3_600)),
        min_size=1,
    ),
    st.integers(1, 9),
)
def test_a_piece_holds_the_newest_and_no_more_than_it_may(stale: set[tuple[int, int, int]], most: int) -> None:
    piece = next_again(stale, {60: most, 3_600: most})
    assert max(bucket for _, _, bucket in stale) == piece.buckets[0]
    assert 0 < len(piece.keys) <= max(most, len(piece.metrics))
    assert len(piece.keys & stale) > 0
    assert len(piece.metrics) <= most
