"""The simulator as a process against a real Kafka: what its summary says is what the topic holds."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.csv
import pytest
from confluent_kafka import OFFSET_BEGINNING, Message, TopicPartition
from prometheus_client import CollectorRegistry

from shared import kafka
from shared.errors import PlumblineError
from shared.events import Decoded, Decoder, Limits
from shared.settings import TopicSettings
from simulator.metrics import Metrics
from simulator.publisher import KafkaPublisher
from tests.servers import Topics

ROOT = Path(__file__).parents[2]
ALAMOSA = ROOT / "simulator" / "recordings" / "alamosa.csv"
FAULTS = ["--late=0.02", "--out-of-order=0.02", "--duplicate=0.02", "--conflict=0.02", "--malformed=0.02"]


def start(topics: Topics, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "simulator", *arguments],
        cwd=ROOT,
        env={**os.environ, **topics.environment(), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit status, stdout and stderr."""
    with process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def summary(process: subprocess.Popen[str]) -> dict[str, Any]:
    status, out, err = finished(process)
    assert status == 0, err
    document: dict[str, Any] = json.loads(out)
    return document


def everything(settings: TopicSettings) -> list[Message]:
    """All records of the readings topic, each partition's in order."""
    consumer = kafka.consumer(settings, group_id="unused", enable_auto_commit=False)
    try:
        partitions = range(settings.topic_partitions)
        places = [TopicPartition(settings.topic_readings, number, OFFSET_BEGINNING) for number in partitions]
        wanted = sum(consumer.get_watermark_offsets(place, timeout=10)[1] for place in places)
        consumer.assign(places)
        messages: list[Message] = []
        deadline = time.monotonic() + 30
        while len(messages) < wanted and time.monotonic() < deadline:
            messages += consumer.consume(10_000, timeout=1.0)
        assert len(messages) == wanted
        return messages
    finally:
        consumer.close()


