"""What traces cost ingestion: CPU seconds a million events with OpenTelemetry off, and on, beside off in the same run.

Records carry no context, one for each hundred of them (as of batches over HTTP), or one each. Needs the Kafka and the
Postgres of KAFKA_BOOTSTRAP_SERVERS and DB_* (their owner) on this machine. Prints JSON lines.
"""

import argparse
import os
from collections.abc import Iterator, Mapping
from statistics import median

from confluent_kafka import Producer

from shared import kafka, lifecycle
from shared.tracing import Context
from tests import servers
from tests.benchmarks.consuming import Outcome, Run, consume
from tests.benchmarks.figures import beside, report, say
from tests.benchmarks.load import Load
from tests.benchmarks.usage import per_million
from tests.otlp import receiving
from tests.servers import Topics

_AT_ONCE = 10_000
# Records a context; 0: they carry none.
CASES = {"none": 0, "a hundred records": 100, "a record": 1}


def carrying(load: Load, each: int) -> Iterator[list[dict[str, object]]]:
    """The load's records with a `traceparent`, another one for `each` so many of them."""
    number = 0
    for chunk in load.chunks():
        for record in chunk:
            if each:
                context = Context(f"{number // each + 1:032x}", f"{number // each + 1:016x}", sampled=True)
                record["headers"] = [("traceparent", context.header())]
            number += 1
        yield chunk


def produce(topics: Topics, load: Load, each: int) -> None:
    """Publishes them."""
    producer: Producer = kafka.producer(topics.settings)
    for chunk in carrying(load, each):
        kafka.produce_each(producer, topics.settings.topic_readings, chunk)
        while len(producer) > _AT_ONCE:
            producer.poll(0.1)
    producer.flush()


def measured(load: Load, each: int, rounds: int) -> tuple[list[Run], list[Run], int]:
    """Runs without traces (one more than rounds), with them, and how many spans came."""
    with servers.fresh_topics(os.environ, 6) as topics, receiving() as receiver:
        produce(topics, load, each)
        off, on = [_run(topics, load, {})], []
        for _ in range(rounds):
            on.append(_run(topics, load, {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}))
            off.append(_run(topics, load, {}))
            say(f"off {off[-1].cpu_seconds['service']} s, on {on[-1].cpu_seconds['service']} s")
        return off, on, len(receiver.spans) // rounds


def _run(topics: Topics, load: Load, settings: Mapping[str, str]) -> Run:
    with servers.database(os.environ) as database:
        return consume(topics, database, Outcome(load.events), **settings)


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.traces",
        description=__doc__,
        epilog="example: source .local/stack.env && python -m tests.benchmarks.traces --events 500000 --rounds 1",
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3, help="each in a new database and a new consumer group")
    options = parser.parse_args()
    load, lines = Load(options.events), list[dict[str, object]]()
    for case, each in CASES.items():
        off, on, spans = measured(load, each, options.rounds)
        ratios = beside([run.cpu_seconds["service"] for run in off], [run.cpu_seconds["service"] for run in on])
        lines.append(
            {
                "benchmark": "traces",
                "a_context_for": case,
                "events": load.events,
                "spans": spans,
                "cpu_seconds_per_million": _middle(on, load),
                "events_per_second": round(median(run.rate for run in on)),
                "limit": {
                    "name": "the same without traces",
                    "cpu_seconds_per_million": _middle(off, load),
                    "events_per_second": round(median(run.rate for run in off)),
                },
                "ratio": round(median(ratios), 3),
                "ratios": [round(ratio, 3) for ratio in ratios],
            }
        )
    return report(lines)


def _middle(runs: list[Run], load: Load) -> dict[str, float]:
    ordered = sorted(runs, key=lambda run: run.cpu_seconds["service"])
    return per_million(ordered[len(ordered) // 2].cpu_seconds, load.events)


if __name__ == "__main__":
    lifecycle.run(main)
