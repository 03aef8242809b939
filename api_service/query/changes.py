"""What has changed in the rows of a question since it was last asked, and since a listener last heard. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Up to here a row says which it is: device, metric, start, end. Inside a JSON text a quote would be escaped.
_NUMBERS = b',"count":'
_ID = re.compile(r"([0-9a-f]{8})-([0-9]{1,15})-(-?[0-9]{1,17})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a listener has: all changes up to number `number` of the question's `asker`, of the time `as_of` (µs)."""

    asker: str
    number: int
    as_of: int

    def __str__(self) -> str:
        """As an event's id."""
        return f"{self.asker}-{self.number}-{self.as_of}"


def heard(text: str | None) -> Heard | None:
    """What a Last-Event-ID stands for; None where there is none, or it isn't one of ours."""
    found = _ID.fullmatch(text or "")
    return Heard(found[1], int(found[2]), int(found[3])) if found else None


class Changes:
    """The newest rows of a question, as JSON, each with the number of the look that found it new or changed."""

    def __init__(self) -> None:
        self._rows: dict[bytes, tuple[bytes, int]] = {}
        self.number = 0

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, rows: Iterable[bytes]) -> list[bytes]:
        """The rows as they are now; returns those that are new or differ from the last look. Others are forgotten."""
        before, self._rows = self._rows, {}
        self.number += 1
        changed = []
        for row in rows:
            key = row[: row.index(_NUMBERS)]
            known = before.get(key)
            if known is None or known[0] != row:
                known = (row, self.number)
                changed.append(row)
            self._rows[key] = known
        return changed

    def since(self, number: int) -> Sequence[bytes]:
        """The rows that have changed after a look; after none, 0, all."""
        return [row for row, changed in self._rows.values() if changed > number]
