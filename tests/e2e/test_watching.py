"""`plumbline status`, `tail` and `support-bundle` on a whole stack that runs."""

import io
import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner, Result

from deploy.local import environment, monitoring, ports, process, stack
from deploy.local.home import log_file
from ops.cli import app
from shared import kafka
from shared.settings import TopicSettings

DEVICE = "boiler-seven"
PARTS = [part for part in stack.DEFAULT_PARTS if part not in monitoring.missing()]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A stack with some events in it, three of which can't be taken."""
    where = tmp_path_factory.mktemp("watched").resolve()
    first = random.randrange(20_000, 30_000)
    wished = {name: first + number for number, name in enumerate(ports.DEFAULTS)}
    try:
        send(stack.up(where, PARTS, stack.Options(wished=wished), say=lambda _: None).values, 20)
        yield where
    finally:
        stack.reset(where, say=lambda _: None)


@pytest.fixture(autouse=True)
def chosen(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_HOME", str(home))


def send(values: Mapping[str, str], count: int) -> None:
    producer = kafka.producer(settings(values))
    for i in range(count):
        event = {"device_id": DEVICE, "timestamp": time.time(), "data_payload": {"temperature": i / 2}}
        producer.produce("telemetry.readings", json.dumps(event), DEVICE)
    for _ in range(3):
        producer.produce("telemetry.readings", b"{no event", DEVICE)
    assert producer.flush(30) == 0


def settings(values: Mapping[str, str]) -> TopicSettings:
    return TopicSettings.model_validate({"kafka_bootstrap_servers": values["KAFKA_BOOTSTRAP_SERVERS"]})


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def status() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("status", "--json").stdout)
    return found


def caught_up() -> bool:
    return bool(status()["pipeline"]["lag_messages"] == 0)


def test_a_stack_that_is_well_says_so_with_all_its_figures(home: Path) -> None:
    assert process.until(caught_up, 30, poll_s=0.2)
    found = status()
    unknown = {name for name, value in found["pipeline"].items() if value is None}
    assert unknown <= {"end_to_end_p99_seconds", "watermark", "watermark_age_seconds", "stored_until",
                       "overdue_seconds", "patience_seconds"}, found["away"]  # fmt: skip
    assert found["pipeline"]["dead_letters_last_hour"] == 3
    assert found["pipeline"]["dead_letter_share"] == pytest.approx(3 / 23)
    assert found["pipeline"]["unaccounted_offsets"] == 0
    assert "plumbline dlq list --since -1h" in [finding["next"] for finding in found["findings"]]
    assert {finding["state"] for finding in found["findings"]} == {"note"}
    assert (found["ok"], found["alerts"] is None) == (True, "prometheus" not in PARTS)
    shown = run("status")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("healthy: ")


def test_waiting_and_watching_end_with_a_verdict(home: Path) -> None:
    assert run("wait", "stored", "--timeout", "60").exit_code == 0
    statistics = run("wait", "statistics", "--timeout", "100", "--json")
    assert json.loads(statistics.stdout)["lacking"] == []
    watched = run("watch", "--seconds", "1", "--json")
    verdict = json.loads(watched.stdout)
    assert (watched.exit_code, verdict["ok"], verdict["accounting"]["ok"]) == (0, True, True)
    assert verdict["statistics"][0]["count"] == 20
    commands = [line for line in watched.stderr.splitlines() if line.startswith("curl ")]
    answer = subprocess.run(["sh", "-c", commands[0]], capture_output=True, text=True, check=True)
    assert sum(row["count"] for row in json.loads(answer.stdout)["rows"]) == 20


def test_watching_prints_a_line_a_tick_and_a_document_with_json() -> None:
    lines = run("status", "--live", "--for", "1").stdout.splitlines()
    assert len(lines) == 1
    assert "status ok" in lines[0]
    documents = run("status", "--live", "--for", "1", "--json").stdout.splitlines()
    assert [json.loads(each)["ok"] for each in documents] == [True]


def test_tail_shows_events_and_what_cannot_be_decoded_and_commits_nothing(home: Path) -> None:
    values = environment.read(home)
    before = groups(values)
    done = run("tail", "--device", "boiler-*", "--last", "5", "--count", "5", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["code"] for each in found] == [None, None, "malformed", "malformed", "malformed"]
    assert found[1]["metrics"] == {"temperature": 9.5}
    assert -1 < found[1]["lag_seconds"] < 60
    trace = json.loads(run("trace", f"{found[1]['partition']}:{found[1]['offset']}", "--json").stdout)
    assert trace["events"][0]["device_id"] == DEVICE
    assert groups(values) == before


def groups(values: Mapping[str, str]) -> set[str]:
    """The consumer groups that Kafka knows."""
    admin = AdminClient({"bootstrap.servers": values["KAFKA_BOOTSTRAP_SERVERS"]})
    return {each.group_id for each in admin.list_consumer_groups().result(timeout=10).valid}


def test_tail_follows_what_comes_and_ends_when_it_is_told(home: Path) -> None:
    assert run("tail", "--device", "nobody", "--last", "1", "--for", "0.5").stdout == ""
    everything = run("tail", "--from-beginning", "--count", "23").stdout.splitlines()
    assert len(everything) == 23
    assert sum("malformed" in line for line in everything) == 3
    few = run("tail", "--from-beginning", "--for", "1", "--rate", "4")
    assert len(few.stdout.splitlines()) <= 8
    assert "more were left out" in few.stderr


