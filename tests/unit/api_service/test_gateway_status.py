"""What became of the events of a receipt, by what ingestion has read.

offset     0         100        150        200
closed     [read      )
decision             skip to ──► [read      ) next
"""

from collections.abc import Sequence

import pytest

from api_service.gateway.receipt import Accepted
from api_service.gateway.status import Chapter, report

CLOSED, OPEN = Chapter(0, 0, 100, open=False), Chapter(0, 150, 200, open=True)


@pytest.mark.parametrize(
    ("offset", "chapters", "expected"),
    [
        (0, [Chapter(0, 0, 100, open=True)], ("persisted", None)),
        (99, [Chapter(0, 0, 100, open=True)], ("persisted", None)),
        (100, [Chapter(0, 0, 100, open=True)], ("pending", None)),
        (7, [Chapter(0, 0, 100, open=True)], ("dead_lettered", "malformed")),
        (107, [Chapter(0, 0, 100, open=True)], ("pending", None)),  # the dead letter isn't of what was read
        (5, [], ("pending", None)),  # ingestion hasn't seen the partition yet
        (5, [Chapter(1, 0, 100, open=True)], ("pending", None)),
        (99, [CLOSED, OPEN], ("persisted", None)),
        (100, [CLOSED, OPEN], ("pending", "skipped")),
        (149, [CLOSED, OPEN], ("pending", "skipped")),
        (150, [CLOSED, OPEN], ("persisted", None)),
        (200, [CLOSED, OPEN], ("pending", None)),
        # Restarted at 50: what was read is stored, though it is read again.
        (99, [CLOSED, Chapter(0, 50, 60, open=True)], ("persisted", None)),
        (100, [CLOSED, Chapter(0, 50, 60, open=True)], ("pending", None)),
        # The topic was made again, or the partition retired: what wasn't read then never will be.
        (99, [CLOSED], ("persisted", None)),
        (100, [CLOSED], ("pending", "skipped")),
    ],
)
def test_an_events_fate(offset: int, chapters: Sequence[Chapter], expected: tuple[str, str | None]) -> None:
    dead = {(0, 7): "malformed", (0, 107): "malformed", (1, 0): "malformed"}
    [event] = report("r", Accepted("topic", [3], [0], [offset]), chapters, dead)["events"]
    assert (event["index"], event["status"], event.get("code")) == (3, *expected)


def test_the_counts_add_up() -> None:
    accepted = Accepted("topic", [0, 2, 3, 5], [0, 1, 0, 1], [7, 7, 99, 3])
    chapters = [CLOSED, OPEN, Chapter(1, 0, 5, open=True)]
    found = report("r", accepted, chapters, {(0, 7): "bad_metric"})
    assert (found["pending"], found["persisted"], found["dead_lettered"]) == (1, 2, 1)
    assert found["events"] == [
        {"index": 0, "status": "dead_lettered", "code": "bad_metric"},
        {"index": 2, "status": "pending"},
        {"index": 3, "status": "persisted"},
        {"index": 5, "status": "persisted"},
    ]
