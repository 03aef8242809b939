"""How fast `/stats` answers for one device and metric: 24 h by hour and 90 days by day, over 16 connections.

1,000 devices with 4 metrics (tests/benchmarks/months.py), the aggregator at work, one API process. Each connection asks
again as soon as it was answered: of each device and metric a first time, then at random. The lines tell further what
1,000 events written a second with 1 % late ones change, what a client is spared that sends If-None-Match, and what a
table of events ten times as large does to the same questions.
Needs the Postgres of DB_* on this machine, the AUTH_* files of its stack, and 6 GB of disk. Prints JSON lines.
"""

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import product

import numpy as np

from shared import lifecycle
from shared.errors import PlumblineError
from tests import servers
from tests.benchmarks import arrivals, asking, fleet, months
from tests.benchmarks.figures import percentile, report, say
from tests.benchmarks.load import METRICS, device_names
from tests.benchmarks.months import Question
from tests.benchmarks.service import Api, aggregate, aggregator, api
from tests.benchmarks.usage import Meter, per
from tests.servers import Database

CONNECTIONS = 16
LIMIT_P99_MS, LIMIT_RATE, LIMIT_GROWN = 25.0, 1_000.0, 1.25
SMALL = range(1, 101)  # devices whose events are there before the table grows tenfold
_CHECKED = 199  # every so many answers one is looked at
_WARM_UP = 64
_OK, _NOT_MODIFIED = 200, 304

Line = dict[str, object]


class Asker:
    """Asks one API about some devices and tells how it went."""

    def __init__(self, database: Database, served: Api, devices: range) -> None:
        self._database = database
        self._api = served
        names = device_names(fleet.DEVICES)
        self._series = list(product([names[device - 1] for device in devices], METRICS))
        self._generator = np.random.default_rng(29)

    def requests(self, question: Question) -> list[bytes]:
        """One of each device and metric, in any order."""
        made = [self._api.get(question.target(*one)) for one in self._series]
        return [made[number] for number in self._generator.permutation(len(made)).tolist()]

    def first_time(self, question: Question) -> Line:
        """Each device and metric once."""
        return self._measured(question, "first time", self.requests(question), None)

    def again(self, question: Question, seconds: float, what: str = "again") -> Line:
        """At random, for so long."""
        return self._measured(question, what, self._at_random(self.requests(question)), seconds)

    def unchanged(self, question: Question, seconds: float) -> Line:
        """At random, by a client that has had each answer before."""
        first = self.requests(question)
        had = asking.ask(self._api.port, first, CONNECTIONS, keep_every=1).kept
        tags = [asking.header(had[number], "ETag") for number in range(len(first))]
        again = [
            request if tag is None else request.replace(b"\r\n\r\n", f"\r\nIf-None-Match: {tag}\r\n\r\n".encode())
            for request, tag in zip(first, tags, strict=True)
        ]
        return self._measured(question, "again, with If-None-Match", self._at_random(again), seconds)

    def _at_random(self, requests: Sequence[bytes]) -> Iterator[bytes]:
        while True:
            yield from (requests[i] for i in self._generator.integers(0, len(requests), 10_000).tolist())

    def _measured(
        self, question: Question, what: str, requests: Sequence[bytes] | Iterator[bytes], seconds: float | None
    ) -> Line:
        with self._database.connect() as look:
            meter = Meter([self._api.pid], look)
            answers = asking.ask(self._api.port, requests, CONNECTIONS, seconds, keep_every=_CHECKED)
            cpu = meter.cpu_seconds()
        if set(answers.statuses) - {_OK, _NOT_MODIFIED}:
            raise PlumblineError(f"{question.name}: answered with {dict(answers.statuses)} → see the API's log above")
        for answer in answers.kept.values():
            if asking.status(answer) == _OK:
                question.check(answer)
        waits, count = sorted(answers.waits_ms), len(answers.waits_ms)
        line: Line = {
            "benchmark": "questions",
            "question": question.name,
            "asked": what,
            "requests": count,
            "connections": CONNECTIONS,
            "requests_per_second": round(count / answers.seconds),
            "p50_ms": round(percentile(waits, 50), 1),
            "p99_ms": round(percentile(waits, 99), 1),
            "max_ms": round(waits[-1], 1),
            "bytes_per_answer": answers.size // count,
            "not_modified": round(answers.statuses[_NOT_MODIFIED] / count, 3),
            "cpu_seconds_per_1000": {
                **per(1_000, cpu, count),
                "client": round(answers.client_cpu_s / count * 1_000, 2),
            },
        }
        say(f"{question.name}, {what}: {line['requests_per_second']}/s, p99 {line['p99_ms']} ms")
        return line


