"""The compare-and-set by which a batch moves its partitions' offsets, with the counts of what became of its records."""

from collections.abc import Sequence
from uuid import UUID

import psycopg

from ingestion_service.batch import Span


class Fenced(Exception):
    """Another owner has these partitions, or their offsets aren't where we left them: nothing was written."""

    def __init__(self, partitions: set[int]) -> None:
        super().__init__(f"fenced: {sorted(partitions)}")
        self.partitions = partitions


def _offsets_row(s: Span) -> tuple[int | None, ...]:
    moved = (s.claim.partition, s.claim.epoch, s.start, s.stop, s.leader_epoch)
    return *moved, s.persisted, s.duplicates, s.conflicts, s.dead_letters, s.gaps


def advance(connection: psycopg.Connection, spans: Sequence[Span], owner: UUID) -> psycopg.Cursor:
    """Moves each partition's offset from where we left it, if it is there and ours: rows for `check`."""
    columns = zip(*map(_offsets_row, spans), strict=True)
    return connection.execute(
        """
        UPDATE kafka_offsets AS o
        SET next_offset = s.stop,
            leader_epoch = coalesce(s.leader_epoch, o.leader_epoch),
            events_total = events_total + s.persisted + s.duplicates + s.dead_letters,
            persisted_total = persisted_total + s.persisted,
            duplicate_total = duplicate_total + s.duplicates,
            conflict_total = conflict_total + s.conflicts,
            dead_letter_total = dead_letter_total + s.dead_letters,
            gap_total = gap_total + s.gaps,
            updated_at = now()
        FROM unnest(%s::int4[], %s::int8[], %s::int8[], %s::int8[], %s::int4[],
                    %s::int8[], %s::int8[], %s::int8[], %s::int8[], %s::int8[])
            AS s (partition, epoch, start, stop, leader_epoch, persisted, duplicates, conflicts, dead_letters, gaps)
        WHERE o.topic = %s AND o.partition = s.partition AND o.owner = %s AND o.owner_epoch = s.epoch
            AND o.next_offset = s.start
        RETURNING o.partition, o.next_offset - first_offset
            - persisted_total - duplicate_total - dead_letter_total - gap_total
        """,
        [*map(list, columns), spans[0].claim.topic, owner],
    )


def check(moved: psycopg.Cursor, spans: Sequence[Span]) -> None:
    """Raises Fenced unless every span's offset was moved."""
    unaccounted: dict[int, int] = dict(moved.fetchall())
    if fenced := {span.claim.partition for span in spans} - unaccounted.keys():
        raise Fenced(fenced)
    for span in spans:
        span.unaccounted = unaccounted[span.claim.partition]
