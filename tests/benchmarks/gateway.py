"""How fast one worker (API_MODULES=gateway) takes events: 202 once Kafka has all of a request (acks=all).

Single events over 64 connections, batches of 100 as NDJSON, as an array and with gzip, and single events at a fixed
rate; beside them a plain FastAPI prototype with one delivery a request, and its route without Kafka. What Kafka holds
afterwards is compared with what was acknowledged, event by event.
Needs the Kafka of KAFKA_BOOTSTRAP_SERVERS on this machine and the AUTH_* files of its stack. Prints JSON lines.
"""

import argparse
import gzip
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any

import msgspec
from confluent_kafka import TopicPartition

from shared import kafka, lifecycle
from shared.errors import PlumblineError
from tests import servers
from tests.benchmarks import asking
from tests.benchmarks.asking import Answers
from tests.benchmarks.figures import MIB, percentile, report, say
from tests.benchmarks.load import METRICS, device_names
from tests.benchmarks.service import Api, web
from tests.benchmarks.usage import Meter, peak_resident, per
from tests.pipeline import high_watermarks
from tests.servers import Topics

PARTITIONS = 6
DEVICES = 1_000
BATCH = 100
LIMIT_REQUESTS, LIMIT_P99_MS, LIMIT_EVENTS, LIMIT_MIB = 6_000, 60.0, 120_000, 200
_WARM_UP = 2_000
_CHECKED = 50  # each so-manyth answer is read
_ACCEPTED = 202
_MARK = b"@@@@@@"  # stands for the microsecond

Line = dict[str, object]


@dataclass
class Load:
    """Requests none of whose events was sent before: a device's timestamps are microseconds, taken one by one."""

    second: int = field(default_factory=lambda: int(time.time()) - 3_600)
    _taken: Iterator[int] = field(default_factory=count)

    def events(self, names: Iterable[str]) -> list[bytes]:
        """One event of each of these devices, with the mark in its timestamp."""
        readings = ",".join(f'"{metric}":{20 + 7.125 * i}' for i, metric in enumerate(METRICS))
        form = '{{"device_id":"{}","timestamp":"@","data_payload":{{{}}}}}'
        return [
            form.format(name, readings).encode().replace(b'"@"', b'"' + b"S" * 19 + b"." + _MARK + b'Z"')
            for name in names
        ]

    def singles(self, head: Callable[[int], bytes]) -> Iterator[bytes]:
        """A request an event, a device after the other; `head` is told the body's length."""
        texts = self.events(device_names(DEVICES))
        yield from self._requests([head(len(text)) + text for text in texts])

    def batches(self, head: Callable[[int], bytes], form: Callable[[list[bytes]], bytes]) -> Iterator[bytes]:
        """A request a hundred events, of as many devices."""
        yield from self._requests([head(len(body)) + body for body in self.bodies(form)])

    def bodies(self, form: Callable[[list[bytes]], bytes]) -> list[bytes]:
        """Bodies of all devices, a hundred in each."""
        texts = self.events(device_names(DEVICES))
        return [form(texts[first : first + BATCH]) for first in range(0, DEVICES, BATCH)]

    def stamped(self, body: bytes) -> bytes:
        """With the next moment in it."""
        seconds, micros = divmod(next(self._taken), 1_000_000)
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self.second + seconds)).encode()
        return body.replace(b"S" * 19 + b"." + _MARK, b"%b.%06d" % (moment, micros))

    def _requests(self, templates: list[bytes]) -> Iterator[bytes]:
        while True:
            yield from map(self.stamped, templates)


def lines(events: list[bytes]) -> bytes:
    """NDJSON."""
    return b"\n".join(events)


def array(events: list[bytes]) -> bytes:
    """A JSON array."""
    return b"[" + b",".join(events) + b"]"


class Gateway:
    """One process and the topic that it writes to."""

    def __init__(self, api: Api, topics: Topics, seconds: float) -> None:
        self.api, self._topics, self._seconds = api, topics, seconds
        self.load, self.acknowledged = Load(), 0

    def head(self, kind: str, path: str = "/ingest", **headers: str) -> Callable[[int], bytes]:
        """Makes heads of requests."""
        return lambda length: self.api.head(f"POST {path}", Content_Type=kind, Content_Length=str(length), **headers)

    def asked(self, what: str, requests: Iterable[bytes], events: int, connections: int, rate: float = 0) -> Line:
        """Each connection sends again once it was answered; with a rate, so many are sent a second whatever comes."""
        meter = Meter([self.api.pid], None, self._topics.settings.kafka_bootstrap_servers)
        source = iter(requests)
        if rate:
            answers = asking.offer(self.api.port, source, rate, self._seconds, connections)
        else:
            answers = asking.ask(self.api.port, source, connections, self._seconds, keep_every=_CHECKED)
        cpu = meter.cpu_seconds()
        self.check(answers, events)
        waits, sent = sorted(answers.waits_ms), len(answers.waits_ms)
        line: Line = {
            "benchmark": "gateway",
            "requests": what,
            "events_per_request": events,
            "connections": connections,
            **({"offered_per_second": round(rate)} if rate else {}),
            "requests_per_second": round(sent / answers.seconds),
            "events_per_second": round(sent * events / answers.seconds),
            "p50_ms": round(percentile(waits, 50), 1),
            "p99_ms": round(percentile(waits, 99), 1),
            "max_ms": round(waits[-1], 1),
            "cores": per(1, {**cpu, "client": answers.client_cpu_s}, max(1, round(answers.seconds))),
        }
        say(f"{what}: {line['requests_per_second']}/s, {line['events_per_second']} events/s, p99 {line['p99_ms']} ms")
        return line

    def check(self, answers: Answers, events: int) -> None:
        """Counts what was acknowledged.

        Raises:
            PlumblineError: not all of it was accepted.
        """
        if set(answers.statuses) != {_ACCEPTED}:
            raise PlumblineError(f"answered with {dict(answers.statuses)} → see the API's log above")
        for answer in answers.kept.values():
            told = msgspec.json.decode(asking.body(answer))
            if told["accepted"] != events or told["rejected"]:
                raise PlumblineError(f"of {events} events {told['accepted']} were accepted")
        self.acknowledged += events * answers.statuses[_ACCEPTED]


