"""From the simulator or a recording to /stats: what the API answers equals numpy on the events that were sent."""

import csv
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import psycopg
import pytest

from deploy.local import environment
from deploy.local import stack as embedded
from ops import broker, reconcile, store, token
from shared import kafka
from shared.events import Limits
from shared.events.codes import Refused
from shared.events.strict import decode_one
from shared.settings import KafkaSettings
from tests.pipeline import wait_for

RECORDING = Path(__file__).parents[2] / "simulator" / "recordings" / "alamosa.csv"
BEGIN = datetime.fromisoformat("2026-03-01T06:00:00+00:00")
Values = Mapping[str, str]
Series = dict[tuple[str, str], dict[datetime, float]]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Values]:
    """The whole stack with all services; the variables of its stack.env."""
    home = tmp_path_factory.mktemp("pipeline").resolve()
    names = [name for ports in embedded.PORTS.values() for name in ports]
    first = random.randrange(20_000, 30_000)
    options = embedded.Options(
        wished={name: first + i for i, name in enumerate(names)}, postgres={"fsync": "off", "full_page_writes": "off"}
    )
    parts = ("kafka", "postgres", "ingestion", "aggregation", "api")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGGREGATION_INTERVAL_SECONDS", "1")
        try:
            yield embedded.up(home, parts, options, say=lambda _: None).values
        finally:
            embedded.reset(home, say=lambda _: None)


@pytest.fixture(scope="module")
def api(pipeline: Values) -> Iterator[httpx.Client]:
    bearer = token.sign(pipeline, "e2e", ["read:stats"], None, 600)
    headers = {"Authorization": f"Bearer {bearer}"}
    with httpx.Client(base_url=pipeline["API_URL"], headers=headers, timeout=30) as client:
        yield client


def simulate(pipeline: Values, *arguments: str) -> dict[str, Any]:
    """Runs the simulator to its end, waits until all is stored, and returns its summary."""
    done = subprocess.run(
        [sys.executable, "-m", "simulator", *arguments, "--json", "--quiet"],
        env={**os.environ, **pipeline}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    wait_for(lambda: stored(pipeline), "everything is stored")
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def stored(pipeline: Values) -> bool:
    with broker.connect(pipeline) as connected, store.snapshot(pipeline) as connection:
        return broker.lag(connected.watermarks(connected.partitions()), store.offsets(connection)) == 0


def sent(pipeline: Values, prefix: str) -> Series:
    """(device, metric) → time → value of all events on the topic that count: the first of each identity."""
    settings = KafkaSettings.model_validate({"kafka_bootstrap_servers": pipeline["KAFKA_BOOTSTRAP_SERVERS"]})
    now_us = time.time_ns() // 1000
    found: Series = {}
    for key, value in read_all(settings, "telemetry.readings"):
        try:
            event = decode_one(value, Limits(), now_us)
        except Refused:
            continue  # planned as malformed
        if event.device.startswith(prefix) and event.device.encode() == key:
            at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=event.ts_us)
            for metric, reading in zip(event.names, event.values, strict=True):
                found.setdefault((event.device, metric), {}).setdefault(at, reading)
    return found


def read_all(settings: KafkaSettings, topic: str) -> list[tuple[bytes | None, bytes | None]]:
    """Key and value of every record, each partition's in order."""
    consumer = kafka.consumer(settings, group_id="e2e", auto_offset_reset="earliest", enable_partition_eof=True)
    records: list[tuple[bytes | None, bytes | None]] = []
    ended: set[int | None] = set()
    consumer.subscribe([topic])
    try:
        partitions = consumer.list_topics(topic).topics[topic].partitions

        def all_read() -> bool:
            for message in consumer.consume(10_000, 0.2):
                if message.error() is None:
                    records.append((message.key(), message.value()))
                else:
                    ended.add(message.partition())
            return len(ended) == len(partitions)

        wait_for(all_read, "the topic is read")
    finally:
        consumer.close()
    return records


