"""Listening without a database: what changed, who is told, and what is kept for whom."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, cast

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from api_service.auth.claims import Principal
from api_service.endless import Endless
from api_service.problems import Problem
from api_service.query import question
from api_service.query.answer import Answer
from api_service.query.asking import Statistics
from api_service.query.changes import Changes, Heard, heard
from api_service.query.hub import Hub
from api_service.query.listener import Listener
from api_service.query.metrics import StreamMetrics
from api_service.query.question import Question
from api_service.settings import ApiSettings
from shared.statistics.buckets import parse_bucket

MINUTE = parse_bucket("1m")
ASKED = question.read((("device_id", "d"), ("bucket", "1m")), 1_000)
EVERYBODY = Principal("someone", frozenset({"read:stats"}), None)
NOW_S = 1_800_000_000.0

Row = tuple[str, int]


def row(name: str, count: int) -> bytes:
    return (
        json.dumps({"device_id": name, "metric": "m", "start": "s", "end": "e", "count": count})
        .replace(" ", "")
        .encode()
    )


class Told:
    """In place of Statistics: answers with `rows`, or fails as often as `failures` has something."""

    def __init__(self, *rows: bytes) -> None:
        self.rows = list(rows)
        self.failures: list[Exception] = []
        self.asked = 0
        self.wait: Callable[[], Awaitable[object]] | None = None

    async def first(self, asked: Question, _who: Principal, media_type: str) -> Answer:
        self.asked += 1
        if self.wait is not None:
            await self.wait()
        if self.failures:
            raise self.failures.pop(0)
        span = question.resolve(asked, int(NOW_S * 1e6), 10_000)
        return Answer(
            asked, span, int(NOW_S * 1e6), list(self.rows), settled=False, next_cursor=None, media_type=media_type
        )


def hub(told: Told, **settings: Any) -> Hub:
    own = ApiSettings.model_validate({"stream_interval_seconds": 0.1}).model_copy(update=settings)
    return Hub(cast("Statistics", told), own, StreamMetrics(CollectorRegistry()), lambda: NOW_S)


def names(event: bytes) -> list[str]:
    data = json.loads(event.split(b"data: ")[1])
    return [one["device_id"] for one in data["rows"]]


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3)), min_size=1, max_size=8), st.integers(0, 8))
def test_who_has_heard_of_some_looks_is_told_just_what_is_missing(looks: list[dict[str, int]], known: int) -> None:
    """Rows at the end = rows at the look that was heard of, and those told since."""
    changes, seen = Changes(), [dict[str, int]()]
    for look in looks:
        changes.take([row(name, count) for name, count in look.items()])
        seen.append(look)
    had = seen[min(known, len(looks))]
    told = {one["device_id"]: one["count"] for one in map(json.loads, changes.since(min(known, len(looks))))}
    last = seen[-1]
    assert {**had, **told}.items() >= last.items()
    assert told.items() <= last.items()


def test_a_row_is_known_by_what_stands_before_its_numbers() -> None:
    changes = Changes()
    odd = 'quote",\\"count":'
    assert len(changes.take([row(odd, 1), row("x", 1)])) == 2
    assert changes.take([row(odd, 2), row("x", 1)]) == [row(odd, 2)]


@pytest.mark.parametrize(
    "text", [None, "", "5f0c9a1e-7", "5f0c9a1e-7-1757440798102000x", "5F0C9A1E-7-1", "a-1-1", "٣-1-1"]
)
def test_other_texts_are_no_ids(text: str | None) -> None:
    assert heard(text) is None


def test_an_id_is_read_as_it_was_made() -> None:
    made = Heard("5f0c9a1e", 7, -1757440798102000)
    assert heard(str(made)) == made


def test_who_asks_the_same_is_answered_by_one_question() -> None:
    async def run() -> int:
        told = Told(row("d", 1))
        listened = hub(told)
        async with AsyncExitStack() as stack:
            for _ in range(50):
                listener = Listener(Endless())
                await stack.enter_async_context(listened.listening(ASKED, MINUTE, EVERYBODY, listener, None))
                assert names(await listener.next()) == ["d"]
        return told.asked

    assert asyncio.run(run()) == 1


def test_one_who_couldnt_begin_takes_nobody_elses_channel_away() -> None:
    """Both wait for the same first look; the first one's fails."""

    async def run() -> None:
        told = Told(row("d", 1))
        told.failures.append(psycopg.OperationalError("away"))
        listened = hub(told)
        both = asyncio.Event()
        told.wait = both.wait
        second = Listener(Endless())

        async def fails() -> None:
            async with listened.listening(ASKED, MINUTE, EVERYBODY, Listener(Endless()), None):
                raise AssertionError("it began")

        async with listened.opened(), AsyncExitStack() as stack:
            failing = asyncio.create_task(fails())
            beginning = asyncio.create_task(
                stack.enter_async_context(listened.listening(ASKED, MINUTE, EVERYBODY, second, None))
            )
            await asyncio.sleep(0)  # both have asked
            both.set()
            with pytest.raises(psycopg.OperationalError):
                await failing
            await beginning
            assert names(await second.next()) == ["d"]
            told.rows.append(row("e", 1))
            assert names(await asyncio.wait_for(second.next(), 5)) == ["e"]

    asyncio.run(run())


def test_while_the_database_is_away_it_is_said_and_then_goes_on() -> None:
    async def run() -> None:
        told, listener = Told(row("d", 1)), Listener(Endless())
        listened = hub(told)
        async with listened.opened(), listened.listening(ASKED, MINUTE, EVERYBODY, listener, None):
            await listener.next()
            told.failures.append(psycopg.OperationalError("away"))
            told.rows[0] = row("d", 2)
            assert (await asyncio.wait_for(listener.next(), 5)).startswith(b"event: trouble\n")
            assert names(await asyncio.wait_for(listener.next(), 5)) == ["d"]

    asyncio.run(run())


def test_one_listener_too_many_is_refused_and_a_channel_goes_with_its_last() -> None:
    async def run() -> None:
        told = Told(row("d", 1))
        listened = hub(told, stream_max_listeners=1)
        async with listened.listening(ASKED, MINUTE, EVERYBODY, Listener(Endless()), None):
            with pytest.raises(Problem) as refused:
                await listened.listening(ASKED, MINUTE, EVERYBODY, Listener(Endless()), None).__aenter__()
            assert refused.value.status == 503
        async with listened.listening(ASKED, MINUTE, EVERYBODY, Listener(Endless()), None):
            assert told.asked == 2  # the first channel is gone

    asyncio.run(run())


def test_one_who_doesnt_take_sixteen_events_is_too_slow() -> None:
    async def run() -> None:
        endless = Endless()
        listener = Listener(endless)
        for number in range(16):
            listener.offer(b"%d" % number)
        assert not endless.too_slow
        assert await listener.next() == b"0"
        listener.offer(b"16")
        assert not endless.too_slow
        listener.offer(b"17")
        assert endless.too_slow

    asyncio.run(run())
