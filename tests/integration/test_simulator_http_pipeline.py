"""A fleet over HTTP through real API, Kafka and Postgres: what the summary expects is what is stored, whoever dies."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from simulator.fleet import Fleet
from simulator.http.spool_store import FILE
from tests.answering import SECRET, api_settings
from tests.faults.readiness import free_port
from tests.pipeline import Service, assert_accounts, caught_up, ingestion, running, wait_for
from tests.servers import Database, Topics

ROOT = Path(__file__).parents[2]
FAULTS = ["--late=0.02", "--out-of-order=0.02", "--duplicate=0.02", "--conflict=0.02", "--malformed=0.02"]


class Gateways:
    """API processes with the module gateway in front of the same Kafka, and the same issuer behind them."""

    def __init__(self, topics: Topics, database: Database, folder: Path) -> None:
        files = api_settings(database, folder)
        self._environment = {
            **topics.environment(),
            **database.environment("api"),
            "AUTH_SIGNING_KEY_FILE": str(files.auth_signing_key_file),
            "AUTH_CLIENTS_FILE": str(files.auth_clients_file),
            "API_MODULES": "auth,gateway",
        }

    @contextmanager
    def at(self, port: int, **settings: str) -> Iterator[Service]:
        """One that listens there, once it answers."""
        with running("api_service", self._environment, {"API_PORT": str(port), **settings}) as service:
            wait_for(lambda: _ready(port), f"the API on port {port} to be ready")
            yield service


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def start(log: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """A simulator over HTTP; Kafka is none of its business."""
    client = {"AUTH_CLIENT_ID": "all", "AUTH_CLIENT_SECRET": SECRET, "KAFKA_BOOTSTRAP_SERVERS": "nowhere:1"}
    with log.open("w") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "simulator", *arguments, "--json", "--quiet"],
            cwd=ROOT,
            env={**os.environ, **client, **environment},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )


def told(process: subprocess.Popen[str], log: Path) -> dict[str, Any]:
    """The summary of one that ends well."""
    with process:
        out, _ = process.communicate(timeout=90)
    assert process.returncode == 0, log.read_text()
    document: dict[str, Any] = json.loads(out)
    return document


def changes(log: Path) -> list[str]:
    """The endpoints that it changed to."""
    return [json.loads(line)["url"] for line in log.read_text().splitlines() if "endpoint_changed" in line]


@pytest.fixture
def gateways(topics: Topics, database: Database, tmp_path: Path) -> Iterator[Gateways]:
    """With an ingestion service that stores what they take."""
    with running("ingestion_service", ingestion(topics, database)):
        yield Gateways(topics, database, tmp_path)


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def test_the_pipeline_counts_what_the_summary_expects(
    gateways: Gateways, topics: Topics, database: Database, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    port = free_port()
    with gateways.at(port):
        fleet = ("--devices=50", "--interval=10s", "--from=-1h", "--seed=7")
        summary = told(start(log, f"--http={url(port)}", *fleet, *FAULTS), log)
    http, expected = summary["http"], summary["expected"]
    assert summary["events"] == 18_000
    assert http["rejected"] == summary["malformed_codes"]
    assert http["accepted"] + sum(http["rejected"].values()) == http["handed_over"] == summary["records"]
    assert (http["retried_requests"], http["unsent"], expected["dead_lettered"]) == (0, 0, 0)
    assert all(summary["faults"].values())
    wait_for(lambda: caught_up(topics, database), "everything to be stored")
    counted = assert_accounts(database)
    assert counted == {
        "persisted": expected["persisted"],
        "duplicates": expected["duplicates"],
        "conflicts": expected["conflicts"],
        "dead_letters": 0,
    }


def test_what_a_killed_simulator_had_spooled_is_sent_by_the_next_one(
    gateways: Gateways, topics: Topics, database: Database, tmp_path: Path
) -> None:
    port = free_port()
    log = tmp_path / "log"
    fleet = Fleet(devices=100, interval_us=50_000, prefix="killed-")
    begin = datetime.now(UTC).replace(microsecond=0)
    common = (f"--http={url(port)}", f"--spool={tmp_path / 'spool'}")
    metrics = free_port()
    with gateways.at(port) as api:
        live = ("--devices=100", "--interval=50ms", "--prefix=killed-", f"--from={begin.isoformat()}", "--follow")
        killed = start(log, *common, *live, METRICS_PORT=str(metrics))
        wait_for(lambda: stored(database, "killed-") > 2_000, "the first one to be under way")
        api.send(signal.SIGSTOP)
        wait_for(lambda: waiting(metrics) > 1_000, "what is due meanwhile waits in the spool")
        killed.kill()
        with killed:
            killed.communicate()
        api.send(signal.SIGCONT)
        left = spooled(tmp_path / "spool")
        assert left > 1_000
        following = ("--devices=50", "--interval=1s", "--from=-10m", "--prefix=next-")
        summary = told(start(log, *common, *following, *FAULTS), log)
    http = summary["http"]
    assert (http["recovered"], http["spooled"], http["unsent"]) == (left, 0, 0)
    wait_for(lambda: caught_up(topics, database), "everything to be stored")
    counted = assert_accounts(database)
    # Every event from the begin of the killed run to the last that it handed over, none missing in between.
    first, count = fleet.first_at(int(begin.timestamp()) * 1_000_000), stored(database, "killed-")
    assert numbers(database, fleet) == set(range(first, first + count))
    assert stored(database, "next-") == summary["expected"]["persisted"]
    assert counted["persisted"] == count + summary["expected"]["persisted"]
    more = counted["duplicates"] - summary["expected"]["duplicates"]
    assert 0 <= more <= http["maybe_twice"]


def test_one_api_takes_over_from_another_that_is_killed_and_gives_back(
    gateways: Gateways, topics: Topics, database: Database, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    first = free_port()
    second = next(port for port in iter(free_port, 0) if port != first)
    with gateways.at(second):
        with gateways.at(first) as api:
            urls = f"--http={url(first)},{url(second)}"
            process = start(log, urls, "--devices=100", "--rate=2000", *FAULTS)
            wait_for(lambda: stored(database, "dev-") > 1_000, "the first API to take events")
            api.send(signal.SIGKILL)
            api.wait()
        before = stored(database, "dev-")
        wait_for(lambda: stored(database, "dev-") > before + 1_000, "the second API to take over")
        with gateways.at(first):
            wait_for(lambda: changes(log) == [url(second), url(first)], "the first API to get it back")
            process.send_signal(signal.SIGINT)
            summary = told(process, log)
    http, expected = summary["http"], summary["expected"]
    assert changes(log) == [url(second), url(first)]
    assert http["failed_over"] == 1
    assert all(http["by_endpoint"][url(port)] > 1_000 for port in (first, second))
    assert http["accepted"] + sum(http["rejected"].values()) == summary["records"]
    wait_for(lambda: caught_up(topics, database), "everything to be stored")
    counted = assert_accounts(database)
    assert (counted["persisted"], counted["dead_letters"]) == (expected["persisted"], 0)
    assert 0 <= counted["duplicates"] - expected["duplicates"] <= http["maybe_twice"]


def test_a_rate_limit_slows_it_down_and_costs_nothing(gateways: Gateways, tmp_path: Path) -> None:
    port = free_port()
    log = tmp_path / "log"
    with gateways.at(port, RATE_LIMIT_EVENTS_PER_SECOND="4000"):
        summary = told(start(log, f"--http={url(port)}", "--devices=50", "--interval=10s", "--from=-1h"), log)
    http = summary["http"]
    assert (http["accepted"], http["unsent"], http["maybe_twice"]) == (18_000, 0, 0)
    assert 18_000 / 4_000 - 2 < summary["seconds"] < 30
    assert 0 < http["retried_requests"] < 30


def stored(database: Database, prefix: str) -> int:
    """Events of devices with that prefix."""
    with database.connect() as connection:
        row = connection.execute(
            "SELECT count(*) FROM events JOIN devices ON devices.id = device WHERE device_id LIKE %s", [f"{prefix}%"]
        ).fetchone()
    assert row is not None
    return int(row[0])


def numbers(database: Database, fleet: Fleet) -> set[int]:
    """The fleet's numbers of its events that are stored."""
    with database.connect() as connection:
        rows = connection.execute(
            "SELECT right(device_id, 5)::int, (extract(epoch FROM ts) * 1000)::bigint"
            " FROM events JOIN devices ON devices.id = device WHERE device_id LIKE %s",
            [f"{fleet.prefix}%"],
        ).fetchall()
    interval_ms = fleet.interval_us // 1_000
    return {at_ms // interval_ms * fleet.devices + device for device, at_ms in rows}


def waiting(port: int) -> float:
    """Events in the spool of a process that runs, by its metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith("simulator_spool_events "))


def spooled(folder: Path) -> int:
    """Events in the spool that a process left."""
    db = sqlite3.connect(folder / FILE)
    try:
        return int(db.execute("SELECT coalesce(sum(events), 0) FROM parcels").fetchone()[0])
    finally:
        db.close()
