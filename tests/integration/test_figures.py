"""The pictures of docs/statistics.md are those that today's code draws."""

from pathlib import Path

import pytest

from tests.figures import accuracy, late
from tests.figures.style import FOLDER
from tests.servers import Database

STALE = "docs/figures is out of date → make figures"


def test_the_picture_of_rank_errors_is_current(tmp_path: Path) -> None:
    curves = accuracy.measure()
    for by_name in curves.values():
        for name, curve in by_name.items():
            pairs = zip(curve.true, curve.claimed, strict=True)
            assert all(true <= claimed <= accuracy.LIMIT for true, claimed in pairs), name
    accuracy.draw(curves, tmp_path / "drawn.svg")
    assert (tmp_path / "drawn.svg").read_bytes() == (FOLDER / "rank_error.svg").read_bytes(), STALE


@pytest.mark.timeout(300)
def test_the_picture_of_late_data_is_current(database: Database, tmp_path: Path) -> None:
    missing, late_, stored = late.measure(database, tmp_path)
    assert (len(missing.rows), missing.logged) == (23, 0)
    assert (len(late_.rows), late_.logged) == (24, 180)
    assert (len(stored.rows), stored.logged) == (24, 0)
    same = ("count", "min", "max", "avg", "sum", "stddev", "p50", "late")
    assert [[row[name] for name in same] for row in late_.rows] == [[row[name] for name in same] for row in stored.rows]
    late.draw([missing, late_, stored], tmp_path / "drawn.svg")
    assert (tmp_path / "drawn.svg").read_bytes() == (FOLDER / "late_data.svg").read_bytes(), STALE
