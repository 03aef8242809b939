"""A fleet's run: take what is due, send it, wait for more."""

import threading
from dataclasses import dataclass

from simulator.fleet import Fleet
from simulator.metrics import Metrics
from simulator.pacing import CHUNK, Clock, Run, due, wait_s
from simulator.progress import Shows
from simulator.publisher import Publisher
from simulator.stream import Stream


@dataclass(frozen=True)
class Surroundings:
    """What a run of any kind needs: where records go, who is told, when to stop and what time it is."""

    publisher: Publisher
    metrics: Metrics
    shows: Shows
    stop: threading.Event
    clock: Clock


def send(fleet: Fleet, run: Run, stream: Stream, to: Surroundings) -> int:
    """Sends the run's events as they fall due, and what was held back at the end or at a stop.

    Returns the event number that it came to.
    """
    number = run.first
    while not run.over(number) and not to.stop.is_set():
        now_us = to.clock()
        upto = due(fleet, run, number, now_us)
        if upto > number:
            to.publisher.publish(stream.records(number, upto))
        caught_up = upto - number < CHUNK
        number = upto
        to.metrics.sent(stream.sent)
        to.metrics.behind.set(max(0.0, (now_us - fleet.time_us(number)) / 1e6))
        to.shows(number - run.first)
        if caught_up and not run.over(number):
            to.stop.wait(wait_s(fleet.time_us(number), to.clock()))
    to.publisher.publish(stream.rest())
    to.metrics.sent(stream.sent)
    return number
