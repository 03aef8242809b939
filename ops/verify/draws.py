"""Which groups a sample looks at. Pure; times are µs since 1970."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

SECOND = 1_000_000
DAY = 86_400 * SECOND
TRIES = 20  # draws for each group that is wanted: many buckets of a fleet may hold nothing
LEAST_TRIES = 10_000


@dataclass(frozen=True, slots=True)
class Grid:
    """All pairs of a member (a device, or a metric across devices) and a bucket of a level, on some days.

    Drawing from it costs the same however much is stored, and each pair is as likely as any other: what is found in
    none of n groups is, 19 times in 20, wrong in less than 3/n of them.
    """

    width_s: int
    members: Sequence[int]
    days: Sequence[int]

    def __len__(self) -> int:
        return len(self.members) * len(self.days) * self._per_day

    @property
    def _per_day(self) -> int:
        return DAY // (self.width_s * SECOND)

    def drawn(self, wanted: int, random: np.random.Generator) -> Iterator[tuple[int, int]]:
        """(member, bucket) in random order, each once: all of a small grid, else as many as are tried for `wanted`."""
        tries = min(len(self), max(TRIES * wanted, LEAST_TRIES))
        for number in random.choice(len(self), tries, replace=False).tolist():
            slot, member = divmod(number, len(self.members))
            day, within = divmod(slot, self._per_day)
            yield self.members[member], self.days[day] + within * self.width_s * SECOND
