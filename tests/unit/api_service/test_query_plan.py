"""Every instant is read once: from one stored bucket that is whole, clean and there, or from raw events."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.query.fleet import batches, divided
from api_service.query.plan import Level, Micros, Plan, Range, Stored, plan

MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000


def cuts(*times: int) -> Micros:
    return np.array(times, np.int64)


CLEAN = np.empty(0, np.int64)
LEVELS = [Level(MINUTE, 30 * HOUR + 5 * MINUTE), Level(HOUR, 30 * HOUR), Level(DAY, DAY)]


def test_the_coarsest_level_that_fits_is_read_and_the_rest_by_finer_ones() -> None:
    assert plan(cuts(0, 31 * HOUR), LEVELS, CLEAN) == Plan(
        (Stored(DAY, 0, DAY), Stored(HOUR, DAY, 30 * HOUR), Stored(MINUTE, 30 * HOUR, 30 * HOUR + 5 * MINUTE)),
        ((30 * HOUR + 5 * MINUTE, 31 * HOUR),),
    )


def test_a_cut_minute_is_raw_and_its_hour_is_read_by_minutes() -> None:
    assert plan(cuts(HOUR + 90_000_000, 3 * HOUR), LEVELS, CLEAN) == Plan(
        (Stored(MINUTE, HOUR + 2 * MINUTE, 2 * HOUR), Stored(HOUR, 2 * HOUR, 3 * HOUR)),
        ((HOUR + 90_000_000, HOUR + 2 * MINUTE),),
    )


def test_a_dirty_minute_is_raw_and_its_hour_and_day_are_read_by_finer_levels() -> None:
    dirty = cuts(5 * HOUR + 7 * MINUTE)
    assert plan(cuts(0, DAY), LEVELS, dirty) == Plan(
        (
            Stored(HOUR, 0, 5 * HOUR),
            Stored(MINUTE, 5 * HOUR, 5 * HOUR + 7 * MINUTE),
            Stored(MINUTE, 5 * HOUR + 8 * MINUTE, 6 * HOUR),
            Stored(HOUR, 6 * HOUR, DAY),
        ),
        ((5 * HOUR + 7 * MINUTE, 5 * HOUR + 8 * MINUTE),),
    )


def test_rows_of_a_quarter_hour_are_made_of_minutes() -> None:
    quarters = np.arange(0, HOUR + 1, 15 * MINUTE)
    assert plan(quarters, LEVELS, CLEAN) == Plan((Stored(MINUTE, 0, HOUR),), ())


def test_nothing_stored_is_all_raw() -> None:
    assert plan(cuts(0, DAY), [Level(MINUTE, -(2**62))], CLEAN) == Plan((), ((0, DAY),))
    assert plan(cuts(0, DAY), [], CLEAN) == Plan((), ((0, DAY),))


SPAN = 50 * HOUR
instants = st.one_of(
    st.integers(0, SPAN),
    st.integers(0, SPAN // MINUTE).map(lambda n: n * MINUTE),
    st.integers(0, 50).map(lambda n: n * HOUR),
)


@st.composite
def questions(draw: st.DrawFn) -> tuple[Micros, list[Level], Micros]:
    times = sorted(draw(st.sets(instants, min_size=2, max_size=12)))
    levels = [Level(width, draw(instants) // width * width) for width in (MINUTE, HOUR, DAY)]
    dirty = draw(st.lists(st.integers(0, SPAN // MINUTE).map(lambda n: n * MINUTE), max_size=8))
    return cuts(*times), draw(st.permutations(levels)), np.array(dirty, np.int64)


@given(questions())
def test_each_instant_is_covered_exactly_once(question: tuple[Micros, list[Level], Micros]) -> None:
    edges, levels, dirty = question
    made = plan(edges, levels, dirty)
    pieces = sorted([(piece.start, piece.end) for piece in made.stored] + list(made.raw))
    assert pieces[0][0] == edges[0]
    assert pieces[-1][1] == edges[-1]
    assert all(start < end for start, end in pieces)
    assert all(before[1] == after[0] for before, after in pairwise(pieces))


@given(questions())
def test_stored_buckets_are_whole_there_clean_and_of_one_row(
    question: tuple[Micros, list[Level], Micros],
) -> None:
    edges, levels, dirty = question
    until = {level.width: level.until for level in levels}
    for piece in plan(edges, levels, dirty).stored:
        assert piece.start % piece.width == piece.end % piece.width == 0
        assert piece.end <= until[piece.width]
        assert not ((dirty >= piece.start) & (dirty < piece.end)).any()
        inside = edges[(edges > piece.start) & (edges < piece.end)]
        assert (inside % piece.width == 0).all()


@given(questions())
def test_raw_events_are_read_only_where_no_minute_is_stored_whole(
    question: tuple[Micros, list[Level], Micros],
) -> None:
    edges, levels, dirty = question
    until = next(level.until for level in levels if level.width == MINUTE)
    for start, end in plan(edges, levels, dirty).raw:
        for minute in range(start // MINUTE * MINUTE, min(end, until, start + 200 * MINUTE), MINUTE):
            divided = ((edges > minute) & (edges < minute + MINUTE)).any()
            assert (
                divided
                or minute in dirty
                or not (edges[0] <= minute < minute + MINUTE <= edges[-1])
                or (minute + MINUTE > until)
            )


@pytest.mark.parametrize(("end", "cells"), [(DAY, 12), (2 * HOUR, 24), (MINUTE // 2, 3)])
def test_cost_is_reckoned_in_stored_statistics(end: int, cells: int) -> None:
    assert plan(cuts(0, end), LEVELS, CLEAN).cells(series=12, devices=3) == cells


def test_a_level_that_begins_later_leaves_what_lies_before_to_others() -> None:
    levels = [Level(MINUTE, 30 * HOUR), Level(HOUR, 30 * HOUR, 27 * HOUR)]
    assert plan(cuts(25 * HOUR, 30 * HOUR), levels, CLEAN) == Plan(
        (Stored(MINUTE, 25 * HOUR, 27 * HOUR), Stored(HOUR, 27 * HOUR, 30 * HOUR)), ()
    )


def test_a_stale_bucket_is_left_out_at_its_own_level_only() -> None:
    stale = {HOUR: cuts(3 * HOUR)}
    assert plan(cuts(2 * HOUR, 5 * HOUR), LEVELS, CLEAN, stale=stale) == Plan(
        (Stored(HOUR, 2 * HOUR, 3 * HOUR), Stored(MINUTE, 3 * HOUR, 4 * HOUR), Stored(HOUR, 4 * HOUR, 5 * HOUR)), ()
    )


@given(questions(), st.data())
def test_what_one_plan_leaves_another_reads_so_that_each_instant_is_read_once(
    question: tuple[Micros, list[Level], Micros], data: st.DataObject
) -> None:
    """Across devices first, the rest of the devices: as questions about all of them are."""
    edges, levels, dirty = question
    starts = st.lists(st.integers(0, SPAN // MINUTE), max_size=6)
    stale = {width: cuts(*sorted(n * MINUTE // width * width for n in data.draw(starts))) for width in (MINUTE, HOUR)}
    fewer = [
        Level(level.width, min(level.until, data.draw(instants) // level.width * level.width),
              data.draw(instants) // level.width * level.width)
        for level in levels
    ]  # fmt: skip
    across = plan(edges, fewer, dirty, stale=stale)
    rest = plan(edges, levels, CLEAN, across.raw) if across.raw else Plan((), ())
    since = {level.width: level.since for level in fewer}
    for piece in across.stored:
        assert piece.start >= since[piece.width]
        behind = stale.get(piece.width, CLEAN)
        assert not ((behind >= piece.start) & (behind < piece.end)).any()
    pieces = sorted([(piece.start, piece.end) for piece in (*across.stored, *rest.stored)] + list(rest.raw))
    assert (pieces[0][0], pieces[-1][1]) == (edges[0], edges[-1])
    assert all(before[1] == after[0] for before, after in pairwise(pieces))


@given(st.lists(instants, min_size=2, max_size=9, unique=True), st.lists(instants, min_size=2, max_size=8, unique=True))
def test_ranges_are_divided_at_cuts(edges: list[int], bounds: list[int]) -> None:
    times = sorted(bounds)
    ranges: list[Range] = list(zip(times[::2], times[1::2], strict=False))
    pieces = divided(ranges, cuts(*sorted(edges)))
    assert all(start < end for start, end in pieces)
    assert not any(start < cut < end for start, end in pieces for cut in edges)
    assert sum(end - start for start, end in pieces) == sum(end - start for start, end in ranges)
    assert {start for start, _ in ranges} <= {start for start, _ in pieces}


@given(questions(), st.integers(1, 6_000))
def test_batches_are_the_whole_plan_some_at_a_time(question: tuple[Micros, list[Level], Micros], series: int) -> None:
    edges, levels, dirty = question
    whole = plan(edges, levels, dirty)
    parts = [plan(edges, levels, dirty, ranges) for ranges in batches(whole, series)]
    assert sum((part.raw for part in parts), ()) == whole.raw
    assert sum(part.cells(1, 1) for part in parts) == whole.cells(1, 1)
    for part in parts:
        assert part.raw or len(part.stored) == 1 or Plan(part.stored, ()).cells(series, 1) <= 10_000
