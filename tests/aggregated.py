"""What the aggregation tests share: events put where ingestion would put them, runs, and the judgement of a run."""

import threading
import time
from collections.abc import Mapping, Sequence

import psycopg
from prometheus_client import CollectorRegistry

from aggregation_service.metrics import Metrics
from aggregation_service.scheduler import Scheduler
from aggregation_service.settings import AggregationSettings
from aggregation_service.store import Store
from ops.verify import check
from shared.failpoints import Failpoints
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
    store = Store(AggregationSettings.model_validate(variables).conninfo())
    made = AggregationSettings.model_validate({**variables, **settings})
    return Scheduler(made, store, Metrics(CollectorRegistry()), failpoints or Failpoints("")), store


def run(database: Database, failpoints: Failpoints | None = None, **settings: object) -> None:
    """One run, in this process, on a connection of its own."""
    runner, store = scheduler(database, failpoints, **settings)
    try:
        assert runner.run_once(threading.Event())
    finally:
        store.close()


def verified(database: Database) -> dict[int, int]:
    """Rows by level, once they are all as `plumbline verify` recomputes them from raw events."""
    report = check(database.environment(), days=400)
    assert report["differences"] == []
    with database.connect() as connection:
        stored: dict[int, int] = dict(connection.execute("SELECT level, count(*) FROM stats GROUP BY 1").fetchall())
    assert report["compared"] == stored
    return stored


def fingerprint(database: Database) -> str:
    """Of all statistics, but for how often late data came."""
    with database.connect() as connection:
        return str(query(
            connection,
            "SELECT md5(string_agg(ROW(level, device, metric, bucket, count, sum, sum_error, min, max, m2, rank_error,"
            " summary)::text, '' ORDER BY level, device, metric, bucket)) FROM stats",
        )[0][0])  # fmt: skip


def query(connection: psycopg.Connection, text: str) -> list[tuple[object, ...]]:
    """The rows of a query."""
    return connection.execute(text.encode()).fetchall()


def rows(database: Database, text: str) -> list[tuple[object, ...]]:
    """The rows of a query, as the owner."""
    with database.connect() as connection:
        return query(connection, text)
