"""What this process remembers of a database: layouts, and rows of closed buckets as they were answered.

A row may be kept if its bucket is whole, stored, and nothing late waits for its device. It stays true until the
revision of the device moves, which happens in the same transaction as any later change to what is stored. Each
question reads the revision in its own snapshot, so an event that came late is never answered with a row from before.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

_ROW_BYTES = 160  # what a row costs beside its text: the dictionary's entry, the key, the object
_SHELF_BYTES = 1_000


@dataclass(frozen=True, slots=True)
class Shape:
    """Rows that differ in their bucket only: a series, how time is cut, what is in a row and how it is written."""

    device: int
    metric: str
    bucket: str
    tz: str
    percentiles: tuple[str, ...]
    fill: bool
    media_type: str


@dataclass(slots=True)
class Shelf:
    """The rows of a shape by the start (µs) of their bucket. Empty: there are no readings, so there is no row."""

    revision: int
    rows: dict[int, bytes] = field(default_factory=dict)
    size: int = _SHELF_BYTES


class Memory:
    """Of one server's data, `server`: one that was restored or took over may not know of revisions that we saw."""

    def __init__(self, server: object, most_bytes: int) -> None:
        self.server = server
        self.layouts: dict[int, dict[str, int]] = {}  # by id: metric name → id; a layout never changes
        self._most, self.size = most_bytes, 0  # bytes, roughly
        self._shelves: OrderedDict[Shape, Shelf] = OrderedDict()

    def shelf(self, shape: Shape, revision: int) -> Shelf:
        """What is kept of a shape at a revision of its device; nothing yet, if that is new."""
        shelf = self._shelves.get(shape)
        if shelf is None or shelf.revision != revision:
            self.size -= shelf.size if shelf else 0
            shelf = self._shelves[shape] = Shelf(revision)
            self.size += shelf.size
        self._shelves.move_to_end(shape)
        return shelf

    def keep(self, shelf: Shelf, start: int, row: bytes) -> None:
        """Puts a row on a shelf."""
        if start not in shelf.rows:
            shelf.rows[start] = row
            shelf.size += len(row) + _ROW_BYTES
            self.size += len(row) + _ROW_BYTES

    def shrink(self) -> None:
        """Drops the shelves that were asked for longest ago, until the rest is within the limit."""
        while self.size > self._most and self._shelves:
            _, shelf = self._shelves.popitem(last=False)
            self.size -= shelf.size
