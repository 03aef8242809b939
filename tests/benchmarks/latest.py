"""How fast `GET /vital-data` is, however much is stored: one device, and 1,000 at once.

1,000 devices with 4 metrics that send all the time, over months of daily partitions, and 1,000 more that have been
silent since the first of those days. One API process and one connection, so that an answer's time is its own. The lines
tell further what events that are written meanwhile change, 1 % of them late, and, as the limit beside, the same rows by
their primary key alone. The aggregator is at work; what it would have kept of the history is made by its own statement.
Needs the Postgres of DB_* on this machine, the AUTH_* files of its stack, and 12 GB of disk. Prints JSON lines.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence

import numpy as np
import psycopg

from aggregation_service import latest_store
from shared import lifecycle
from shared.errors import PlumblineError
from tests import servers
from tests.benchmarks import arrivals, asking, fleet
from tests.benchmarks.figures import percentile, report, say
from tests.benchmarks.fleet import Stretch
from tests.benchmarks.load import DAY_S, device_names
from tests.benchmarks.service import Api, aggregator, api
from tests.servers import Database

ACTIVE, SILENT = fleet.DEVICES, 1_000
LIMIT_ONE_MS, LIMIT_MANY_MS = 5.0, 50.0
_SILENT_EVENTS = 10
_RATE, _LATE = 1_000, 0.01
_WARM_UP = 20
_OK = 200

Line = dict[str, object]

_BY_KEY = "SELECT l.* FROM device_latest l JOIN devices d ON d.id = l.device WHERE d.device_id = ANY (%s)"


def fill(connection: psycopg.Connection, events: int, days: int, now: int) -> None:
    """So many events up to the last minute, stored as far as latest events go."""
    fleet.register(connection, ACTIVE + SILENT)
    start, end = now - days * DAY_S, now - now % 60
    count = events // ACTIVE
    active = Stretch(start, count, (end - start) // count)
    silent = Stretch(start, _SILENT_EVENTS, 60, range(ACTIVE + 1, ACTIVE + SILENT + 1))
    began = time.monotonic()
    fleet.fill(connection, [silent, active])
    say(f"{active.events + silent.events:,} events in {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    latest_store.keep(connection, 0, end, list(range(1, ACTIVE + SILENT + 1)))
    say(f"latest events of {ACTIVE + SILENT:,} devices in {time.monotonic() - began:.1f} s")
    closed = f"date_bin(level * interval '1 s', to_timestamp({end}), 'epoch')"
    connection.execute(f"UPDATE watermarks SET watermark = {closed}".encode())  # noqa: S608
    connection.execute(f"UPDATE materialized SET until = {closed}".encode())  # noqa: S608
    fleet.ensure_days(connection, now, now + DAY_S)
    connection.execute("VACUUM ANALYZE device_latest")


class Asker:
    """Asks one API and tells how it went."""

    def __init__(self, database: Database, served: Api) -> None:
        self._database, self._served = database, served
        self._names = device_names(ACTIVE + SILENT)
        self._generator = np.random.default_rng(31)

    def one(self, seconds: float, what: str) -> Line:
        """One device, any of them."""
        chosen = self._generator.permutation(self._names).tolist()
        return self._measured("one device", [f"/vital-data?device_id={name}" for name in chosen], 1, seconds, what)

    def many(self, seconds: float, what: str, *, silent: bool = False) -> Line:
        """1,000 devices, a page: those that send, or those that have long been silent."""
        target = "/vital-data?limit=1000"
        if silent:
            first = asking.ask(self._served.port, [self._served.get(target)], 1, keep_every=1).kept[0]
            target += f"&cursor={json.loads(asking.body(first))['next_cursor']}"
        name = "1,000 silent devices" if silent else "1,000 devices"
        return self._measured(name, [target], 1_000, seconds, what)

    def _measured(self, name: str, targets: Sequence[str], rows: int, seconds: float, what: str) -> Line:
        requests = [self._served.get(target) for target in targets]
        asking.ask(self._served.port, requests[:1] * _WARM_UP, 1)
        answers = asking.ask(self._served.port, _again(requests), 1, seconds, keep_every=7)
        if set(answers.statuses) != {_OK}:
            raise PlumblineError(f"{name}: answered with {dict(answers.statuses)} → see the API's log above")
        for kept in answers.kept.values():
            found = len(json.loads(asking.body(kept))["rows"])
            if found != rows:
                raise PlumblineError(f"the benchmark's answer is wrong: {name}: {found} rows, not {rows}")
        waits, limit = sorted(answers.waits_ms), LIMIT_ONE_MS if rows == 1 else LIMIT_MANY_MS
        p99 = round(percentile(waits, 99), 2)
        say(f"{name}, {what}: p50 {percentile(waits, 50):.2f} ms, p99 {p99} ms")
        return {
            "benchmark": "latest",
            "question": name,
            "asked": what,
            "requests": len(waits),
            "p50_ms": round(percentile(waits, 50), 2),
            "p99_ms": p99,
            "max_ms": round(waits[-1], 2),
            "bytes_per_answer": answers.size // len(waits),
            "limit": {"name": "p99 at most", "p99_ms": limit, "by_key_p50_ms": self._by_key(rows)},
            "ratio": round(p99 / limit, 3),
            "ok": p99 <= limit,
        }

    def _by_key(self, rows: int) -> float:
        """The median time of the rows of device_latest alone, in the database's own connection."""
        names, waits = self._names[:rows], []
        with self._database.connect() as connection, connection.cursor(binary=True) as cursor:
            for _ in range(50):
                began = time.perf_counter()
                cursor.execute(_BY_KEY, [names]).fetchall()
                waits.append((time.perf_counter() - began) * 1_000)
        return round(percentile(sorted(waits), 50), 2)


def _again(requests: Sequence[bytes]) -> Iterator[bytes]:
    while True:
        yield from requests


def measure(database: Database, events: int, days: int, seconds: float) -> Iterator[Line]:
    """Fills and asks."""
    with database.connect() as connection:
        fill(connection, events, days, int(time.time()))
        row = connection.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass").fetchone()
    stored: Line = {"events": events, "partitions": row[0] if row else 0, "devices": ACTIVE + SILENT}
    with aggregator(database), api(database, API_MODULES="auth,query") as served:
        asker = Asker(database, served)
        lines = [
            asker.one(seconds, "at rest"),
            asker.many(seconds, "at rest"),
            asker.many(seconds, "at rest", silent=True),
        ]
        what = f"while {_RATE:,} events/s are written, {_LATE:.0%} of them late"
        with arrivals.coming(database, _RATE, 4 * seconds + 60, late=_LATE):
            lines += [asker.one(seconds, what), asker.many(seconds, what)]
    yield from (line | stored for line in lines)


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.latest",
        description=__doc__,
        epilog="example: python -m tests.benchmarks latest --events 1000000 --seconds 3",
    )
    parser.add_argument("--events", type=int, default=50_000_000, help="of all devices (default: 50,000,000)")
    parser.add_argument("--days", type=int, default=120, help="that they are spread over (default: 120)")
    parser.add_argument("--seconds", type=float, default=8, help="of a line (default: 8)")
    options = parser.parse_args()
    with servers.database(dict(os.environ)) as database:  # another process is given it
        return report(list(measure(database, options.events, options.days, options.seconds)))


if __name__ == "__main__":
    lifecycle.run(main)
