"""What the aggregation tests share: events put where ingestion would put them, runs, and the judgement of a run."""

import itertools
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import psycopg
import pytest
from prometheus_client import CollectorRegistry

from aggregation_service.metrics import Metrics
from aggregation_service.scheduler import Scheduler
from aggregation_service.settings import AggregationSettings
from aggregation_service.store import Store
from aggregation_service.team import Team
from shared.failpoints import Failpoints
from shared.statistics import compact
from shared.statistics.summary import ranks
from tests.servers import Database

DAY_S = 86_400
TODAY = int(time.time()) // DAY_S * DAY_S
DAY = TODAY - 3 * DAY_S  # closed at every level, whatever the time is

Event = tuple[str, float, Mapping[str, float]]  # device, epoch seconds, metrics


def put(connection: psycopg.Connection, events: Sequence[Event]) -> int:
    """Writes new events by ingestion's protocol and returns how many of them were late; the caller commits."""
    days = sorted({time.strftime("%Y-%m-%d", time.gmtime(second)) for _, second, _ in events})
    connection.execute("SELECT ensure_event_partitions(%s::date[])", [days])
    names = sorted({device for device, _, _ in events})
    devices: dict[str, int] = dict(connection.execute("SELECT * FROM register_devices(%s, 100000)", [names]).fetchall())
    sets = sorted({tuple(sorted(metrics)) for _, _, metrics in events})
    layouts = {
        metrics: connection.execute("SELECT register_layout(%s::text[], 1000)", [list(metrics)]).fetchall()[0][0]
        for metrics in sets
    }
    rows = [
        (devices[device], second, layouts[tuple(sorted(metrics))], [metrics[name] for name in sorted(metrics)])
        for device, second, metrics in events
    ]
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO events VALUES (%s, to_timestamp(%s), %s, %s)", rows)
        pairs = sorted({(row[0], row[2]) for row in rows})
        cursor.executemany("INSERT INTO device_layouts VALUES (%s, %s) ON CONFLICT DO NOTHING", pairs)
    assert connection.execute("SELECT level FROM watermarks FOR SHARE").rowcount
    return connection.execute(
        """
        INSERT INTO dirty (bucket, device, layout, events)
        SELECT date_bin('1 minute', at, 'epoch'), device, layout, count(*)
        FROM unnest(%s::int4[], %s::float8[], %s::int4[]) AS e (device, second, layout), to_timestamp(second) AS at
        WHERE at < (SELECT max(watermark) FROM watermarks) GROUP BY 1, 2, 3
        """,
        [[row[0] for row in rows], [float(row[1]) for row in rows], [row[2] for row in rows]],
    ).rowcount


def put_now(database: Database, events: Sequence[Event]) -> None:
    """The same, committed."""
    with database.connect(autocommit=False) as connection:
        put(connection, events)


def steady(devices: int, seconds: range, day: int = DAY) -> list[Event]:
    """An event a second of the day and device, with values that tell them apart."""
    return [
        (f"dev-{device}", day + second, {"a": device + second / 7, "b": 1013 + (second * device % 17) / 8})
        for device in range(devices)
        for second in seconds
    ]


def scheduler(database: Database, failpoints: Failpoints | None = None, **settings: object) -> tuple[Scheduler, Store]:
    """A scheduler under the service's own role, and its store."""
    variables = {name.lower(): value for name, value in database.environment("aggregation").items()}
    made = AggregationSettings.model_validate({**variables, **settings})
    store = Store(made.conninfo())
    team = Team(store, [Store(made.conninfo()) for _ in range(made.aggregation_workers)])
    return Scheduler(made, store, team, Metrics(CollectorRegistry()), failpoints or Failpoints("")), store


def run(database: Database, failpoints: Failpoints | None = None, **settings: object) -> None:
    """One run, in this process, on a connection of its own."""
    runner, _ = scheduler(database, failpoints, **settings)
    try:
        assert runner.run_once(threading.Event())
    finally:
        runner.close()


