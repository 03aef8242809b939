import json
from dataclasses import replace

import numpy as np
import pytest

from shared.errors import PlumblineError
from tests.benchmarks import asking, months
from tests.benchmarks.fleet import Stretch
from tests.benchmarks.load import DAY_S

NOW = 1_763_719_200 + 1_234  # 10:20:34Z of a day
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: "a"\r\n\r\n{}'


@pytest.mark.parametrize("cut", [0, 10, 30, len(ANSWER) - 3])
def test_an_answer_s_length_is_known_once_its_head_is_whole(cut: int) -> None:
    assert asking.length(ANSWER[:cut]) == (len(ANSWER) if cut > ANSWER.index(b"{}") - 1 else None)


def test_an_answer_without_a_body_ends_with_its_head() -> None:
    answer = b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'
    assert asking.length(answer) == len(answer)
    assert (asking.status(answer), asking.header(answer, "etag"), asking.header(answer, "vary")) == (304, '"a"', None)
    assert asking.body(ANSWER) == b"{}"


def test_a_stretch_has_each_device_s_events_in_the_order_of_the_key() -> None:
    stretch = Stretch(NOW, 45, 10, range(3, 6), digits=2)
    batches = list(stretch.batches())
    for batch in batches:
        assert np.array_equal(np.lexsort((batch.ts_us, batch.device)), np.arange(len(batch)))
        assert np.array_equal(batch.values, batch.values.round(2))
    pairs = {(d, t) for b in batches for d, t in zip(b.device.tolist(), b.ts_us.tolist(), strict=True)}
    assert pairs == {(d, (NOW + 10 * n) * 1_000_000) for d in (3, 4, 5) for n in range(45)}
    assert (stretch.events, stretch.readings, stretch.end_s) == (135, 540, NOW + 450)


def test_whole_buckets_of_a_question_hold_the_events_that_were_made() -> None:
    live, closed, by_day = months.questions(NOW, 90, 10)
    fleet = months.recent(NOW, range(1, 2), 10)
    for question, width in ((live, months.HOUR_S), (closed, months.HOUR_S)):
        for start, count in question.counts.items():
            assert start >= fleet.start_s
            assert start + width <= NOW
            assert count == sum(start <= fleet.start_s + n * fleet.step_s < start + width for n in range(fleet.count))
    assert (len(live.counts), len(closed.counts)) == (23, 24)
    days = {stretch.start_s // DAY_S * DAY_S: stretch.count for stretch in months.older(NOW, 90)}
    assert by_day.counts.items() <= days.items()
    assert min(by_day.counts) > NOW - 90 * DAY_S


def _answer(since: str, count: int) -> bytes:
    rows = [{"start": "1970-01-01T01:00:00Z", "count": count}]
    return b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps({"from": since, "rows": rows}).encode()


def test_an_answer_that_counts_otherwise_is_wrong() -> None:
    question = months.Question("a", "", {3_600: 3})
    question.check(_answer("1970-01-01T01:00:00Z", 3))
    question.check(_answer("1970-01-01T01:00:01Z", 2))  # cut by now
    replace(question, growing=True).check(_answer("1970-01-01T01:00:00Z", 4))
    for wrong, count in ((question, 2), (question, 4), (replace(question, growing=True), 2)):
        with pytest.raises(PlumblineError):
            wrong.check(_answer("1970-01-01T01:00:00Z", count))
