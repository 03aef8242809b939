"""How many lines a terminal is given. Pure."""


class Budget:
    """So many lines a second, a second's worth at once; what is beyond is counted. `rate` 0: no limit."""

    def __init__(self, rate: int, now: float) -> None:
        self._rate, self._left, self._at = rate, float(rate), now
        self.left_out = 0

    def take(self, wanted: int, now: float) -> int:
        """How many of these may be shown."""
        if not self._rate:
            return wanted
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        shown = min(wanted, int(self._left))
        self._left -= shown
        self.left_out += wanted - shown
        return shown

    def told(self) -> int:
        """How many were left out since it was told last."""
        count, self.left_out = self.left_out, 0
        return count
