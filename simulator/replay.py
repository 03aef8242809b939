"""A recording's way to the publisher, at the pace at which it was recorded or another."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from simulator.noise import I64
from simulator.pacing import CHUNK, Clock, wait_s
from simulator.record import Record
from simulator.recording import Recording
from simulator.run import Surroundings
from simulator.times import Moment


@dataclass(frozen=True)
class Schedule:
    """What each event is stamped with and when it is sent, both in microseconds since 1970, by event."""

    time_us: I64
    due_us: I64


def schedule(recorded_us: I64, speed: float, now_us: int, start: Moment | None, *, shift_to_now: bool) -> Schedule:
    """Times of a recording that is sent from now on, `speed` times as fast as it was recorded.

    `start` moves all times alike so that the earliest is there; `shift_to_now` so that the latest is the moment when
    it is sent, or, if it is played slower than recorded, the earliest.
    """
    # A row that is older than one before it is sent with that one: the file's order is kept.
    elapsed = np.maximum.accumulate(recorded_us) - recorded_us[0]
    due = now_us + np.rint(elapsed / speed).astype(np.int64)
    shift = 0
    if start is not None:
        shift = start.at(now_us) - int(recorded_us.min())
    elif shift_to_now:
        shift = min(int(due[-1]) - int(recorded_us.max()), now_us - int(recorded_us.min()))
    return Schedule(recorded_us + shift, due)


def records(recording: Recording, time_us: I64, first: int, stop: int) -> list[Record]:
    """Events `first` to `stop` (exclusive) as records of the wire contract."""
    times = np.datetime_as_string(time_us[first:stop].astype("datetime64[us]")).tolist()
    rows = zip(*(values[first:stop] for values in recording.metrics.values()), strict=True)
    names = list(recording.metrics)
    encode = msgspec.json.Encoder().encode
    return [
        {
            "key": device.encode(),
            "value": encode({
                "device_id": device,
                "timestamp": time + "Z",
                "data_payload": {name: value for name, value in zip(names, row, strict=True) if value is not None},
            }),
        }
        for device, time, row in zip(recording.devices[first:stop], times, rows, strict=True)
    ]  # fmt: skip


def send(recording: Recording, plan: Schedule, to: Surroundings) -> int:
    """Sends the recording's events as they fall due, until the end or a stop; returns how many."""
    done = 0
    for upto in _due(plan.due_us, to.stop, to.clock):
        to.publisher.publish(records(recording, plan.time_us, done, upto))
        to.metrics.records.inc(upto - done)
        done = upto
        to.shows(done)
    return done


def _due(due_us: I64, stop: threading.Event, clock: Clock) -> Iterator[int]:
    """The ends of the chunks to send, each when it is due."""
    done = 0
    while done < len(due_us) and not stop.is_set():
        upto = min(int(np.searchsorted(due_us, clock(), side="right")), done + CHUNK)
        caught_up = upto - done < CHUNK
        done = upto
        yield done
        if caught_up and done < len(due_us):
            stop.wait(wait_s(int(due_us[done]), clock()))