def verified(database: Database) -> dict[int, int]:
    """Rows by level, once they are all as plain Python and numpy recompute them from the view of readings."""
    assert rows(database, "SELECT count(*) FROM dirty") == [(0,)]
    readings = rows(database, "SELECT device_id, metric, extract(epoch FROM ts)::float8, value FROM readings")
    levels = rows(
        database,
        "SELECT level, extract(epoch FROM until)::float8 FROM materialized WHERE until > '-infinity' ORDER BY level",
    )
    stored = rows(
        database,
        "SELECT level, device_id, name, extract(epoch FROM bucket)::int8, count, sum, min, max, deviation, summary"
        " FROM stats JOIN devices d ON d.id = device JOIN metrics m ON m.id = metric",
    )
    found = {row[:4]: row[4:] for row in stored}
    assert len(found) == len(stored)
    groups: dict[tuple[object, ...], list[float]] = {}
    for (width, until), (device, metric, second, value) in itertools.product(levels, readings):
        bucket = int(second // width * width)
        if bucket < until:
            groups.setdefault((width, device, metric, bucket), []).append(value)
    assert found.keys() == groups.keys()
    for key, values in groups.items():
        assert_row(key, found[key], values)
    return dict(Counter(row[0] for row in stored))


def assert_row(key: object, row: tuple[Any, ...], values: list[float]) -> None:
    """A row's numbers are those of the values."""
    count, total, least, greatest, deviation, packed = row
    mean = math.fsum(values) / len(values)
    assert (count, least, greatest) == (len(values), min(values), max(values)), key
    assert total == pytest.approx(math.fsum(values), rel=1e-12, abs=1e-12), key
    squares = math.fsum((value - mean) ** 2 for value in values)
    assert deviation == pytest.approx(math.sqrt(squares / count), rel=1e-9, abs=1e-9), key
    assert unpacked(packed) == np.sort(values)[ranks(count)].tolist(), key


def unpacked(summary: bytes) -> list[float]:
    """The readings in `stats.summary`."""
    readings, _ = compact.unpack(np.frombuffer(summary, np.uint8), np.array([len(summary)]))
    return list(readings.tolist())


def fingerprint(database: Database, before: int) -> object:
    """Of all statistics of buckets that start before a moment, but for how often late data came."""
    with database.connect() as connection:
        return connection.execute(
            """
            SELECT md5(string_agg(ROW(level, device, metric, bucket, count, sum, sum_error, min, max, deviation,
                rank_error, summary)::text, '' ORDER BY level, device, metric, bucket))
            FROM stats WHERE bucket < to_timestamp(%s)
            """,
            [before],
        ).fetchall()[0][0]


def from_scratch(database: Database) -> None:
    """Forgets all statistics and makes them again."""
    with database.connect() as connection:
        connection.execute("TRUNCATE stats, dirty, fleet_stats, fleet_stale, fleet_until")
        connection.execute("UPDATE materialized SET until = '-infinity'")
    run(database)


def rows(database: Database, text: str) -> list[tuple[Any, ...]]:
    """The rows of a query, as the owner."""
    with database.connect() as connection:
        return connection.execute(text.encode()).fetchall()


class Each(Failpoints):
    """Does something each time that a failpoint is reached, one worker at a time."""

    def __init__(self, name: str, action: Callable[[], object]) -> None:
        super().__init__("")
        self._name, self._action = name, action
        self._one = threading.Lock()

    def hit(self, name: str) -> None:
        if name == self._name:
            with self._one:
                self._action()


def at(name: str, action: Callable[[], object]) -> Failpoints:
    """Does something the first time that a failpoint is reached."""
    return Each(name, once(action))


def once(action: Callable[[], object]) -> Callable[[], object]:
    """The first call does it, others nothing."""
    left = [action]
    return lambda: left.pop()() if left else None
