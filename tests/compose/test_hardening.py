"""How closed the containers are, looked at while they run."""

import json
import re

import pytest

from tests.compose import cli
from tests.compose.stack import SERVICES, Stack

pytestmark = pytest.mark.smoke

OURS = ("ingestion", "aggregation", "api")
# Who may read what of /run/plumbline; nobody of these may read anything else there.
READS = {
    "ingestion": {"ingestion-password"},
    "aggregation": {"aggregation-password"},
    "api": {"api-password", "issuer-key.pem", "issuer-clients.json", "receipt-key"},
    "postgres": {"owner-password"},
}


@pytest.mark.parametrize("service", SERVICES)
def test_no_root_no_capabilities_no_way_back(stack: Stack, service: str) -> None:
    _, told = stack.one(service).shell("for each in /proc/[0-9]*/status; do cat $each 2>/dev/null; echo; done")
    processes = [dict(re.findall(r"^(\w+):\s*(.*)$", status, re.MULTILINE)) for status in told.strip().split("\n\n")]
    assert len(processes) > 1
    for said in processes:
        assert "0" not in said["Uid"].split() + said["Gid"].split()
        assert int(said["CapEff"], 16) == int(said["CapPrm"], 16) == int(said["CapBnd"], 16) == 0
        assert said["NoNewPrivs"] == "1"
        assert said["Seccomp"] == "2"


@pytest.mark.parametrize("service", OURS)
def test_read_only_but_for_tmp(stack: Stack, service: str) -> None:
    container = stack.one(service)
    for folder in ("/", "/opt/plumbline/app", "/etc", "/var/tmp", "/run", "/run/plumbline", "/usr/local/lib"):  # noqa: S108
        status, said = container.shell(f"touch {folder}/written")
        assert (status != 0, "ead-only" in said or "ermission denied" in said) == (True, True), f"{folder}: {said}"
    assert container.shell("touch /tmp/written && rm /tmp/written") == (0, "")


@pytest.mark.parametrize("service", [*OURS, "front"])
def test_a_limit_of_its_own_for_processes_and_memory(stack: Stack, service: str) -> None:
    host = stack.one(service).inspect()["HostConfig"]
    assert host["Init"] is True
    assert host["PidsLimit"] > 0
    assert host["Memory"] > 0


@pytest.mark.parametrize("service", READS)
def test_nobody_reads_the_secrets_of_others(stack: Stack, service: str) -> None:
    everything = _files(stack)
    assert set().union(*READS.values()) | {"stack.env"} <= everything
    container = stack.one(service)
    readable = {name for name in everything if container.shell(f"cat /run/plumbline/{name} >/dev/null")[0] == 0}
    assert readable == READS[service]


def test_no_secret_is_told(stack: Stack) -> None:
    """Not in what the engine shows of a container or an image, nor in a log."""
    script = 'for file in *password receipt-key stack.env; do cat "$file"; echo; done; sed -n 2,9p issuer-key.pem'
    shown = stack.compose("run", "--rm", "-T", "--entrypoint", "sh", "ops", "-c", f"cd /run/plumbline && {script}")
    lines = [line.partition("=") for line in shown.splitlines()]
    named = {value for name, _, value in lines if re.search("PASSWORD|SECRET|RECEIPT_KEY", name)}
    secrets = named | {name for name, given, _ in lines if not given and len(name) >= 16}
    assert len(secrets) >= 6 + 8
    for service in (*SERVICES, "secrets", "migrate"):
        [container] = stack.containers(service)
        known = container.inspect()
        told = json.dumps([known, cli.inspect(known["Image"], kind="image")]) + container.logs()
        assert not any(secret in told for secret in secrets), service
        assert "BEGIN PRIVATE KEY" not in told


def test_only_the_api_is_on_the_host(stack: Stack) -> None:
    """On loopback only; and Kafka and Postgres have no way out."""
    published = {service: stack.one(service).inspect()["NetworkSettings"]["Ports"] for service in SERVICES}
    bound = {
        service: [each for ports in known.values() for each in ports or []] for service, known in published.items()
    }
    assert {service for service, ports in bound.items() if ports} == {"front"}
    assert [(port["HostIp"], port["HostPort"]) for port in bound["front"]] == [("127.0.0.1", str(stack.port))]
    [network] = cli.inspect(f"{stack.project}_data", kind="network")
    assert network["Internal"] is True
    for service in ("kafka", "postgres"):
        container = stack.one(service)
        assert set(container.inspect()["NetworkSettings"]["Networks"]) == {f"{stack.project}_data"}
    # What both networks are for: ingestion reaches the API's address of the other one, Kafka doesn't.
    networks = stack.one("api").inspect()["NetworkSettings"]["Networks"]
    address = networks[f"{stack.project}_default"]["IPAddress"]
    knock = f"timeout 5 bash -c '</dev/tcp/{address}/8000'"
    assert stack.one("ingestion").shell(knock)[0] == 0
    assert stack.one("kafka").shell(knock)[0] != 0


def _files(stack: Stack) -> set[str]:
    """Of the stack's home, but for what is empty: its lock."""
    listed = "cd /run/plumbline && find . -type f -size +0"
    shown = stack.compose("run", "--rm", "-T", "--entrypoint", "sh", "ops", "-c", listed)
    return {name.removeprefix("./") for name in shown.split()}