def rows(api: httpx.Client, **parameters: Any) -> list[dict[str, Any]]:
    """All rows of /stats, page after page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        answer = api.get("/stats", params={**parameters, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found += body["rows"]
        cursor = body["next_cursor"]
        if cursor is None:
            return found


def assert_equals_numpy(row: Mapping[str, Any], values: npt.NDArray[np.float64]) -> None:
    where = f"{row['device_id']} {row['metric']} {row['start']}"
    assert row["count"] == len(values), where
    assert (row["min"], row["max"]) == (values.min(), values.max()), where
    assert row["sum"] == pytest.approx(float(values.sum()), rel=1e-12), where
    assert row["avg"] == pytest.approx(float(values.mean()), rel=1e-12), where
    if len(values) > 1:
        assert row["stddev"] == pytest.approx(float(values.std(ddof=1)), rel=1e-9, abs=1e-12), where
    for name in ("p50", "p90", "p95", "p99"):
        fraction = float(name[1:]) / 100
        if row["method"] == "exact":
            assert row[name] == pytest.approx(float(np.quantile(values, fraction)), rel=1e-12), f"{where} {name}"
        else:
            assert row["max_rank_error"] <= 0.005
            low, high = np.quantile(values, np.clip([fraction - 0.005, fraction + 0.005], 0, 1))
            assert low <= row[name] <= high, f"{where} {name}"


def assert_all_equal(found: Sequence[Mapping[str, Any]], expected: Series, width: timedelta) -> None:
    """Every bucket of every series is there, and nothing else."""
    cut: dict[tuple[str, str, datetime], list[float]] = {}
    for (device, metric), readings in expected.items():
        for at, value in readings.items():
            cut.setdefault((device, metric, BEGIN + (at - BEGIN) // width * width), []).append(value)
    keys = [(row["device_id"], row["metric"], datetime.fromisoformat(row["start"])) for row in found]
    assert keys == sorted(cut)
    for key, row in zip(keys, found, strict=True):
        assert_equals_numpy(row, np.array(cut[key]))


def test_a_simulated_fleet_with_faults_equals_numpy(pipeline: Values, api: httpx.Client) -> None:
    fleet = ["--devices", "12", "--interval", "10s", "--seed", "11", "--prefix", "e2e-"]
    span = ["--from", BEGIN.isoformat(), "--to", (BEGIN + timedelta(hours=3)).isoformat()]
    faults = [
        "--late",
        "0.02",
        "--out-of-order",
        "0.05",
        "--duplicate",
        "0.02",
        "--conflict",
        "0.01",
        "--malformed",
        "0.01",
    ]
    summary = simulate(pipeline, *fleet, *span, *faults)
    account = reconcile.check(pipeline)
    assert account["ok"], account["problems"]
    with psycopg.connect(environment.conninfo(pipeline)) as connection:
        totals = connection.execute(
            "SELECT sum(persisted_total), sum(duplicate_total), sum(conflict_total), sum(dead_letter_total)"
            " FROM kafka_offsets"
        ).fetchone()
    expected = summary["expected"]
    assert totals == tuple(expected[name] for name in ("persisted", "duplicates", "conflicts", "dead_lettered"))

    events = sent(pipeline, "e2e-")
    ask = {"from": BEGIN.isoformat(), "to": (BEGIN + timedelta(hours=3)).isoformat()}
    at_once = {bucket: rows(api, bucket=bucket, **ask) for bucket in ("15m", "1h")}
    assert_all_equal(at_once["15m"], events, timedelta(minutes=15))
    assert_all_equal(at_once["1h"], events, timedelta(hours=1))

    wait_for(lambda: materialized(pipeline), "the aggregator has stored it")
    stored_answer = rows(api, bucket="1h", **ask)
    assert_all_equal(stored_answer, events, timedelta(hours=1))
    assert all(row["final"] for row in stored_answer)


def materialized(pipeline: Values) -> bool:
    """Whether nothing is dirty and minutes and hours reach beyond what was sent."""
    with psycopg.connect(environment.conninfo(pipeline)) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM dirty) = 0 AND bool_and(until > %s) FROM materialized WHERE level <= 3600",
            [BEGIN + timedelta(hours=3)],
        ).fetchone()
    return bool(row and row[0])


def test_a_real_recording_equals_numpy(pipeline: Values, api: httpx.Client) -> None:
    arguments = ["replay", str(RECORDING), "--time-column", "time", "--device-column", "station"]
    summary = simulate(pipeline, *arguments, "--start", BEGIN.isoformat(), "--speed", "max")
    assert summary["events"] == 1440
    with RECORDING.open() as file:
        lines = list(csv.DictReader(file))
    first = datetime.fromisoformat(lines[0]["time"])
    metrics = [name for name in lines[0] if name not in ("time", "station")]
    expected: Series = {
        ("alamosa", metric): {
            datetime.fromisoformat(line["time"]) - first + BEGIN: float(line[metric]) for line in lines
        }
        for metric in metrics
    }
    end = (BEGIN + timedelta(days=1)).isoformat()
    ask = {"device_id": "alamosa", "from": BEGIN.isoformat(), "to": end}
    assert_all_equal(rows(api, bucket="1h", **ask), expected, timedelta(hours=1))
    whole = rows(api, bucket="none", **ask)
    assert [row["metric"] for row in whole] == sorted(metrics)
    for row in whole:
        assert_equals_numpy(row, np.array(list(expected["alamosa", row["metric"]].values())))
