"""Event numbers to records: who, when, what, as JSON. No faults here."""

import numpy as np

from simulator.encode import Encoder
from simulator.fleet import Fleet
from simulator.noise import I64, keys
from simulator.record import Record


class Readings:
    """The records of a fleet's events. Same fleet, seed and numbers: the same bytes."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self._fleet = fleet
        self._keys = keys(seed, 0, fleet.devices)
        self._ids = np.array([fleet.device_id(device).encode() for device in range(fleet.devices)], object)
        self._encoders = [Encoder(waveform.metrics) for waveform in fleet.waveforms]

    def records(self, numbers: I64, *, differ: bool = False) -> list[Record]:
        """A record an event, in the order of `numbers`; with `differ`, each with another value than its own."""
        device, time_us = self._fleet.schedule(numbers)
        # A reading belongs to its timestamp, which shows milliseconds.
        time_us -= time_us % 1000
        ids = self._ids[device]
        values = np.empty(len(numbers), object)
        kind = device % len(self._encoders)
        for index, (waveform, encoder) in enumerate(zip(self._fleet.waveforms, self._encoders, strict=True)):
            mine = np.flatnonzero(kind == index)
            columns = waveform.columns(self._keys[device[mine]], time_us[mine] / 1e6)
            steps = encoder.quantise(columns)
            if differ:
                steps = encoder.differ(steps)
            values[mine] = encoder.events(ids[mine].tolist(), time_us[mine], steps)
        return [{"key": key, "value": value} for key, value in zip(ids.tolist(), values.tolist(), strict=True)]
