"""How much a transaction takes on."""

_UNKNOWN = 50  # readings a second that a device is taken to have until one was read
_GROWTH = 8
_ROW = 10  # readings that a row of statistics is as large as, while it is made


class Pace:
    """How many devices of a range of time fit in a transaction, by what those before them had.

    Rows weigh too: where hardly more than one reading falls in a bucket, they are what fills the memory.
    """

    def __init__(self, readings: int, seconds: int) -> None:
        """`readings` are wanted at a time, of a range of so many seconds."""
        self._wanted = readings
        self._weight: float = _UNKNOWN * seconds  # of a device, in readings
        self._most: float = float("inf")

    def step(self, left: int, workers: int) -> int:
        """Devices to take next of those that are left: few at first, then at most some times more than before.

        What needs several transactions is cut so that all workers are done at about the same time.
        """
        most = int(max(1, min(self._most, self._wanted / max(self._weight, 1e-6))))
        rounds = -(-left // (most * workers))
        return left if left <= most else -(-left // (rounds * workers))

    def learn(self, devices: int, readings: int, rows: int) -> None:
        """A transaction read so many readings of so many devices, and made so many rows."""
        self._weight = (readings + _ROW * rows) / devices
        self._most = devices * _GROWTH
