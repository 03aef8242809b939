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


def advance(connection: psycopg.Connection, spans: Sequence[Span], owner: UUID) -> None:
    """Moves each partition's offset from where we left it, and leaves the ack of what lies between in the outbox.

    Raises:
        Fenced: an offset isn't where we left it, or isn't ours.
    """
    moved = connection.execute(
        """
        WITH moved AS (
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
            RETURNING o.topic_id, o.partition, s.start, s.stop, s.persisted, s.duplicates, s.conflicts, s.dead_letters,
                o.next_offset - first_offset - persisted_total - duplicate_total - dead_letter_total - gap_total
                    AS unaccounted
        ), told AS (
            INSERT INTO outbox (topic_id, partition, first_offset, last_offset,
                persisted, duplicates, conflicts, dead_lettered)
            SELECT topic_id, partition, start, stop - 1, persisted, duplicates, conflicts, dead_letters FROM moved
        )
        SELECT partition, unaccounted FROM moved
        """,
        [*map(list, zip(*map(_row, spans), strict=True)), spans[0].claim.topic, owner],
    )
    unaccounted: dict[int, int] = dict(moved.fetchall())
    if fenced := {span.claim.partition for span in spans} - unaccounted.keys():
        raise Fenced(fenced)
    for span in spans:
        span.unaccounted = unaccounted[span.claim.partition]


def _row(s: Span) -> tuple[int | None, ...]:
    moved = (s.claim.partition, s.claim.epoch, s.start, s.stop, s.leader_epoch)
    return *moved, s.persisted, s.duplicates, s.conflicts, s.dead_letters, s.gaps