@contextmanager
def asked(database: Database, devices: range) -> Iterator[Asker]:
    """A new API process, whose connections to the database are open, and the aggregator at work."""
    with aggregator(database), api(database) as served:
        asking.ask(served.port, [served.get("/devices?limit=1")] * _WARM_UP, CONNECTIONS)
        yield Asker(database, served, devices)


def limited(line: Line) -> Line:
    """The line beside the limits of an answer that was asked for before."""
    p99, rate = float(str(line["p99_ms"])), float(str(line["requests_per_second"]))
    limit = {"name": "p99 at most, rate at least", "p99_ms": LIMIT_P99_MS, "requests_per_second": LIMIT_RATE}
    ratios = {"p99": round(p99 / LIMIT_P99_MS, 3), "rate": round(rate / LIMIT_RATE, 3)}
    return line | {"limit": limit, "ratios": ratios, "ok": p99 <= LIMIT_P99_MS and rate >= LIMIT_RATE}


def grown(before: Line, after: Line, events: tuple[int, int]) -> Line:
    """What a larger table did to the median wait of the same questions."""
    small, large = (float(str(line["p50_ms"])) for line in (before, after))
    ratio = round(large / small, 3)
    say(f"{events[1] / events[0]:.1f} times the events: the median wait is {ratio} of what it was")
    limit = {
        "name": f"the same of {events[0]:,} events",
        "p50_ms": small,
        "p99_ms": before["p99_ms"],
        "ratio": LIMIT_GROWN,
    }
    return after | {"events": events[1], "limit": limit, "ratio": ratio, "ok": ratio <= LIMIT_GROWN}


def measure(database: Database, days: int, step_s: int, seconds: float) -> Iterator[Line]:
    """Fills, stores and asks, before and after the table grows."""
    now = int(time.time())
    live, closed, by_day = months.questions(now, days, step_s)
    few, others = (months.recent(now, ids, step_s) for ids in (SMALL, range(SMALL.stop, fleet.DEVICES + 1)))
    older = months.older(now, days)
    with database.connect() as connection:
        fleet.register(connection)
        fleet.fill(connection, [few])
        aggregate(database)
        with asked(database, SMALL) as small:
            before = small.first_time(live), small.again(live, seconds / 2)
        began = time.monotonic()
        fleet.fill(connection, [*older, others])
        months.forget(connection)
        say(f"{others.events:,} events more in {time.monotonic() - began:.0f} s")
        say(f"stored in {aggregate(database).seconds:.0f} s")
        months.copy_older(connection, older)
    events = few.events, few.events + others.events
    with asked(database, SMALL) as large:
        after = large.first_time(live), large.again(live, seconds / 2)
    yield from (grown(*pair, events) for pair in zip(before, after, strict=True))
    with asked(database, fleet.ALL) as asker:
        for question in (live, closed, by_day):
            yield asker.first_time(question)
            yield limited(asker.again(question, seconds))
        for question in (live, closed):
            yield asker.unchanged(question, seconds / 2)
        with arrivals.coming(database, 1_000, seconds + 60, late=0.01):
            yield asker.again(
                replace(live, growing=True), seconds, "again, while 1,000 events/s are written, 1 % of them late"
            )


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.questions",
        description=__doc__,
        epilog="example: python -m tests.benchmarks questions --days 5 --step 60 --seconds 3",
    )
    parser.add_argument("--days", type=int, default=90, help="of history, at least 3 (default: 90)")
    parser.add_argument("--step", type=int, default=10, help="seconds between a device's events (default: 10)")
    parser.add_argument("--seconds", type=float, default=8, help="of a line (default: 8)")
    options = parser.parse_args()
    with servers.database(dict(os.environ)) as database:  # another process is given it
        return report(list(measure(database, options.days, options.step, options.seconds)))


if __name__ == "__main__":
    lifecycle.run(main)
