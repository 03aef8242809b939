"""500 clients of /stats/stream on one API worker, each with a device of its own, while 1,000 events/s are written.

Every device's current minute changes each second, so every look finds something new for everybody. The lines tell how
far apart a client's events are (a look a second is asked for), how old a snapshot is when the client has what changed
in it, what the worker uses, and how long others wait for /stats meanwhile; then, once nothing is written any more,
whether what each client has put together equals /stats. Clients and database share the machine with the worker.
Needs the Postgres of DB_* and the AUTH_* files of its stack. Prints JSON lines.
"""

import argparse
import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp
import psutil

from deploy.local.ports import HOST
from shared import lifecycle
from shared.errors import PlumblineError
from tests import servers
from tests.benchmarks import arrivals, fleet
from tests.benchmarks.figures import MIB, percentile, report, say
from tests.benchmarks.load import device_names
from tests.benchmarks.service import Api, aggregator, api
from tests.benchmarks.usage import Meter
from tests.servers import Database

LISTENERS = 500
LIMIT_GAP_MS, LIMIT_AGE_MS, LIMIT_MIB = 1_500.0, 1_000.0, 300.0
_METRIC = "temperature"
_RATE = 1_000
_SETTLE_S = 3.0

Line = dict[str, object]


@dataclass
class Client:
    """One listener: its rows by start, and when (monotonic s) and how old (ms) each event came that had some."""

    device: str
    rows: dict[str, Any] = field(default_factory=dict)
    came: list[float] = field(default_factory=list)
    ages_ms: list[float] = field(default_factory=list)
    size: int = 0

    async def listen(self, session: aiohttp.ClientSession) -> None:
        """Until it is cancelled."""
        query = {"device_id": self.device, "metric": _METRIC, "bucket": "1m"}
        async with session.get("/stats/stream", params=query) as answer:
            answer.raise_for_status()
            while event := await answer.content.readuntil(b"\n\n"):
                self._take(event)
        raise PlumblineError("a stream ended → see the API's log above")

    def _take(self, event: bytes) -> None:
        self.size += len(event)
        at = event.find(b"data: ")
        if at < 0:
            return
        data = json.loads(event[at + 6 :])
        self.rows |= {row["start"]: row for row in data["rows"]}
        if data["rows"]:
            self.came.append(time.monotonic())
            self.ages_ms.append((time.time() - datetime.fromisoformat(data["as_of"]).timestamp()) * 1_000)


async def _listen(database: Database, served: Api, count: int, seconds: float) -> Line:
    clients = [Client(name) for name in device_names(count)]
    headers = {"Authorization": f"Bearer {served.token}"}
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None, sock_read=60)
    base = f"http://{HOST}:{served.port}"
    async with aiohttp.ClientSession(base, headers=headers, connector=connector, timeout=timeout) as session:
        tasks = [asyncio.create_task(client.listen(session)) for client in clients]
        try:
            with arrivals.coming(database, _RATE, seconds + 60):
                await _until_all_have(clients, tasks)
                for client in clients:
                    client.came.clear()
                    client.ages_ms.clear()
                meter, began = Meter([served.pid], None), time.monotonic()
                waits = await _others(session, seconds)
                took, cpu = time.monotonic() - began, meter.cpu_seconds()["service"]
                peak = psutil.Process(served.pid).memory_info().rss / MIB
                gaps = [b - a for client in clients for a, b in zip(client.came, client.came[1:], strict=False)]
                ages = [age for client in clients for age in client.ages_ms]
            await asyncio.sleep(_SETTLE_S)
            same = await asyncio.gather(*(_equals_stats(session, client) for client in clients))
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
    failed = [error for error in ended if not isinstance(error, asyncio.CancelledError)]
    gaps_ms, ages, waits = sorted(gap * 1_000 for gap in gaps), sorted(ages), sorted(waits)
    gap, age = round(percentile(gaps_ms, 99)), round(percentile(ages, 99))
    return {
        "benchmark": "stream",
        "listeners": count,
        "events": len(ages),
        "gap_p50_ms": round(percentile(gaps_ms, 50)),
        "gap_p99_ms": gap,
        "age_p50_ms": round(percentile(ages, 50)),
        "age_p99_ms": age,
        "worker_cores": round(cpu / took, 3),
        "worker_mib": round(peak),
        "bytes_per_event": round(sum(client.size for client in clients) / max(1, len(ages))),
        "others_stats_p50_ms": round(percentile(waits, 50), 1),
        "others_stats_p99_ms": round(percentile(waits, 99), 1),
        "equal_to_stats": sum(same),
        "broken": len(failed),
        "limit": {
            "name": "gap p99, age p99, memory at most; every client equal to /stats, none broken",
            "gap_p99_ms": LIMIT_GAP_MS,
            "age_p99_ms": LIMIT_AGE_MS,
            "worker_mib": LIMIT_MIB,
        },
        "ratio": round(max(gap / LIMIT_GAP_MS, age / LIMIT_AGE_MS, peak / LIMIT_MIB), 3),
        "ok": gap <= LIMIT_GAP_MS and age <= LIMIT_AGE_MS and peak <= LIMIT_MIB and all(same) and not failed,
    }


