"""Who sends when: a fleet's events in order of time, numbered, so that a run is a range of numbers.

Each device sends every `interval_us`; their turns are spread evenly over it. Event `n` belongs to device
`n % devices`. The numbering is anchored at 1970, so two runs over the same time send the same events.
"""

from dataclasses import dataclass

import numpy as np

from simulator.noise import I64
from simulator.waveforms import ENVIRONMENT, VITAL_SIGNS, Waveform

PROFILES: dict[str, tuple[Waveform, ...]] = {
    "mixed": (VITAL_SIGNS, ENVIRONMENT),
    "vital-signs": (VITAL_SIGNS,),
    "environment": (ENVIRONMENT,),
}


@dataclass(frozen=True)
class Fleet:
    """`devices` devices named `prefix` and a number; they take turns at the profile's waveforms."""

    devices: int
    interval_us: int
    profile: str = "mixed"
    prefix: str = "dev-"

    @property
    def waveforms(self) -> tuple[Waveform, ...]:
        """Device d has waveform d modulo their number."""
        return PROFILES[self.profile]

    @property
    def rate(self) -> float:
        """Events a second, all devices together."""
        return self.devices * 1e6 / self.interval_us

    def device_id(self, device: int) -> str:
        """Device ids sort like device numbers up to 99,999."""
        return f"{self.prefix}{device:05d}"

    def first_at(self, time_us: int) -> int:
        """Number of the first event at `time_us` or later."""
        tick, rest = divmod(time_us, self.interval_us)
        return tick * self.devices + -(-rest * self.devices // self.interval_us)

    def time_us(self, number: int) -> int:
        """When event `number` is due, in microseconds since 1970."""
        tick, device = divmod(number, self.devices)
        return tick * self.interval_us + device * self.interval_us // self.devices

    def schedule(self, numbers: I64) -> tuple[I64, I64]:
        """Device number and time in microseconds since 1970 of each event."""
        tick, device = np.divmod(numbers, self.devices)
        return device, tick * self.interval_us + device * self.interval_us // self.devices
