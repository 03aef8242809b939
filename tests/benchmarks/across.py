"""How fast `/stats` answers for all devices at once: `group=none`, the last hour, every metric.

1,000 devices with 4 metrics, an event a second: 14.4 million readings an hour. The aggregator is at work, and events go
on to happen: something new is in each answer. It is asked as one row from an hour ago to now, and by minute.
Needs the Postgres of DB_* on this machine and the AUTH_* files of its stack. Prints JSON lines.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from shared import lifecycle
from shared.errors import PlumblineError
from tests import servers
from tests.benchmarks import asking, fleet
from tests.benchmarks.asking import body
from tests.benchmarks.figures import report, say
from tests.benchmarks.fleet import DEVICES, Stretch
from tests.benchmarks.load import METRICS
from tests.benchmarks.service import Api, aggregate, aggregator, api
from tests.benchmarks.usage import Meter
from tests.servers import Database

LIMIT_MS = 200.0
HOUR_S = 3_600
_AHEAD_S = 300  # events that happen while we ask are there already: ingestion that costs nothing
_TIMES, _APART_S = 6, 10.0


@dataclass(frozen=True)
class Question:
    """The last hour in buckets."""

    name: str
    bucket: str

    @property
    def target(self) -> str:
        """The request's."""
        return f"/stats?group=none&from=-1h&bucket={self.bucket}"

    def check(self, answer: bytes) -> None:
        """Raises PlumblineError if it isn't an hour's readings, by metric."""
        counts = dict.fromkeys(METRICS, 0)
        if asking.status(answer) == 200:
            for row in json.loads(body(answer))["rows"]:
                counts[row["metric"]] += row["count"]
        if set(counts.values()) != {DEVICES * HOUR_S}:
            raise PlumblineError(f"the benchmark's answer is wrong: {self.name}: {answer[:200]!r} {counts}")


QUESTIONS = (Question("the last hour", "none"), Question("the last hour by minute", "1m"))


class Asker:
    """Asks one API, one request at a time."""

    def __init__(self, database: Database, served: Api) -> None:
        self._database = database
        self._api = served
        self.waits_ms: dict[Question, list[float]] = {question: [] for question in QUESTIONS}
        self.cpu: dict[Question, list[dict[str, float]]] = {question: [] for question in QUESTIONS}
        self.size = dict.fromkeys(QUESTIONS, 0)

    def ask(self, question: Question) -> None:
        """Once."""
        with self._database.connect() as look:
            meter = Meter([self._api.pid], look)
            answers = asking.ask(self._api.port, [self._api.get(question.target)], connections=1, keep_every=1)
            self.cpu[question].append(meter.cpu_seconds())
        question.check(answers.kept[0])
        self.waits_ms[question] += answers.waits_ms
        self.size[question] = answers.size

    def line(self, question: Question, what: str) -> dict[str, object]:
        """The figures; the limit is on the median."""
        waits, middle = self.waits_ms[question], median(self.waits_ms[question])
        say(f"{question.name}, {what}: {middle:.0f} ms, at most {max(waits):.0f}")
        return {
            "benchmark": "across",
            "question": question.name,
            "asked": what,
            "devices": DEVICES,
            "metrics": len(METRICS),
            "readings": DEVICES * HOUR_S * len(METRICS),
            "requests": len(waits),
            "median_ms": round(middle, 1),
            "max_ms": round(max(waits), 1),
            "bytes_per_answer": self.size[question],
            "cpu_seconds": {
                name: round(median(cpu[name] for cpu in self.cpu[question]), 3) for name in ("service", "postgres")
            },
            "limit": {"name": "median of one request", "ms": LIMIT_MS},
            "ratio": round(middle / LIMIT_MS, 3),
            "ok": middle <= LIMIT_MS,
        }


def measure(database: Database) -> Iterator[dict[str, object]]:
    """A first time, of new processes; then again over a minute, in which what isn't stored yet grows and is stored."""
    for question in QUESTIONS:
        with api(database) as served:
            asker = Asker(database, served)
            asker.ask(question)
            yield asker.line(question, "first time")
    with api(database) as served:
        asker = Asker(database, served)
        for _ in range(_TIMES):
            began = time.monotonic()
            for question in QUESTIONS:
                asker.ask(question)
            time.sleep(max(0.0, _APART_S - (time.monotonic() - began)))
        yield from (asker.line(question, "again, over a minute") for question in QUESTIONS)


def main() -> int:
    """Fills an hour, stores it, asks and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.across",
        description=__doc__,
        epilog="example: python -m tests.benchmarks across",
    )
    parser.parse_args()
    start = int(time.time()) - HOUR_S - 60
    hour = Stretch(start, HOUR_S + 60 + _AHEAD_S)
    with servers.database(os.environ) as database, database.connect() as connection:
        fleet.register(connection)
        fleet.fill(connection, [hour])
        say(f"stored in {aggregate(database).seconds:.0f} s")
        with aggregator(database):
            return report(list(measure(database)))


if __name__ == "__main__":
    lifecycle.run(main)
