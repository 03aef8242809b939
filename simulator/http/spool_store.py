"""What isn't acknowledged yet: a bounded SQLite file that survives the process, or the same in memory.

Each `put` is one transaction of the write-ahead log: a process that is killed loses nothing that `put` returned from,
and a torn tail is cut off by SQLite at the next start. The log is synced to disk at checkpoints only
(`synchronous=NORMAL`): a machine that loses power may lose the last seconds, never the file.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from shared.errors import PlumblineError
from simulator.http.batches import MOST_BYTES, Parcel

FILE = "spool.sqlite3"
_OVERHEAD = 100
"""Bytes that a row takes besides its events, about."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS parcels (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    lane INTEGER NOT NULL, events INTEGER NOT NULL, at REAL NOT NULL, planned TEXT NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS parcels_by_lane ON parcels (lane, seq);
"""


class Spool:
    """Parcels by lane, in the order in which they came. For several threads.

    What an earlier process left comes first: until it is done, nothing newer is handed out. So its devices' events
    stay in order even if there are more or fewer lanes now.

    Raises (each method):
        PlumblineError: the file can't be used; the message says why.
    """

    def __init__(self, folder: Path | None, most_bytes: int, lanes: int) -> None:
        self._most_bytes = most_bytes
        self._where = ":memory:" if folder is None else str(folder / FILE)
        self._free = threading.Condition()
        self._closed = False
        with self._errors():
            if folder is not None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = _opened(self._where)
            self._db.execute("UPDATE parcels SET lane = lane % ? WHERE lane >= ?", [lanes, lanes])
            rows = self._db.execute("SELECT lane, sum(events) FROM parcels GROUP BY lane").fetchall()
            self.bytes: int
            self.bytes, self._last = self._db.execute(
                "SELECT coalesce(sum(length(body) + ?), 0), coalesce(max(seq), 0) FROM parcels", [_OVERHEAD]
            ).fetchone()
        self._events = [0] * lanes
        for lane, events in rows:
            self._events[lane] = events
        self._left = list(self._events)  # of an earlier process, `_last` is the last one's number
        self.recovered = sum(self._left)

    @property
    def events(self) -> int:
        """All that is kept."""
        return sum(self._events)

    def put(self, parcels: Sequence[Parcel], wait_s: float) -> bool:
        """Keeps them all, or none: False if there was no room for `wait_s` seconds.

        What is larger than the whole spool fits an empty one.
        """
        at = time.time()
        size = sum(len(parcel.body) + _OVERHEAD for parcel in parcels)
        rows = [(p.lane, p.events, at, msgspec.json.encode(p.planned).decode(), p.body) for p in parcels]
        with self._free, self._errors():
            if not self._free.wait_for(lambda: not self.bytes or self.bytes + size <= self._most_bytes, wait_s):
                return False
            with self._transaction():
                self._db.executemany(
                    "INSERT INTO parcels (lane, events, at, planned, body) VALUES (?, ?, ?, ?, ?)", rows
                )
            self.bytes += size
            for parcel in parcels:
                self._events[parcel.lane] += parcel.events
            return True

    def pending(self, lane: int) -> int:
        """Events of the lane that may be sent now."""
        with self._free:
            return self._left[lane] if any(self._left) else self._events[lane]

    def empty(self, lane: int) -> bool:
        """Whether the lane has nothing to send, now or later."""
        return not self._events[lane]

    def take(self, lane: int, most_events: int) -> list[tuple[int, Parcel]]:
        """The lane's oldest parcels with their numbers: at least one, at most so many events and MOST_BYTES."""
        taken: list[tuple[int, Parcel]] = []
        events = size = 0
        with self._free, self._errors():
            rows = self._db.execute(
                "SELECT seq, events, planned, body FROM parcels WHERE lane = ? AND seq <= ? ORDER BY seq",
                [lane, self._last if any(self._left) else 2**62],
            )
            for seq, count, planned, body in rows:
                if taken and (events + count > most_events or size + len(body) > MOST_BYTES):
                    break
                events, size = events + count, size + len(body) + 1
                taken.append((seq, Parcel(lane, count, body, msgspec.json.decode(planned, type=dict[str, int]))))
            rows.close()
        return taken

    def done(self, taken: Sequence[tuple[int, Parcel]]) -> None:
        """Forgets what `take` gave: it is settled."""
        with self._free, self._errors():
            with self._transaction():
                self._db.executemany("DELETE FROM parcels WHERE seq = ?", [(seq,) for seq, _ in taken])
            for seq, parcel in taken:
                self.bytes -= len(parcel.body) + _OVERHEAD
                self._events[parcel.lane] -= parcel.events
                if seq <= self._last:
                    self._left[parcel.lane] -= parcel.events
            self._free.notify_all()

    def age_s(self) -> float:
        """How long ago the oldest parcel was put, in seconds; 0 where there is none."""
        with self._free, self._errors():
            if self._closed:
                return 0.0
            row = self._db.execute("SELECT at FROM parcels ORDER BY seq LIMIT 1").fetchone()
        return 0.0 if row is None else max(0.0, time.time() - row[0])

    def close(self) -> None:
        """Lets go of the file; what is in it stays."""
        with self._free, self._errors():
            if not self.events:
                self._db.execute("VACUUM")
            self._db.close()
            self._closed = True

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.rollback()
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise PlumblineError(f"--spool: {self._where}: {error.strerror} → name a folder to write in") from None
        except sqlite3.OperationalError as error:
            fix = "end the simulator that uses it" if "locked" in str(error) else "free space there, or name another"
            raise PlumblineError(f"--spool: {self._where}: {error} → {fix}") from None
        except sqlite3.DatabaseError as error:
            raise PlumblineError(f"--spool: {self._where}: {error} → move the file away; it can't be read") from None


def _opened(where: str) -> sqlite3.Connection:
    db = sqlite3.connect(where, timeout=1.0, isolation_level=None, check_same_thread=False)
    # One process has the file for itself: two would send the same events.
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.executescript(_SCHEMA)
    db.execute("BEGIN EXCLUSIVE")
    db.execute("COMMIT")
    return db
