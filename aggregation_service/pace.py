"""How much a transaction takes on."""

from dataclasses import dataclass

_GROWTH = 8


@dataclass(frozen=True, slots=True)
class Pace:
    """How many devices fit in a transaction, by how many readings a device had in a second before."""

    readings: int  # wanted at a time
    density: float | None = None  # readings per device and second
    devices: int = 0  # taken the last time

    def step(self, seconds: int) -> int:
        """Devices to take next for a range of so many seconds: one, then at most a few times more than before."""
        most = max(1, self.devices * _GROWTH)
        if not self.density:
            return most
        return max(1, min(most, int(self.readings / (self.density * seconds))))

    def after(self, devices: int, seconds: int, readings: int) -> "Pace":
        """What to go by after a transaction."""
        return Pace(self.readings, readings / (max(1, devices) * seconds), max(1, devices))
