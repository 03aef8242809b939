"""Every query of the operator's commands."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row

from deploy.local.stack import conninfo
from shared import db

Row = dict[str, Any]
Connection = psycopg.Connection[Row]

PARTITIONS = """
    SELECT topic, partition, topic_id, first_offset, next_offset, events_total, persisted_total AS persisted,
           duplicate_total AS duplicates, dead_letter_total AS dead_lettered, gap_total AS gaps,
           (SELECT count(*) FROM dead_letters d WHERE d.topic_id = k.topic_id AND d.partition = k.partition)
               AS dead_letter_rows
    FROM kafka_offsets k
    ORDER BY topic, partition
"""

DEAD_LETTERS = """
    SELECT topic, partition, "offset", code, detail, at, published_at, replayed_at, octet_length(value) AS bytes
    FROM dead_letters
    WHERE (%(code)s::text IS NULL OR code = %(code)s)
    ORDER BY at DESC, partition, "offset" DESC
    LIMIT %(limit)s
"""

DEAD_LETTER = """
    SELECT topic, partition, "offset", code, detail, at, published_at, replayed_at, key, value, headers
    FROM dead_letters
    WHERE topic = %(topic)s AND partition = %(partition)s AND "offset" = %(offset)s
"""

PROGRESS = """
    SELECT coalesce(sum(events_total), 0)::int8 AS events,
           coalesce(sum(duplicate_total), 0)::int8 AS duplicates,
           coalesce(sum(dead_letter_total), 0)::int8 AS dead_letters,
           max(updated_at) AS committed_at,
           (SELECT nullif(watermark, '-infinity') FROM watermarks ORDER BY level LIMIT 1) AS watermark,
           (SELECT nullif(until, '-infinity') FROM materialized ORDER BY level LIMIT 1) AS materialized
    FROM kafka_offsets
"""


@contextmanager
def snapshot(values: Mapping[str, str]) -> Iterator[Connection]:
    """A connection whose queries all see the same moment, and that can't write.

    Raises:
        Unavailable: the database doesn't answer.
    """
    target = conninfo(values)
    try:
        with psycopg.connect(target, row_factory=dict_row) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield connection
    except psycopg.OperationalError as error:
        raise db.unavailable(target, error) from None


def partitions(connection: Connection) -> list[Row]:
    """What ingestion counted, per partition, with the number of its dead letters that are there."""
    return connection.execute(PARTITIONS).fetchall()


def events(connection: Connection) -> int:
    """How many events are stored."""
    row = connection.execute("SELECT count(*) AS n FROM events").fetchone()
    return int(row["n"]) if row else 0


def dead_letters(connection: Connection, code: str | None, limit: int) -> list[Row]:
    """The newest dead letters, without their bytes."""
    return connection.execute(DEAD_LETTERS, {"code": code, "limit": limit}).fetchall()


def dead_letter(connection: Connection, topic: str, partition: int, offset: int) -> Row | None:
    """One dead letter, whole."""
    return connection.execute(DEAD_LETTER, {"topic": topic, "partition": partition, "offset": offset}).fetchone()


def progress(connection: Connection) -> Row:
    """How far the pipeline is: sums over the partitions, and the finest level's marks (None before the first)."""
    return connection.execute(PROGRESS).fetchall()[0]


def offsets(connection: Connection) -> dict[tuple[str, int], int]:
    """Each partition's next offset, by topic and partition."""
    rows = connection.execute("SELECT topic, partition, next_offset FROM kafka_offsets").fetchall()
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