def held(topics: Topics) -> tuple[int, int]:
    """Events in the topic, and different ones among them."""
    ends = high_watermarks(topics)
    consumer = kafka.consumer(topics.settings, group_id="benchmark", auto_offset_reset="earliest")
    consumer.assign([TopicPartition(topics.settings.topic_readings, number, 0) for number in ends])
    seen, total, read = set[int](), sum(ends.values()), 0
    while read < total:
        messages = consumer.consume(10_000, 10.0)
        if not messages:
            raise PlumblineError(f"only {read} of {total} records could be read back")
        read += len(messages)
        seen.update(hash(message.value()) for message in messages)
    consumer.close()
    return read, len(seen)


def _limited(line: Line, **limits: float) -> Line:
    """The line beside its limits: of `p99_ms` at most, of the others at least."""
    ratios = {name: round(float(str(line[name])) / limit, 3) for name, limit in limits.items()}
    ok = all(ratio <= 1 if name == "p99_ms" else ratio >= 1 for name, ratio in ratios.items())
    return line | {"limit": {"name": "rate at least, p99 at most", **limits}, "ratios": ratios, "ok": ok}


def measured(topics: Topics, seconds: float, rate: float) -> Iterator[Line]:
    """The gateway's lines; its memory and what Kafka holds come last."""
    with web("api_service", ["write:readings"], **topics.environment(), API_MODULES="gateway") as api:
        gateway = Gateway(api, topics, seconds)
        load, single = gateway.load, gateway.load.singles(gateway.head("application/json"))
        gateway.check(asking.ask(api.port, islice(single, _WARM_UP), 64), 1)
        yield _limited(
            gateway.asked("single events", single, 1, 64), requests_per_second=LIMIT_REQUESTS, p99_ms=LIMIT_P99_MS
        )
        for what, kind, form in (
            ("batches, NDJSON", "application/x-ndjson", lines),
            ("batches, an array", "application/json", array),
        ):
            requests = load.batches(gateway.head(kind), form)
            yield _limited(gateway.asked(what, requests, BATCH, 16), events_per_second=LIMIT_EVENTS)
        packed = _packed(load, gateway.head("application/x-ndjson", Content_Encoding="gzip"), round(2_000 * seconds))
        yield gateway.asked("batches, NDJSON with gzip", packed, BATCH, 16)
        yield gateway.asked("single events at a fixed rate", single, 1, 64, rate)
        peak = peak_resident(api.pid)
    records, different = held(topics)
    if (records, different) != (gateway.acknowledged, gateway.acknowledged):
        raise PlumblineError(
            f"{gateway.acknowledged} events were acknowledged; Kafka has {records}, {different} of them different"
        )
    yield {
        "benchmark": "gateway",
        "requests": "all of the above",
        "events_acknowledged": gateway.acknowledged,
        "events_in_kafka": records,
        "mib_peak": round(peak / MIB, 1),
        "limit": {"name": "peak of resident memory", "mib": LIMIT_MIB},
        "ratio": round(peak / MIB / LIMIT_MIB, 3),
        "ok": peak <= LIMIT_MIB * MIB,
    }


def _packed(load: Load, head: Callable[[int], bytes], many: int) -> list[bytes]:
    """Ready requests: compressing is the devices' work, and would be done on these cores."""
    bodies = load.bodies(lines)
    made = (gzip.compress(load.stamped(bodies[number % len(bodies)]), 1) for number in range(many))
    return [head(len(body)) + body for body in made]


def peer(topics: Topics, seconds: float) -> Iterator[Line]:
    """The prototype's lines."""
    with web("tests.benchmarks.prototype", [], **topics.environment()) as api:
        prototype = Gateway(api, topics, seconds)
        single = prototype.load.singles(prototype.head("application/json"))
        prototype.check(asking.ask(api.port, islice(single, _WARM_UP), 64), 1)
        yield prototype.asked("single events, a FastAPI prototype", single, 1, 64)
        bare = prototype.load.singles(prototype.head("application/json", "/bare"))
        yield prototype.asked("single events, the prototype without Kafka", bare, 1, 64)


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.gateway",
        description=__doc__,
        epilog="example: python -m tests.benchmarks gateway --seconds 4",
    )
    parser.add_argument("--seconds", type=float, default=8, help="of a line (default: 8)")
    parser.add_argument("--rate", type=float, default=3_000, help="requests a second of the line with a fixed rate")
    options = parser.parse_args()
    found: list[Line] = []
    with servers.fresh_topics(os.environ, PARTITIONS) as topics:
        found += peer(topics, options.seconds)
    with servers.fresh_topics(os.environ, PARTITIONS) as topics:
        found += measured(topics, options.seconds, options.rate)
    plain: Any = found[0]["requests_per_second"]
    found[2] |= {"peer": {"name": found[0]["requests"], "requests_per_second": plain}}
    return report(found)


if __name__ == "__main__":
    lifecycle.run(main)
