"""A whole stack with everything that dashboards show: history, silent and late devices, faults, refused requests."""

import os
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import httpx
import psycopg

from deploy.local import environment, ports, process, prometheus, services, stack
from ops import token
from tests.dashboards.answers import Servers
from tests.servers import POSTGRES

# A second between samples in place of five: a rate needs four of them.
SCRAPE_S = 1
FLEET = ("--devices", "12", "--seed", "7", "--quiet")
GONE = (*FLEET, "--prefix", "gone-", "--interval", "10s", "--from", "-2h", "--to", "-15m")
HISTORY = (*FLEET, "--interval", "10s", "--from", "-2h")
FAULTS = ("--late", "0.05", "--duplicate", "0.05", "--conflict", "0.02", "--malformed", "0.03", "--late-by", "20s")
LIVE = (*FLEET, "--interval", "250ms", *FAULTS)
BEFORE = tuple(part for part in stack.DEFAULT_PARTS if part not in ("aggregation", "alertmanager"))
DEVICE = "dev-00003"
JOB_S = 60.0


@contextmanager
def running(home: Path) -> Iterator[Servers]:
    """The stack, and what dashboards ask, for the length of the block."""
    first = random.randrange(20_000, 30_000)  # below the range that outgoing connections take theirs from
    wished = {name: first + number for number, name in enumerate(ports.DEFAULTS)}
    options = stack.Options(wished=wished, postgres=POSTGRES, simulator=LIVE)
    often = {"AGGREGATION_INTERVAL_SECONDS": "2", "AGGREGATION_DELAY_SECONDS": "2"}
    with patch.object(prometheus, "INTERVAL", f"{SCRAPE_S}s"), patch.dict(os.environ, often):
        try:
            values = stack.up(home, BEFORE, options, say=lambda _: None).values
            _send(home, values)
            # History is past for an aggregator that starts now.
            values = stack.up(home, ("aggregation", "simulator"), options, say=lambda _: None).values
            with _traffic(values), _servers(values) as servers:
                yield servers
        finally:
            stack.reset(home, say=lambda _: None)


def _send(home: Path, values: Mapping[str, str]) -> None:
    jobs = [services.start_job(home, arguments[-1], values, arguments) for arguments in (GONE, HISTORY)]
    process.until(lambda: all(job.poll() is not None for job in jobs), JOB_S)
    assert [job.returncode for job in jobs] == [0, 0]


@contextmanager
def _traffic(values: Mapping[str, str]) -> Iterator[None]:
    """Requests of all kinds, until the block ends: good ones, refused ones, and somebody who listens."""
    over = threading.Event()
    own = token.sign(values, "dashboards", ["read:stats", "read:records", "write:readings"], None, 3_600)
    threads = [threading.Thread(target=each, args=(values["API_URL"], own, over)) for each in (_ask, _listen)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _ask(url: str, own: str, over: threading.Event) -> None:
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {own}"}, timeout=30) as client:
        while not over.wait(0.2):
            client.get("/stats", params={"device_id": DEVICE, "from": "-1h"})
            client.get("/stats", params={"device_id": DEVICE, "from": "-1h", "bucket": "none"})
            client.get("/stats", params={"bucket": "7s"})
            client.get("/vital-data")
            client.get("/devices", headers={"Authorization": "Bearer broken"})
            client.post("/ingest", json={"device_id": DEVICE, "timestamp": time.time() - 1_800, "temperature": 20.5})


def _listen(url: str, own: str, over: threading.Event) -> None:
    headers = {"Authorization": f"Bearer {own}"}
    with (
        httpx.Client(base_url=url, headers=headers, timeout=30) as client,
        client.stream("GET", "/stats/stream", params={"device_id": DEVICE}) as events,
    ):
        events.raise_for_status()
        for _ in events.iter_lines():
            if over.is_set():
                return


@contextmanager
def _servers(values: Mapping[str, str]) -> Iterator[Servers]:
    role = {"DB_USER": "plumbline_readonly", "DB_PASSWORD": values["PLUMBLINE_READONLY_PASSWORD"]}
    with (
        httpx.Client(base_url=values["PROMETHEUS_URL"], timeout=30) as client,
        psycopg.connect(environment.conninfo({**values, **role}), autocommit=True) as database,
    ):
        yield Servers(client, database)
