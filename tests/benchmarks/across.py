"""How fast `/stats` answers for all devices at once: `group=none`, the last hour, every metric.

1,000 devices with 4 metrics, an event a second: 14.4 million readings an hour. The aggregator is at work, and events go
on to happen. A first question of a new process is its own line. Then it is asked again, once a second and so that
something new is in each answer: as one row from an hour ago to now, and by minute.
Needs the Postgres of DB_* on this machine and the AUTH_* files of its stack. Prints JSON lines.
"""

import argparse
import json
import os
import time
from dataclasses import dataclass
from statistics import median

from shared import lifecycle
from shared.errors import PlumblineError
from tests import servers
from tests.benchmarks import asking, fleet
from tests.benchmarks.asking import Answers, body
from tests.benchmarks.figures import report, say
from tests.benchmarks.fleet import DEVICES, Stretch
from tests.benchmarks.load import METRICS
from tests.benchmarks.service import Api, aggregate, aggregator, api
from tests.benchmarks.usage import Meter
from tests.servers import Database

LIMIT_MS = 200.0
HOUR_S = 3_600
_AHEAD_S = 300  # events that happen while we ask are there already: ingestion that costs nothing
_TIMES = 5


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


def asked(database: Database, served: Api, question: Question, times: int) -> tuple[Answers, dict[str, float]]:
    """So many times, a second apart; and the CPU seconds of it."""
    taken = Answers()
    with database.connect() as look:
        meter = Meter([served.pid], look)
        for number in range(times):
            time.sleep(1 if number else 0)
            one = asking.ask(served.port, [served.get(question.target)], connections=1, keep_every=1)
            question.check(one.kept[0])
            taken.waits_ms += one.waits_ms
            taken.size += one.size
        return taken, meter.cpu_seconds()


def line(question: Question, what: str, answers: Answers, cpu: dict[str, float]) -> dict[str, object]:
    """The figures; the limit is on the median."""
    middle = median(answers.waits_ms)
    say(f"{question.name}, {what}: {middle:.0f} ms")
    return {
        "benchmark": "across",
        "question": question.name,
        "asked": what,
        "devices": DEVICES,
        "metrics": len(METRICS),
        "readings": DEVICES * HOUR_S * len(METRICS),
        "median_ms": round(middle, 1),
        "max_ms": round(max(answers.waits_ms), 1),
        "bytes_per_answer": answers.size // len(answers.waits_ms),
        "cpu_seconds": cpu,
        "limit": {"name": "median of one request", "ms": LIMIT_MS},
        "ratio": round(middle / LIMIT_MS, 3),
        "ok": middle <= LIMIT_MS,
    }


def main() -> int:
    """Fills an hour, stores it, asks and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.across",
        description=__doc__,
        epilog="example: python -m tests.benchmarks across",
    )
    parser.parse_args()
    lines = []
    start = int(time.time()) - HOUR_S - 60
    hour = Stretch(start, HOUR_S + 60 + _AHEAD_S)
    with servers.database(os.environ) as database, database.connect() as connection:
        fleet.register(connection)
        fleet.fill(connection, [hour])
        say(f"stored in {aggregate(database).seconds:.0f} s")
        with aggregator(database):
            for question in QUESTIONS:
                with api(database) as served:
                    lines.append(line(question, "first time", *asked(database, served, question, 1)))
                    lines.append(line(question, "again", *asked(database, served, question, _TIMES)))
    return report(lines)


if __name__ == "__main__":
    lifecycle.run(main)
