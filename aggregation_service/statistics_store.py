"""SQL that writes `stats`: one door for all who change it, so that whoever keeps copies of rows hears of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import LiteralString

import numpy as np
import psycopg

from shared import pgcopy
from shared.statistics import Partials, stored

Rows = Mapping[int, Partials]  # by level: its width in seconds

_UPDATED = ("count", "sum", "sum_error", "min", "max", "deviation", "rank_error", "summary")
_VALUES = ", ".join(f"{name} = excluded.{name}" for name in _UPDATED)
_FROM_FRESH = f"INSERT INTO stats ({stored.COLUMNS}) SELECT {stored.COLUMNS} FROM fresh"  # noqa: S608  constants
_UPSERT = f"""
{_FROM_FRESH} ON CONFLICT (level, device, metric, bucket) DO UPDATE SET {_VALUES}, late = stats.late + excluded.late
"""

# In the order of devices: two who change the same ones wait for each other, and never in a circle.
_REVISE = """
INSERT INTO device_revisions (device, revision)
SELECT device, 1 FROM unnest(%s::int4[]) AS changed (device) ORDER BY device
ON CONFLICT (device) DO UPDATE SET revision = device_revisions.revision + 1
"""

_FLEET_STALE = """
INSERT INTO fleet_stale (level, metric, bucket)
SELECT level, metric, bucket
FROM unnest(%s::int4[], %s::int4[], %s::int8[]) AS changed (level, metric, us)
CROSS JOIN LATERAL (SELECT 'epoch'::timestamptz + us * interval '1 microsecond' AS bucket) AS at
JOIN fleet_until USING (level)
WHERE bucket >= since AND bucket < until
    AND NOT EXISTS (
        SELECT FROM fleet_stale known
        WHERE known.level = changed.level AND known.metric = changed.metric AND known.bucket = at.bucket
    )
"""


class Change:
    """A transaction that writes `stats`; `changing` begins and ends it."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def insert(self, rows: Rows) -> None:
        """Adds rows of buckets that are stored a first time, beyond `materialized.until`.

        Rows that a run left there which was cut short are replaced.
        """
        if not self._inserted(rows):
            self.replace(rows)

    def replace(self, rows: Rows) -> None:
        """Adds or replaces rows of buckets that are stored (below `materialized.until`); `late` adds up.

        The devices' revisions go up, and the fleet's rows of these buckets are noted as stale.
        """
        rows = {level: partials for level, partials in rows.items() if len(partials)}
        if not rows:
            return
        devices = np.unique(np.concatenate([partials.device for partials in rows.values()]))
        self._connection.execute(_REVISE, [devices.tolist()])
        self.note_stale(rows)
        # A row of which all readings came late can't be there yet, but for a log that repeats itself. It needn't look
        # for what it replaces: history that is loaded late takes half the time.
        new = {level: partials.take(partials.late == partials.count) for level, partials in rows.items()}
        known = {level: partials.take(partials.late != partials.count) for level, partials in rows.items()}
        self._upsert(known if self._inserted(new) else rows)

    def note_stale(self, rows: Rows) -> None:
        """The fleet's rows of these buckets are to be made again."""
        level, metric, bucket = [], [], []
        for width, partials in rows.items():
            keys = np.unique(np.stack([partials.metric.astype(np.int64), partials.bucket.view(np.int64)]), axis=1)
            level += [width] * keys.shape[1]
            metric += keys[0].tolist()
            bucket += keys[1].tolist()
        self._connection.execute(_FLEET_STALE, [level, metric, bucket])

    def _inserted(self, rows: Rows) -> bool:
        """Adds rows; False, and nothing done: some are there already."""
        if not any(len(partials) for partials in rows.values()):
            return True
        try:
            with self._connection.transaction():
                self._copy("stats", rows)
        except psycopg.errors.UniqueViolation:
            return False
        return True

    def _upsert(self, rows: Rows) -> None:
        if not any(len(partials) for partials in rows.values()):
            return
        self._connection.execute("CREATE TEMP TABLE IF NOT EXISTS fresh (LIKE stats) ON COMMIT DELETE ROWS")
        self._copy("fresh", rows)
        self._connection.execute(_UPSERT.encode())

    def _copy(self, table: LiteralString, rows: Rows) -> None:
        copy_in = f"COPY {table} ({stored.COLUMNS}) FROM STDIN (FORMAT binary)"
        with self._connection.cursor() as cursor, cursor.copy(copy_in) as copy:
            copy.write(pgcopy.HEADER)
            for width, partials in rows.items():
                for block in stored.blocks(width, partials):
                    copy.write(block)
            copy.write(pgcopy.TRAILER)


@contextmanager
def changing(connection: psycopg.Connection) -> Iterator[Change]:
    """A transaction that reads events and writes `stats`, on an autocommit connection at REPEATABLE READ.

    Any process may, whoever has the aggregator's turn: read the events inside the block, make rows of them and
    `replace` those below `materialized.until`. What late data is still logged in `dirty` stays right: it is worked in
    again. Two that write the same rows: one of them gets psycopg.errors.SerializationFailure and does the same again.
    """
    with connection.transaction():
        # Before the snapshot, see 0007: what this transaction changes, no rebuild of the fleet's rows overlooks.
        connection.execute("LOCK TABLE fleet_until IN ROW SHARE MODE")
        yield Change(connection)