@pytest.mark.parametrize("arguments", [["tail", "--from-beginning"], ["status", "--live"]])
def test_ctrl_c_ends_what_watches_and_nothing_is_wrong(arguments: list[str]) -> None:
    command = [sys.executable, "-c", "from ops.cli import main; main()", *arguments]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        _, errors = watching.communicate(timeout=30)
    assert (watching.returncode, "Traceback" in errors) == (0, False)


def test_tail_of_dead_letters_and_of_acks(home: Path) -> None:
    letters = [json.loads(line) for line in run("tail", "--dead-letters", "--last", "3", "--count", "3", "--json")
               .stdout.splitlines()]  # fmt: skip
    assert [(each["device"], each["code"]) for each in letters] == [(DEVICE, "malformed")] * 3
    ack = run("tail", "--topic", "telemetry.acks.success", "--last", "1", "--count", "1").stdout
    assert '"outcome":"success"' in ack
    refused = run("tail", "--topic", "nothing")
    assert "choose from" in str(refused.exception)


def test_a_bundle_holds_what_helps_and_none_of_the_secrets(home: Path, tmp_path: Path) -> None:
    values = environment.read(home)
    token = run("token", "--scope", "read:stats").stdout.strip()
    leak = {"event": "leak", "token": token, "dsn": f"postgresql://x:{values['DB_PASSWORD']}@h/d", "device": DEVICE}
    with log_file(home, "api").open("a") as log:
        log.write(json.dumps(leak) + "\n")
        log.write(Path(values["AUTH_SIGNING_KEY_FILE"]).read_text())
    file = tmp_path / "bundle.tar.gz"
    made = json.loads(run("support-bundle", "--output", str(file), "--json").stdout)
    files = unpacked(file)
    whole = "\n".join(files.values())

    secret = {name: value for name, value in values.items() if "PASSWORD" in name or name.endswith(("SECRET", "_KEY"))}
    assert len(secret) >= 7
    key_lines = Path(values["AUTH_SIGNING_KEY_FILE"]).read_text().splitlines()[1:-1]
    hashes = [each["secret_sha256"] for each in json.loads(Path(values["AUTH_CLIENTS_FILE"]).read_text())]
    for value in (*secret.values(), token, token.split(".")[2], *key_lines, *hashes, DEVICE):
        assert value not in whole
    assert made["redacted"]["device ids"] >= 1
    assert all(path.startswith("prometheus/") and "prometheus" not in PARTS for path in made["missing"])

    assert json.loads(files["status.json"])["pipeline"]["unaccounted_offsets"] == 0
    assert json.loads(files["postgres/counts.json"])[0]["devices"] == 1
    assert json.loads(files["postgres/offsets.json"])
    assert "ingestion_events_total" in files["metrics/ingestion.txt"]
    assert {each["topic"] for each in json.loads(files["kafka/topics.json"])} >= {"telemetry.readings"}
    assert json.loads(files["settings.json"])["ingestion"]["DB_USER"] == "plumbline_ingestion"
    assert json.loads(files["manifest.json"])["files"].keys() == made["files"].keys()
    assert file.stat().st_mode & 0o777 == 0o600
    assert "is there already" in str(run("support-bundle", "--output", str(file)).exception)

    open_ = tmp_path / "with-ids.tar.gz"
    run("support-bundle", "--output", str(open_), "--with-device-ids")
    assert DEVICE in unpacked(open_)["logs/api.log"]


def unpacked(file: Path) -> dict[str, str]:
    """The texts of a bundle by their path in it."""
    with tarfile.open(fileobj=io.BytesIO(file.read_bytes())) as archive:
        found = {}
        for entry in archive.getmembers():
            content = archive.extractfile(entry)
            assert content is not None
            found[entry.name.partition("/")[2]] = content.read().decode()
    return found


def test_a_service_that_died_is_named_with_the_command_that_brings_it_back(home: Path) -> None:
    values = environment.read(home)
    os.kill(process.find(home)["ingestion"][0].pid, signal.SIGKILL)
    send(values, 1)
    found = run("status", "--json")
    document = json.loads(found.stdout)
    assert (found.exit_code, document["ok"]) == (1, False)
    assert document["findings"][0]["next"] == "plumbline up --only ingestion"
    assert document["away"]["ingestion"] == "stopped"
    assert document["pipeline"]["lag_messages"] == 4
    assert document["pipeline"]["lag_seconds"] > 0


def test_a_bundle_of_a_stack_that_is_down_says_what_is_missing(home: Path, tmp_path: Path) -> None:
    stack.down(home, say=lambda _: None)
    file = tmp_path / "bundle.tar.gz"
    done = run("support-bundle", "--output", str(file))
    assert done.exit_code == 0
    assert "not in it: kafka/topics.json: Kafka doesn't answer" in done.stdout
    files = unpacked(file)
    assert set(json.loads(files["manifest.json"])["missing"]) >= {"metrics/api.txt", "postgres/offsets.json"}
    assert json.loads(files["status.json"])["verdict"].startswith("stopped")
    assert "logs/ingestion.log" in files
    assert environment.read(home)["DB_PASSWORD"] not in "\n".join(files.values())
