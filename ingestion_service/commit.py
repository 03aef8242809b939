"""One batch → one committed transaction: duplicates out, poison out, counted."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import psycopg

from ingestion_service import columns
from ingestion_service.batch import Batch
from ingestion_service.catalogue import Catalogue
from ingestion_service.columns import Prepared, Rows
from ingestion_service.pairs import KnownPairs
from ingestion_service.store import Store, is_repeat, lacks_partition
from shared import db
from shared.events import Code

# A device that repeats itself does so again: for so many batches duplicates are looked up before the COPY, which they
# would make fail (and the server log a line).
_LOOK_FIRST = 50


class Committer:
    """Keeps what it learnt from batch to batch; for one thread."""

    def __init__(self, store: Store, catalogue: Catalogue) -> None:
        self._store = store
        self._catalogue = catalogue
        self._days: set[int] = set()
        self._pairs = KnownPairs()
        self._look_first = 0

    def prepare(self, batch: Batch) -> None:
        """Prepares the batch if it needs no new ids; may be called from the thread that made it."""
        batch.edition = self._catalogue.edition
        try:
            batch.prepared = self._prepared(batch)
        except KeyError:
            batch.prepared = None

    def commit(self, batch: Batch) -> int:
        """Writes the batch and returns how many of its events were late; the spans' counters are set.

        May be called again with the same batch after an error that says to retry.

        Raises:
            Fenced: another owner has a partition; nothing was written.
            psycopg.Error: see shared.db.classify; nothing was written, unless the connection broke at COMMIT.
        """
        outdated = batch.edition != self._catalogue.edition
        prepared = self._admitted(batch) if outdated or batch.prepared is None else batch.prepared
        rows, blocks = prepared.rows, prepared.blocks
        duplicates, conflicts = prepared.duplicates, prepared.conflicts
        self._ensure_partitions(rows)
        pairs = self._pairs.missing(rows)
        look, found = self._look_first > 0, False
        while True:
            try:
                if look and rows:
                    rows, again, differing = columns.without(rows, self._store.repeats(rows))
                    duplicates, conflicts = np.append(duplicates, again), np.append(conflicts, differing)
                    if len(again):
                        found, blocks = True, columns.blocks(rows)
                _count(batch, rows, duplicates, conflicts)
                batch.readings = sum(r.values.size for r in rows)
                late = self._store.write(batch, rows, blocks, pairs)
            except psycopg.Error as error:
                if is_repeat(error):
                    look = True
                    continue
                if lacks_partition(error):
                    if not self._days:
                        raise
                    self._days.clear()  # one that we knew was dropped meanwhile
                    self._store.ensure_partitions(columns.days(rows))
                    continue
                if db.classify(error) is not db.Fault.POISON or not self._bury_poison(batch, rows):
                    raise
                batch.prepared = None
                return self.commit(batch)  # a duplicate of what was buried is none
            else:
                self._pairs.learn(pairs)
                self._look_first = _LOOK_FIRST if found else max(0, self._look_first - 1)
                return late

    def forget(self) -> None:
        """The next connection may lead to a database that has gone back in time: what was stored may be gone."""
        self._catalogue.forget()
        self._days.clear()
        self._pairs.forget()

    def _admitted(self, batch: Batch) -> Prepared:
        self._catalogue.admit(batch)
        return self._prepared(batch)

    def _prepared(self, batch: Batch) -> Prepared:
        return columns.prepare(batch.groups, batch.dead, self._catalogue.devices, self._catalogue.layouts)

    def _ensure_partitions(self, rows: Sequence[Rows]) -> None:
        if days := columns.days(rows) - self._days:
            self._store.ensure_partitions(days)
            self._days |= days

    def _bury_poison(self, batch: Batch, rows: Sequence[Rows]) -> bool:
        """Finds the rows that the database refuses, by halving, and buries them; whether there were any."""
        found = False
        for r in rows:
            if not len(r) or not self._store.refuses(r):
                continue
            found = True
            if len(r) == 1:
                batch.bury(int(r.position[0]), Code.DATABASE_REJECTED, "the database refuses a value of this event")
                continue
            first = np.arange(len(r)) < len(r) // 2
            self._bury_poison(batch, [r.take(first), r.take(~first)])
        return found


def _count(
    batch: Batch, rows: Sequence[Rows], duplicates: npt.NDArray[np.int64], conflicts: npt.NDArray[np.int64]
) -> None:
    """Sets the spans' counters."""
    persisted = np.concatenate([np.empty(0, np.int64), *(r.position for r in rows)])
    dead = np.array([letter.slot for letter in batch.dead.values()], np.int64)
    size = len(batch.spans)
    per_span = [np.bincount(batch.slot[positions], minlength=size) for positions in (persisted, duplicates, conflicts)]
    per_span.append(np.bincount(dead, minlength=size))
    for span, counts in zip(batch.spans, np.stack(per_span, axis=1).tolist(), strict=True):
        span.persisted, span.duplicates, span.conflicts, span.dead_letters = counts
        if span.persisted + span.duplicates + span.dead_letters != span.records:
            raise AssertionError(f"partition {span.claim.partition}: records don't add up")
