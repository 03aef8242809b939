import numpy as np
import pytest

from shared.pgcopy import Events
from shared.statistics import explode


def events(layouts: list[int], values: list[list[float]]) -> Events:
    n = len(layouts)
    return Events(
        device=np.arange(10, 10 + n, dtype=np.int32),
        ts=(np.arange(n) * 1_000_000).view("datetime64[us]"),
        layout=np.array(layouts, np.int32),
        values=np.array([value for row in values for value in row]),
        length=np.array([len(row) for row in values], np.int64),
    )


def test_each_value_meets_its_metric_device_and_time() -> None:
    layouts = {1: np.array([7, 8], np.int32), 2: np.array([9], np.int32), 3: np.array([], np.int32)}
    columns = explode(events([2, 1, 3, 1], [[1.0], [2.0, 3.0], [], [4.0, 5.0]]), layouts)
    rows = sorted(zip(*(column.tolist() for column in (columns[0], columns[1], columns[3])), strict=True))
    assert rows == [(10, 9, 1.0), (11, 7, 2.0), (11, 8, 3.0), (13, 7, 4.0), (13, 8, 5.0)]
    seconds = columns[2].astype(np.int64) // 1_000_000
    assert (seconds == columns[0] - 10).all()
    assert [column.dtype for column in columns] == [np.int32, np.int32, np.dtype("datetime64[us]"), np.float64]


def test_no_events_are_no_readings() -> None:
    assert [len(column) for column in explode(events([], []), {})] == [0, 0, 0, 0]


def test_an_event_that_does_not_fit_its_layout_is_refused() -> None:
    with pytest.raises(ValueError, match="layout 1 has not 2 values"):
        explode(events([1], [[1.0]]), {1: np.array([7, 8], np.int32)})
