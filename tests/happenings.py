"""What may happen to the pipeline, as strategies: events of all ages and sizes, and ends of a run at exact spots."""

import threading
from typing import Any

from hypothesis import strategies as st

from shared.failpoints import Failpoints

DEVICES, METRICS = ("a", "b", "c"), ("x", "y")
SPOTS = [
    f"aggregation.{spot}"
    for spot in (
        "after_watermarks", "before_write", "before_commit", "after_commit", "before_until", "repair.before_write",
        "repair.before_commit", "repair.after_commit", "fleet.before_write", "fleet.before_commit",
    )
]  # fmt: skip

values = st.one_of(
    st.integers(-3, 3).map(float),  # ties
    st.floats(1_011, 1_015),
    st.floats(-1e-3, 1e-3),
    st.sampled_from([0.0, -0.0, 1e300, -1e300, 1.7e308, -1.7e308, 1e-300, 5e-324, -5e-324]),
)
# How long before now, in s: in order, or late by minutes, days, months.
ages = st.one_of(
    st.floats(0, 90),
    st.floats(90, 7_200),
    st.floats(7_200, 4 * 86_400),
    st.sampled_from([40 * 86_400.0, 60 * 86_400.0]),
)
metrics = st.dictionaries(st.sampled_from(METRICS), values, min_size=1)
arrivals = st.lists(st.tuples(st.sampled_from(DEVICES), ages, metrics), min_size=1, max_size=12)


class Cut(Exception):
    """What a process would die of."""


class At(Failpoints):
    """Does something where a failpoint is, the Nth time."""

    def __init__(self, name: str, nth: int, action: Any) -> None:
        super().__init__("")
        self._name, self._left, self._action = name, nth, action
        self._once = threading.Lock()

    def hit(self, name: str) -> None:
        with self._once:
            self._left -= name == self._name
            due = name == self._name and self._left == 0
        if due:
            self._action()


def cut() -> None:
    raise Cut
