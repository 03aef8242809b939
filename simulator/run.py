"""A fleet's run: take what is due, send it, wait for more."""

import threading

from simulator.fleet import Fleet
from simulator.metrics import Metrics
from simulator.pacing import CHUNK, Clock, Run, due, wait_s
from simulator.progress import Shows
from simulator.publisher import Publisher
from simulator.stream import Stream


def send(
    fleet: Fleet,
    run: Run,
    stream: Stream,
    publisher: Publisher,
    metrics: Metrics,
    shows: Shows,
    stop: threading.Event,
    clock: Clock,
) -> int:
    """Sends the run's events as they fall due, and what was held back at the end or at a stop.

    Returns the event number that it came to.
    """
    number = run.first
    while not run.over(number) and not stop.is_set():
        now_us = clock()
        upto = due(fleet, run, number, now_us)
        if upto > number:
            publisher.publish(stream.records(number, upto))
        caught_up = upto - number < CHUNK
        number = upto
        metrics.sent(stream.sent)
        metrics.behind.set(max(0.0, (now_us - fleet.time_us(number)) / 1e6))
        shows(number - run.first)
        if caught_up and not run.over(number):
            stop.wait(wait_s(fleet.time_us(number), clock()))
    publisher.publish(stream.rest())
    metrics.sent(stream.sent)
    return number
