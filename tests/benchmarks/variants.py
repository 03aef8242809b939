"""The rate of ingestion on other loads than the plain one, in parts of the plain one's rate of the same run.

What became of each load (persisted, duplicates, dead letters, late) is checked exactly. Needs the Kafka and the
Postgres of KAFKA_BOOTSTRAP_SERVERS and DB_* on this machine. Prints one JSON line a case.
"""

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import median

import numpy as np

from shared import lifecycle
from shared.errors import PlumblineError
from simulator.record import Record
from tests import servers
from tests.benchmarks.consuming import Outcome, Run, consume, stored
from tests.benchmarks.figures import report, say, spread
from tests.benchmarks.load import Load, metric_names, produce
from tests.benchmarks.usage import per_million
from tests.servers import Database

LIMIT = 0.5
_EVERY = 100  # 1 %
_WARM_UP = 100_000
_FAR = 50_000  # a duplicate comes this much later: in another batch

Change = Callable[[list[Record]], list[Record]]


@dataclass(frozen=True)
class Case:
    """A load and what it must come to. `limited`: the case has a limit."""

    name: str
    load: Load
    expected: Outcome
    change: Change = list
    late: bool = False
    limited: bool = True


def cases(events: int) -> list[Case]:
    """All of them, the plain one first."""
    all_new, some = Outcome(events), events // _EVERY
    shuffled = Load(events, shuffled=True)
    many = Load(events * 5 // 2, devices=100_000)  # ten events of each by default: a device is new only once
    return [
        Case("plain", Load(events), all_new, limited=False),
        Case("100,000 devices", many, Outcome(many.events)),
        Case("1 metric", Load(events, layouts=(metric_names(1),)), all_new),
        Case("20 metrics", Load(events, layouts=(metric_names(20),)), all_new),
        Case("1 % duplicates", Load(events), Outcome(events - some, duplicates=some), repeat),
        Case("1 % poison", Load(events), Outcome(events - some, dead_letters=some), poison),
        Case("50 layouts", Load(events, layouts=mixed_layouts(50)), all_new),
        Case("out of order by a day", shuffled, all_new, limited=False),
        Case("late by a day", shuffled, all_new, late=True, limited=False),
        Case("flat form, epoch time", Load(events, flat=True), all_new, limited=False),
    ]


def mixed_layouts(count: int) -> tuple[tuple[str, ...], ...]:
    """So many different sets of 2 to 8 names."""
    generator = np.random.default_rng(13)
    names = np.array(metric_names(40))
    found: dict[tuple[str, ...], None] = {}
    while len(found) < count:
        found[tuple(sorted(generator.choice(names, generator.integers(2, 9), replace=False).tolist()))] = None
    return tuple(found)


def repeat(records: list[Record]) -> list[Record]:
    """Every 100th record is a copy: in turn of the one just before it, and of one that came long before it."""
    changed = list(records)
    for count, i in enumerate(range(_EVERY - 1, len(records), _EVERY)):
        changed[i] = records[i - 1 - _FAR if count % 2 and i > _FAR else i - 1]
    return changed


def poison(records: list[Record]) -> list[Record]:
    """Every 100th record is one that can't be taken, of four kinds in turn."""
    changed = list(records)
    for count, i in enumerate(range(_EVERY - 1, len(records), _EVERY)):
        value = records[i]["value"]
        kinds = (b"\xff" + value, value[:-1], value.replace(b"timestamp", b"when"), value.replace(b"00Z", b"00"))
        changed[i] = {**records[i], "value": kinds[count % len(kinds)]}
    return changed


def measured(case: Case) -> Run:
    """The run of one case, on topics and a database of its own."""
    with servers.fresh_topics(os.environ, 6) as topics, servers.database(os.environ) as database:
        produce(topics, _chunks(case))
        if case.late:
            _close_all(database)
        run = consume(topics, database, case.expected)
        _check(case, database)
    say(f"{case.name}: {run.rate:,.0f} events/s")
    return run


def _chunks(case: Case) -> Iterator[list[Record]]:
    if case.change is list:
        return case.load.chunks()
    return iter([case.change(list(chain.from_iterable(case.load.chunks())))])


def _close_all(database: Database) -> None:
    """As if the aggregator had closed every bucket there is: each event is late."""
    with database.connect() as connection:
        connection.execute("UPDATE watermarks SET watermark = now()")


def _check(case: Case, database: Database) -> None:
    with database.connect() as connection:
        row = connection.execute("SELECT coalesce(sum(events), 0)::int8 FROM dirty").fetchone()
    late, rows = int(row[0]) if row else 0, stored(database)
    if rows != case.expected.persisted or late != (case.load.events if case.late else 0):
        raise PlumblineError(f"{case.name}: the benchmark's outcome is wrong: {rows} rows, {late} late")


def line(case: Case, run: Run, plain: Sequence[Run]) -> dict[str, object]:
    """A case's figures beside those of the plain one."""
    usual = median(run.rate for run in plain)
    ratio = run.rate / usual
    limit = {"name": "the plain case of the same run", "events_per_second": round(usual)}
    judged = {"ok": ratio >= LIMIT} if case.limited else {}
    return {
        "benchmark": "variants",
        "case": case.name,
        "events": case.load.events,
        "events_per_second": round(run.rate),
        "cpu_seconds_per_million": per_million(run.cpu_seconds, case.load.events),
        "limit": limit | ({"ratio": LIMIT} if case.limited else {}),
        "ratio": round(ratio, 3),
        **judged,
    }


def main() -> int:
    """Measures the plain case before, amid and after the others, and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.variants",
        description=__doc__,
        epilog="example: source .local/stack.env && python -m tests.benchmarks.variants --events 300000 --only poison",
    )
    parser.add_argument("--events", type=int, default=400_000, help="of each case (default: 400000)")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name has this, and the plain one")
    options = parser.parse_args()
    first, *others = cases(options.events)
    say("warming up")
    measured(cases(min(options.events, _WARM_UP))[0])
    others = [case for case in others if options.only in case.name]
    runs: list[Run] = []
    plain = [measured(first)]
    for number, case in enumerate(others, 1):
        runs.append(measured(case))
        if number in (len(others) // 2, len(others)):
            plain.append(measured(first))
    rates = [run.rate for run in plain]
    lines = [line(first, run, plain) for run in plain] + [line(*pair, plain) for pair in zip(others, runs, strict=True)]
    say(f"noise: the plain case's rates are {100 * spread(rates):.0f} % apart")
    return report(lines)


if __name__ == "__main__":
    lifecycle.run(main)