def decoded(messages: list[Message]) -> Decoded:
    values, keys = [m.value() for m in messages], [m.key() for m in messages]
    return Decoder(Limits()).decode(values, time.time_ns() // 1000, keys)


def test_the_topic_holds_what_the_summary_says(topics: Topics) -> None:
    told = summary(start(topics, "--devices=50", "--interval=10s", "--from=-1h", "--seed=7", "--json", *FAULTS))
    messages = everything(topics.settings)
    found = decoded(messages)
    identities = Counter(
        (device, int(ts), group.names)
        for group in found.groups
        for device, ts in zip(group.device, group.ts_us, strict=True)
    )
    assert told["events"] == 18_000
    assert told["records"] == len(messages)
    assert told["expected"]["persisted"] == len(identities)
    assert told["expected"]["duplicates"] == identities.total() - len(identities)
    assert told["expected"]["dead_lettered"] == len(found.rejects)
    assert told["malformed_codes"] == Counter(reject.code for reject in found.rejects)
    assert all(told["faults"].values())


def test_the_same_seed_and_time_send_the_same_bytes(topics: Topics) -> None:
    window = ("--from=2026-11-20T00:00:00Z", "--to=2026-11-20T00:10:00Z", "--devices=20", "--json")
    first, second = summary(start(topics, *window)), summary(start(topics, *window))
    values = Counter(message.value() for message in everything(topics.settings))
    assert first["events"] == second["events"] == len(values) == 12_000
    assert set(values.values()) == {2}


def test_events_of_a_device_keep_their_order(topics: Topics) -> None:
    summary(start(topics, "--devices=50", "--interval=1s", "--from=-5m", "--json"))
    newest: dict[str, str] = {}
    for message in everything(topics.settings):
        event = json.loads(message.value() or b"")
        assert newest.get(event["device_id"], "") < event["timestamp"]
        newest[event["device_id"]] = event["timestamp"]
    assert len(newest) == 50


def test_live_events_are_sent_when_they_are_due(topics: Topics) -> None:
    told = summary(start(topics, "--devices=100", "--rate=1000", "--duration=3s", "--json"))
    assert told["events"] == 3_000
    delays = []
    for message in everything(topics.settings):
        sent_ms = message.timestamp()[1]
        due = decoded([message]).groups[0].ts_us[0] / 1000
        delays.append(sent_ms - due)
    assert min(delays) >= -1  # a time is cut to the millisecond
    assert sorted(delays)[len(delays) // 2] < 500


def test_a_signal_ends_a_run_with_everything_delivered_and_counted(topics: Topics) -> None:
    process = start(topics, "--devices=100", "--rate=2000", "--json", *FAULTS)
    assert process.stderr is not None
    assert "sent" in process.stderr.readline()  # the first line of progress: it is under way
    process.send_signal(signal.SIGTERM)
    told = summary(process)
    assert told["events"] > 5_000
    assert told["records"] == len(everything(topics.settings))


def test_a_replay_sends_the_recording_as_it_is(topics: Topics) -> None:
    told = summary(
        start(
            topics, "replay", str(ALAMOSA), "--time-column=time", "--device-column=station",
            "--metric=temperature", "--metric=pressure=pressure.hpa", "--start=-24h", "--speed=max", "--json",
        )
    )  # fmt: skip
    (group,) = decoded(everything(topics.settings)).groups
    table = pyarrow.csv.read_csv(ALAMOSA)
    assert told["events"] == len(group.device) == table.num_rows == 1_440
    assert group.names == ("pressure.hpa", "temperature")
    assert group.values[:, 0].tolist() == table["pressure"].to_pylist()
    assert group.values[:, 1].tolist() == table["temperature"].to_pylist()
    assert {int(step) for step in group.ts_us[1:] - group.ts_us[:-1]} == {60_000_000}


def test_a_recording_that_is_too_old_is_sent_with_a_warning(topics: Topics) -> None:
    options = ("--time-column=time", "--device=x", "--speed=max")
    status, _out, err = finished(start(topics, "replay", str(ALAMOSA), *options))
    assert status == 0
    assert "--shift-to-now" in err
    assert {reject.code for reject in decoded(everything(topics.settings)).rejects} == {"timestamp_too_old"}


def test_a_paced_replay_takes_its_time(topics: Topics) -> None:
    began = time.monotonic()
    one_day_in_2_4_seconds = "--speed=36000"
    columns = ("--time-column=time", "--device=x")
    told = summary(start(topics, "replay", str(ALAMOSA), *columns, "--shift-to-now", one_day_in_2_4_seconds, "--json"))
    assert told["events"] == 1_440
    assert told["seconds"] > 2.3
    assert not decoded(everything(topics.settings)).rejects
    assert time.monotonic() - began < 30


def test_metrics_are_served_while_it_runs(topics: Topics) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = start(topics, "--devices=10", "--rate=500", METRICS_PORT=str(port))
    assert process.stderr is not None
    process.stderr.readline()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    process.send_signal(signal.SIGINT)
    status, _out, err = finished(process)
    assert status == 0, err
    assert 'simulator_events_sent_total{fault="none"}' in text
    assert "simulator_behind_seconds" in text


def test_kafka_away_is_one_message_and_69(topics: Topics) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"127.0.0.1:{free.getsockname()[1]}"
    status, out, err = finished(start(topics, "--duration=1s", KAFKA_BOOTSTRAP_SERVERS=nobody))
    assert (status, out) == (69, "")
    assert err.count("\n") == 1
    assert nobody in err
    assert "KAFKA_BOOTSTRAP_SERVERS" in err


def test_an_unknown_topic_is_one_message_and_78(topics: Topics) -> None:
    status, out, err = finished(start(topics, "--duration=1s", TOPIC_READINGS="no-such-topic"))
    assert (status, out) == (78, "")
    assert err.count("\n") == 1
    assert "TOPIC_READINGS" in err
    assert "no-such-topic" in err


def test_what_kafka_refuses_is_one_message_and_1(topics: Topics, tmp_path: Path) -> None:
    recording = tmp_path / "huge.ndjson"
    # One event above the broker's limit for a record, 1 MiB.
    recording.write_text(json.dumps({"t": 1, "device": "d" * 1_200_000, "v": 1}) + '\n{"t":1,"device":"d","v":1}\n')
    status, out, err = finished(start(topics, "replay", str(recording), "--time-column=t", "--device-column=device"))
    assert (status, out) == (1, "")
    assert "Traceback" not in err
    assert "1 records were not delivered" in err.splitlines()[-1]
    assert len(everything(topics.settings)) == 1


def test_what_kafka_confirmed_is_counted_and_what_it_refused_is_not(topics: Topics) -> None:
    registry = CollectorRegistry()
    publisher = KafkaPublisher(topics.settings, threading.Event(), Metrics(registry))
    publisher.publish([{"key": b"d", "value": b"{}"}] * 1_000)
    publisher.publish([{"key": b"d", "value": b" " * 2_000_000}])  # larger than a producer may send
    with pytest.raises(PlumblineError, match="1 records were not delivered"):
        publisher.close()
    assert registry.get_sample_value("simulator_records_accepted_total") == 1_000
