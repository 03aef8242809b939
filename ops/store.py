"""Every query of the operator's commands."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from deploy.local.environment import conninfo
from shared import db
from shared.errors import PlumblineError

Row = dict[str, Any]
Connection = psycopg.Connection[Row]

CHAPTERS = """
    SELECT topic, partition, topic_id, first_offset, next_offset, events_total, persisted_total AS persisted,
           duplicate_total AS duplicates, dead_letter_total AS dead_lettered, gap_total AS gaps,
           id AS decision, new_topic_id, new_offset, low
    FROM offset_decisions
    UNION ALL
    SELECT topic, partition, topic_id, first_offset, next_offset, events_total, persisted_total,
           duplicate_total, dead_letter_total, gap_total, NULL, NULL, NULL, NULL
    FROM kafka_offsets
    ORDER BY topic, partition, decision NULLS LAST
"""

DEAD_LETTERS_BY_PARTITION = """
    SELECT topic_id, partition, count(*) AS n FROM dead_letters GROUP BY topic_id, partition
"""

PROGRESS = """
    SELECT coalesce(sum(events_total), 0)::int8 AS events,
           coalesce(sum(duplicate_total), 0)::int8 AS duplicates,
           coalesce(sum(dead_letter_total), 0)::int8 AS dead_letters,
           (SELECT nullif(watermark, '-infinity') FROM watermarks ORDER BY level LIMIT 1) AS watermark,
           (SELECT nullif(until, '-infinity') FROM materialized ORDER BY level LIMIT 1) AS materialized,
           EXISTS (SELECT FROM dirty) AS late_waiting
    FROM kafka_offsets
"""

NEWEST_EVENT = "SELECT max(ts) AS ts FROM events WHERE ts > %s"


@contextmanager
def snapshot(values: Mapping[str, str]) -> Iterator[Connection]:
    """A connection whose queries all see the same moment, and that can't write.

    Raises:
        Unavailable: the database doesn't answer.
        PlumblineError: it lacks a migration.
    """
    with _connected(values, autocommit=False) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection


@contextmanager
def writing(values: Mapping[str, str]) -> Iterator[Connection]:
    """A connection that writes; each statement is committed unless a transaction is opened.

    Raises:
        Unavailable: the database doesn't answer.
        PlumblineError: it lacks a migration.
    """
    with _connected(values, autocommit=True) as connection:
        yield connection


@contextmanager
def _connected(values: Mapping[str, str], *, autocommit: bool) -> Iterator[Connection]:
    target = conninfo(values)
    with answering(target), psycopg.connect(target, row_factory=dict_row, autocommit=autocommit) as connection:
        yield connection


@contextmanager
def answering(target: str) -> Iterator[None]:
    """What goes wrong with the database in the block, in words for the user.

    Raises:
        Unavailable: the database doesn't answer.
        PlumblineError: it lacks a migration.
    """
    try:
        yield
    except psycopg.OperationalError as error:
        raise db.unavailable(target, error) from None
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise _behind(error) from None


def _behind(error: psycopg.Error) -> PlumblineError:
    return PlumblineError(
        f"the database is older than this command ({error.diag.message_primary}) "
        "→ `plumbline up --only postgres` migrates the stack's, `python -m shared.migrations` another"
    )


def chapters(connection: Connection) -> list[Row]:
    """What ingestion counted: of each partition the chapters that a decision closed, then the open one.

    A closed one has the `decision` and where the partition went on: `new_topic_id`, `new_offset`, and Kafka's `low`
    watermark then; these are None if it was retired.
    """
    return connection.execute(CHAPTERS).fetchall()


def dead_letter_counts(connection: Connection) -> dict[tuple[str, int], int]:
    """How many dead letters are stored, by topic id and partition."""
    rows = connection.execute(DEAD_LETTERS_BY_PARTITION).fetchall()
    return {(row["topic_id"], row["partition"]): row["n"] for row in rows}


def events(connection: Connection) -> int:
    """How many events are stored."""
    row = connection.execute("SELECT count(*) AS n FROM events").fetchone()
    return int(row["n"]) if row else 0


def progress(connection: Connection) -> Row:
    """How far the pipeline is: sums over the partitions, and the finest level's marks (None before the first)."""
    return connection.execute(PROGRESS).fetchall()[0]


def newest_event(connection: Connection, since: datetime) -> datetime | None:
    """The time of the newest event after `since`."""
    newest: datetime | None = connection.execute(NEWEST_EVENT, [since]).fetchall()[0]["ts"]
    return newest


def now(connection: Connection) -> datetime:
    """The database's clock."""
    moment: datetime = connection.execute("SELECT clock_timestamp() AS now").fetchall()[0]["now"]
    return moment


def offsets(connection: Connection) -> dict[tuple[str, int], int]:
    """Each partition's next offset, by topic and partition."""
    rows = connection.execute("SELECT topic, partition, next_offset FROM kafka_offsets").fetchall()
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
