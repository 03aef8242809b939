"""Every command of the operator's in a container of its own, on a stack that runs."""

import io
import json
import subprocess
import tarfile
import time

import pytest
import typer

from ops.cli import app
from tests.compose import cli
from tests.compose.client import Client
from tests.compose.stack import SERVICES, Stack
from tests.pipeline import wait_for

DEVICE = "operated"
COMMANDS = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
# What each is called with; what it prints is JSON. `support-bundle` and `watch` have tests of their own.
CALLS = {
    "status": ("status",),
    "doctor": ("doctor",),
    "token": ("token", "--scope", "read:stats"),
    "keys": ("keys", "list"),
    "clients": ("clients", "list"),
    "offsets": ("offsets",),
    "reconcile": ("reconcile",),
    "verify": ("verify", "--sample", "5"),
    "backfill": ("backfill", "--list"),
    "dlq": ("dlq", "list"),
    "trace": ("trace", DEVICE),
    "tail": ("tail", "--device", DEVICE, "--from-beginning", "--count", "1"),
    "missing": ("missing", "--last", "1h"),
    "wait": ("wait", "stored"),
}
ELSEWHERE = {
    ("up",): "docker compose up -d",
    ("up", "--only", "api,ingestion"): "docker compose up -d api ingestion",
    ("down",): "docker compose down",
    ("reset", "--yes"): "docker compose down -v",
    ("demo",): "make demo-docker",
}


@pytest.fixture(autouse=True)
def event(stack: Stack, client: Client) -> None:
    """The device has sent something, and Postgres has it."""
    client.post({"device_id": DEVICE, "timestamp": int(time.time()), "data_payload": {"m": 1}})
    wait_for(lambda: client.answers(f"/records?device_id={DEVICE}"), "the event is stored")


def test_all_commands_are_tried_here() -> None:
    assert {*CALLS, *(words[0] for words in ELSEWHERE), "support-bundle", "watch"} == COMMANDS


@pytest.mark.parametrize("name", CALLS)
def test_a_command_works_in_a_container(stack: Stack, name: str) -> None:
    assert json.loads(stack.ops(*CALLS[name], "--json")) is not None


@pytest.mark.parametrize("words", ELSEWHERE)
def test_what_a_container_cannot_do_is_one_line_with_the_command_that_can(stack: Stack, words: tuple[str, ...]) -> None:
    done = cli.run(stack.command("run", "--rm", "-T", "ops", *words), stack.own)
    said = [line for line in done.stderr.splitlines() if " → " in line]
    assert done.returncode == 2
    assert said == [f"this stack runs in containers, which the engine starts and stops → {ELSEWHERE[words]}"]
    assert stack.document("status")["ok"], "nothing was stopped or removed"


def test_status_counts_the_containers_of_a_service_and_knows_who_is_silent(stack: Stack) -> None:
    stack.compose("up", "-d", "--no-recreate", "--scale", "ingestion=2")
    try:
        wait_for(lambda: stack.document("status")["ok"], "two ingestions are well")
        found = {part["name"]: part for part in stack.document("status")["parts"]}
        assert {name for name, part in found.items() if part["state"] == "running"} == set(SERVICES)
        assert (found["ingestion"]["replicas"], found["api"]["replicas"]) == (2, 1)
        cli.docker("pause", stack.containers("ingestion")[1].name)
        done = cli.run(stack.command("run", "--rm", "-T", "ops", "status"), stack.own)
        assert done.returncode == 1
        assert "1 of 2 containers don't answer → docker compose restart ingestion" in done.stdout
    finally:
        cli.docker("unpause", stack.containers("ingestion")[1].name)
        stack.compose("up", "-d", "--no-recreate", "--scale", "ingestion=1")


def test_new_keys_and_clients_reach_the_running_api_and_files_keep_their_readers(stack: Stack, client: Client) -> None:
    def of(file: str) -> str:
        return cli.printed(
            stack.command(
                "run", "--rm", "-T", "--entrypoint", "stat", "ops", "-c", "%u:%g %a", f"/run/plumbline/{file}"
            ),
            stack.own,
        ).strip()

    signs = stack.document("keys", "rotate")["signs"]
    wait_for(lambda: signs in client.request("GET", "/.well-known/jwks.json")[1], "the API has the new key", 5)
    assert client.answers("/devices"), "tokens of the former key are good"
    secret = stack.document("clients", "add", "ward-1", "--scope", "read:stats")["client_secret"]
    form = f"grant_type=client_credentials&client_id=ward-1&client_secret={secret}"
    asked = ["curl", "-sf", "-d", form, f"http://127.0.0.1:{client.port}/auth/token"]
    wait_for(lambda: subprocess.run(asked, capture_output=True, check=False).returncode == 0, "a token for it", 5)
    assert of("issuer-key.pem") == of("issuer-clients.json") == "10000:10103 440"
    stack.ops("clients", "remove", "ward-1")


def test_a_support_bundle_comes_out_whole_and_without_secrets(stack: Stack) -> None:
    done = subprocess.run(
        stack.command("run", "--rm", "-T", "ops", "support-bundle", "--output", "-"),
        env=cli.environment(stack.own), capture_output=True, check=True,
    )  # fmt: skip
    values = cli.printed(
        stack.command("run", "--rm", "-T", "--entrypoint", "cat", "ops", "/run/plumbline/stack.env"), stack.own
    )
    secrets = [line.partition("=")[2] for line in values.splitlines() if "PASSWORD=" in line or "SECRET=" in line]
    assert len(secrets) > 4
    with tarfile.open(fileobj=io.BytesIO(done.stdout), mode="r:gz") as bundle:
        texts = {each.name.partition("/")[2]: bundle.extractfile(each) for each in bundle.getmembers()}
        content = {name: file.read().decode() for name, file in texts.items() if file is not None}
    assert not [name for name, text in content.items() for secret in secrets if secret in text]
    manifest = json.loads(content["manifest.json"])
    assert "docker compose logs" in manifest["missing"]["logs/"]
    assert {"status.json", "metrics/ingestion.txt", "kafka/topics.json", "postgres/offsets.json"} <= set(content)


def test_watch_prints_the_hosts_addresses_and_ends_with_a_verdict(stack: Stack, client: Client) -> None:
    address = f"http://127.0.0.1:{client.port}"
    done = cli.run(
        stack.command("run", "--rm", "-T", "-e", f"PLUMBLINE_PUBLIC_URL={address}", "ops", "watch", "--seconds", "1"),
        stack.own,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{address}/docs" in done.stdout
    assert "http://api:" not in done.stdout
    command = next(line for line in done.stdout.splitlines() if line.startswith("curl "))
    answer = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout)["rows"]
    assert "accounting: every event accounted for" in done.stdout
