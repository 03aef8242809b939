"""How much a transaction takes on."""

from dataclasses import dataclass

_GROWTH = 8
_ROW = 10  # readings that a row of statistics is as large as, while it is made


@dataclass(frozen=True, slots=True)
class Pace:
    """How many devices fit in a transaction, by what a device had in a second before.

    Rows weigh too: where hardly more than one reading falls in a bucket, they are what fills the memory.
    """

    readings: int  # wanted at a time
    density: float | None = None  # readings, and rows as so many readings, per device and second
    devices: int = 0  # taken the last time

    def step(self, seconds: int) -> int:
        """Devices to take next for a range of so many seconds: one, then at most a few times more than before."""
        most = max(1, self.devices * _GROWTH)
        if not self.density:
            return most
        return max(1, min(most, int(self.readings / (self.density * seconds))))

    def anew(self) -> "Pace":
        """For another range of time, which may hold far more than the last one did."""
        return Pace(self.readings)

    def after(self, devices: int, seconds: int, readings: int, rows: int) -> "Pace":
        """What to go by after a transaction that read so many readings and made so many rows."""
        return Pace(self.readings, (readings + _ROW * rows) / (max(1, devices) * seconds), max(1, devices))