async def _until_all_have(clients: list[Client], tasks: list[asyncio.Task[None]]) -> None:
    deadline = time.monotonic() + 60
    while not all(len(client.came) > 1 for client in clients):
        for task in tasks:
            if task.done():
                task.result()
        if time.monotonic() > deadline:
            raise PlumblineError("not every client had two events within a minute → see the API's log above")
        await asyncio.sleep(0.1)


async def _others(session: aiohttp.ClientSession, seconds: float) -> list[float]:
    """Waits (ms) of one who asks /stats again and again, with a moment between."""
    waits, end = [], time.monotonic() + seconds
    query = {"device_id": device_names(1)[0], "metric": _METRIC, "from": "-24h", "bucket": "1h"}
    while time.monotonic() < end:
        began = time.perf_counter()
        async with session.get("/stats", params=query) as answer:
            answer.raise_for_status()
            await answer.read()
        waits.append((time.perf_counter() - began) * 1_000)
        await asyncio.sleep(0.05)
    return waits


async def _equals_stats(session: aiohttp.ClientSession, client: Client) -> bool:
    query = {"device_id": client.device, "metric": _METRIC, "from": min(client.rows), "bucket": "1m"}
    async with session.get("/stats", params=query) as answer:
        rows = {row["start"]: row for row in (await answer.json())["rows"]}
    numbers = ("count", "min", "max", "sum", "p50", "p99")
    return bool(rows) and all(
        start in client.rows and all(client.rows[start][name] == row[name] for name in numbers)
        for start, row in rows.items()
    )


def measure(database: Database, count: int, seconds: float) -> Iterator[Line]:
    """Listens and tells."""
    with database.connect() as connection:
        fleet.register(connection, fleet.DEVICES)
    with aggregator(database), api(database, API_MODULES="auth,query") as served:
        line = asyncio.run(_listen(database, served, count, seconds))
    gap, age = line["gap_p99_ms"], line["age_p99_ms"]
    say(f"{count} listeners: gap p99 {gap} ms, age p99 {age} ms, {line['worker_cores']} cores")
    yield line


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.stream",
        description=__doc__,
        epilog="example: python -m tests.benchmarks stream --listeners 100 --seconds 5",
    )
    parser.add_argument("--listeners", type=int, default=LISTENERS, help=f"clients (default: {LISTENERS})")
    parser.add_argument("--seconds", type=float, default=20, help="that are measured (default: 20)")
    options = parser.parse_args()
    with servers.database(dict(os.environ)) as database:
        return report(list(measure(database, options.listeners, options.seconds)))


if __name__ == "__main__":
    lifecycle.run(main)
