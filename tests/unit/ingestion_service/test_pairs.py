"""What is remembered of devices and their layouts."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingestion_service.columns import Rows
from ingestion_service.pairs import KnownPairs

BATCHES = st.lists(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 3)), max_size=20), max_size=8)


def rows(pairs: list[tuple[int, int]]) -> list[Rows]:
    """One Rows a layout, sorted by device."""
    found = []
    for layout in sorted({layout for _, layout in pairs}):
        device = np.array(sorted(d for d, of in pairs if of == layout), np.int32)
        nothing = np.zeros(len(device), np.int64)
        found.append(Rows(layout, device, nothing, np.zeros((len(device), 1)), nothing, None))
    return found


@given(BATCHES)
def test_a_pair_is_missing_until_it_is_learnt(batches: list[list[tuple[int, int]]]) -> None:
    known, model = KnownPairs(), set[tuple[int, int]]()
    for batch in batches:
        missing = known.missing(rows(batch))
        found = list(zip(missing.device.tolist(), missing.layout.tolist(), strict=True))
        assert len(found) == len(set(found))
        assert set(found) == set(batch) - model
        known.learn(missing)
        model |= set(batch)
    known.forget()
    assert len(known.missing(rows([(1, 1)])).device) == 1
