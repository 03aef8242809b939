"""`python -m simulator`: options and settings → wiring → run."""

import argparse
import json
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

import numpy as np
from prometheus_client import CollectorRegistry

from shared import lifecycle, log, metrics_server, tracing
from shared.events import Limits
from shared.settings import load
from simulator import replay
from simulator.encode import rfc3339
from simulator.faults import FAULTS, FaultPlanner
from simulator.fleet import Fleet
from simulator.http import options as over_http
from simulator.http.publisher import HttpPublisher
from simulator.malformed import MALFORMED, MALFORMED_OVER_HTTP
from simulator.metrics import Metrics
from simulator.noise import keys
from simulator.options import parse
from simulator.pacing import Run
from simulator.progress import progress
from simulator.publisher import KafkaPublisher, Publisher
from simulator.recording import Mapped, Recording, read
from simulator.run import Surroundings, send
from simulator.settings import SimulatorSettings
from simulator.stream import Stream
from simulator.summary import ReplaySummary, Summary


def now_us() -> int:
    """The wall clock in microseconds since 1970."""
    return time.time_ns() // 1000


def window(options: argparse.Namespace, now_us: int) -> tuple[int, int | None]:
    """Begin and end of a run in microseconds since 1970; no end: None."""
    begin = now_us if options.begin is None else options.begin.at(now_us)
    if options.to is not None:
        return begin, max(begin, options.to.at(now_us))
    if options.duration is not None:
        return begin, now_us + options.duration
    return begin, None if options.begin is None or options.follow else max(begin, now_us)


def mapped(options: argparse.Namespace) -> Mapped:
    """The columns that the options name."""
    metrics = dict(options.metric) if options.metric else None
    return Mapped(options.time_column, options.device_column, options.device, metrics, options.time_zone)


def planner(options: argparse.Namespace, fleet: Fleet) -> FaultPlanner:
    """The plan of faults that the options ask for."""
    shares = {fault: getattr(options, fault.name.lower()) for fault in FAULTS}
    late_events = round(options.late_by / 1e6 * fleet.rate)
    return FaultPlanner(keys(options.seed, 1), fleet.devices, late_events, shares)


def simulate(options: argparse.Namespace, publisher: Publisher, metrics: Metrics, stop: threading.Event) -> Summary:
    """Runs a fleet from its begin to its end or to a stop."""
    fleet = Fleet(options.devices, options.interval, options.profile, options.prefix)
    run = Run.between(fleet, *window(options, now_us()))
    malformed = MALFORMED_OVER_HTTP if options.http else MALFORMED
    stream = Stream(fleet, planner(options, fleet), options.seed, malformed)
    began = time.monotonic()
    total = None if run.stop is None else run.stop - run.first
    with progress(total, quiet=options.quiet, status=publisher.status) as shows:
        reached = send(fleet, run, stream, Surroundings(publisher, metrics, shows, stop, now_us))
        publisher.close()
    first, last = rfc3339(np.array([fleet.time_us(run.first), fleet.time_us(max(run.first, reached - 1))]))
    seconds = time.monotonic() - began
    return Summary(stream.sent, fleet.devices, options.seed, first, last, seconds, publisher.delivery)


def replay_file(
    options: argparse.Namespace, recording: Recording, publisher: Publisher, metrics: Metrics, stop: threading.Event
) -> ReplaySummary:
    """Sends a recording to its end or to a stop."""
    plan = replay.schedule(recording.time_us, options.speed, now_us(), options.start, shift_to_now=options.shift_to_now)
    _warn_if_old(int(plan.time_us.min()))
    began = time.monotonic()
    with progress(len(plan.due_us), quiet=options.quiet, status=publisher.status) as shows:
        done = replay.send(recording, plan, Surroundings(publisher, metrics, shows, stop, now_us))
        publisher.close()
    times = plan.time_us[: max(done, 1)]
    first, last = rfc3339(np.array([times.min(), times.max()]))
    devices = len(set(recording.devices[:done]))
    seconds = time.monotonic() - began
    return ReplaySummary(
        done, recording.skipped, devices, list(recording.metrics), first, last, seconds, publisher.delivery
    )


def _warn_if_old(oldest_us: int) -> None:
    age_us = Limits().max_age_us
    if oldest_us < now_us() - age_us:
        (oldest,) = rfc3339(np.array([oldest_us]))
        days = age_us // 86_400_000_000
        sys.stderr.write(
            f"{oldest} is older than MAX_AGE_DAYS ({days}) allows by default → --shift-to-now or --start\n"
        )


def main() -> int:
    """Runs what the command line asks for; the summary goes to stdout."""
    options = parse(sys.argv[1:])
    settings = load(SimulatorSettings)
    log.configure("simulator", settings)
    recording = None if options.command == "run" else read(Path(options.file), mapped(options))
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    with (
        lifecycle.stop_event() as stop,
        metrics_server.serve(settings, registry),
        tracing.configured("simulator", settings),
    ):
        publisher: HttpPublisher | KafkaPublisher
        if options.http:
            publisher = HttpPublisher(over_http.of(options), settings, metrics, stop)
        else:
            publisher = KafkaPublisher(settings, stop, metrics)
        summary: Summary | ReplaySummary
        if recording is None:
            summary = simulate(options, publisher, metrics, stop)
        else:
            summary = replay_file(options, recording, publisher, metrics, stop)
    print(json.dumps(summary.document()) if options.json else summary.text())
    if isinstance(publisher, HttpPublisher):
        publisher.check()
    return 0


def entry() -> NoReturn:
    """The process."""
    lifecycle.run(main)


if __name__ == "__main__":
    entry()
