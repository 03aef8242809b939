"""What the pictures show: a whole stack at work, with history that has something to look at."""

import json
from collections.abc import Mapping
from pathlib import Path

import psycopg
from confluent_kafka import Producer

from deploy.local import stack as embedded
from deploy.local.environment import conninfo
from tests.browser.site import DAY_S, HOUR_S, Events, wave
from tests.integration.api_service.warehouse import MICROS
from tests.pipeline import wait_for

LIVE = ("--devices", "24", "--interval", "1s", "--profile", "environment", "--late", "0.01", "--prefix", "sensor-")
_STEP_S = 60
_PATIENCE_S = 120.0
_AGGREGATED = """
SELECT count(*) FROM materialized JOIN watermarks USING (level) WHERE until = watermark AND isfinite(until)
"""


def play(home: Path, now: int) -> Mapping[str, str]:
    """Starts everything in this folder and returns stack.env once the history is in the statistics.

    boiler-1 sent nothing for three hours, and an hour of what it had measured came late; boiler-2 is cooler; pump-1
    has been silent for 30 hours; a fleet of 24 sensors sends every second, some of it late.
    """
    values = embedded.up(home, ("kafka", "postgres", "ingestion"), say=_quiet).values
    in_time, late = _history(now - now % HOUR_S, now)
    with psycopg.connect(conninfo(values), autocommit=True) as connection:
        _send(values, in_time)
        _until(connection, "SELECT count(*) FROM events", len(in_time))
        embedded.up(home, ("aggregation",), say=_quiet)
        _until(connection, _AGGREGATED, 3)
        _send(values, late)
        _until(connection, "SELECT count(*) FROM events", len(in_time) + len(late))
    options = embedded.Options(simulator=LIVE)
    parts = ("node", "alertmanager", "prometheus", "api", "simulator")
    return embedded.up(home, parts, options, say=_quiet).values


def _history(hour: int, now: int) -> tuple[Events, Events]:
    """Two days up to now: what came in time, and what came late."""
    start = hour - 2 * DAY_S
    gap, late = (range(hour - begin * HOUR_S, hour - end * HOUR_S) for begin, end in ((10, 7), (5, 4)))
    boiler = [event for event in wave("boiler-1", start, now, _STEP_S) if event[1] // MICROS not in gap]
    others = wave("boiler-2", start, now, _STEP_S, -9.0) + wave("pump-1", start, hour - 30 * HOUR_S, _STEP_S, 4.0)
    in_time = [event for event in boiler if event[1] // MICROS not in late]
    return in_time + others, [event for event in boiler if event[1] // MICROS in late]


def _send(values: Mapping[str, str], events: Events) -> None:
    producer = Producer({"bootstrap.servers": values["KAFKA_BOOTSTRAP_SERVERS"], "linger.ms": 20})
    for device, micros, readings in events:
        event = {"device_id": device, "timestamp": micros / MICROS, "data_payload": readings}
        producer.produce("telemetry.readings", json.dumps(event), key=device)
        producer.poll(0)
    assert producer.flush(60) == 0


def _until(connection: psycopg.Connection, query: str, count: int) -> None:
    def there() -> bool:
        row = connection.execute(query.encode()).fetchone()
        return row is not None and row[0] >= count

    wait_for(there, f"{query}: {count}", _PATIENCE_S)


def _quiet(_text: str) -> None:
    """The command says itself what it does."""
