"""The SQL of offset decisions."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg import errors

from ops.offsets.standing import Plan, Standing
from ops.store import Connection, Row
from shared.errors import PlumblineError

STANDINGS = """
    SELECT topic, partition, topic_id, next_offset, owner, owner_epoch, leader_epoch, truncated, chapter
    FROM kafka_offsets
    ORDER BY topic, partition
"""

LOCK = """
    SELECT next_offset, topic_id, chapter FROM kafka_offsets
    WHERE topic = %(topic)s AND partition = %(partition)s FOR UPDATE
"""

CLOSE = """
    INSERT INTO offset_decisions (who, action, reason, state, topic, partition, topic_id, first_offset, next_offset,
        leader_epoch, owner, owner_epoch, events_total, persisted_total, duplicate_total, conflict_total,
        dead_letter_total, gap_total, acked_offset, updated_at, new_topic_id, new_offset, low, high)
    SELECT %(who)s, %(action)s, %(reason)s, %(state)s, topic, partition, topic_id, first_offset, next_offset,
        leader_epoch, owner, owner_epoch, events_total, persisted_total, duplicate_total, conflict_total,
        dead_letter_total, gap_total, acked_offset, updated_at, %(topic_id)s, %(offset)s, %(low)s, %(high)s
    FROM kafka_offsets WHERE topic = %(topic)s AND partition = %(partition)s
    RETURNING id
"""

KEEP_ACKS = """
    WITH old AS (
        DELETE FROM outbox b USING offset_decisions d
        WHERE d.id = %(decision)s AND b.topic_id = d.topic_id AND b.partition = d.partition
        RETURNING b.*, d.acked_offset
    )
    INSERT INTO outbox_closed
    SELECT %(decision)s, first_offset, last_offset, persisted, duplicates, conflicts, dead_lettered, committed_at
    FROM old WHERE first_offset >= acked_offset
"""

FORGET_TOLD_ACKS = """
    DELETE FROM outbox_closed b USING offset_decisions d WHERE d.id = b.decision AND b.last_offset < d.acked_offset
"""

# The owner is nobody: neither a batch nor a mark of the relay that is under way may touch the new chapter.
BEGIN_ANEW = """
    UPDATE kafka_offsets
    SET chapter = %(decision)s, truncated = false, topic_id = %(topic_id)s,
        first_offset = %(offset)s, next_offset = %(offset)s, acked_offset = %(offset)s,
        leader_epoch = NULL, owner = '00000000-0000-0000-0000-000000000000', owner_epoch = owner_epoch + 1,
        events_total = 0, persisted_total = 0, duplicate_total = 0, conflict_total = 0, dead_letter_total = 0,
        gap_total = 0, updated_at = now()
    WHERE topic = %(topic)s AND partition = %(partition)s
"""

RETIRE = "DELETE FROM kafka_offsets WHERE topic = %(topic)s AND partition = %(partition)s"

UNTOLD = """
    SELECT (SELECT count(*) FROM outbox b JOIN kafka_offsets o USING (topic_id, partition)
            WHERE o.topic = %(topic)s AND o.partition = %(partition)s AND b.first_offset >= o.acked_offset)
         + (SELECT count(*) FROM outbox_closed b JOIN offset_decisions d ON d.id = b.decision
            WHERE d.topic = %(topic)s AND d.partition = %(partition)s AND b.first_offset >= d.acked_offset) AS acks,
           (SELECT count(*) FROM dead_letters WHERE topic = %(topic)s AND partition = %(partition)s
            AND (published_at IS NULL OR acked_at IS NULL)) AS dead_letters
"""

HAND_OVER = """
    UPDATE kafka_offsets SET owner = %(heir)s, owner_epoch = owner_epoch + 1
    WHERE topic = %(topic)s AND partition = %(partition)s AND chapter = %(chapter)s
"""

DECISIONS = """
    SELECT id, at, who, action, reason, state, topic, partition, topic_id, first_offset, next_offset, events_total,
           persisted_total, duplicate_total, conflict_total, dead_letter_total, gap_total, new_topic_id, new_offset,
           low, high
    FROM offset_decisions
    ORDER BY id DESC LIMIT %(limit)s
"""


def standings(connection: Connection) -> list[Row]:
    """What ingestion stored of each partition, with the last decision about it."""
    return connection.execute(STANDINGS).fetchall()


def decide(connection: Connection, plan: Plan, who: str, reason: str) -> int:
    """Closes the partition's chapter and begins the next one, in one transaction; returns the decision's id.

    Raises:
        PlumblineError: somebody else was faster, or the partition's row stays locked.
    """
    now = plan.standing
    values = {
        "who": who,
        "reason": reason,
        "state": now.state,
        "action": plan.action,
        "topic": now.topic,
        "partition": now.partition,
        "topic_id": plan.topic_id,
        "offset": plan.offset,
        "low": plan.low,
        "high": plan.high,
    }
    with _closing(connection, now, values) as (row, decision):
        _not_beyond(plan, row)
        connection.execute(BEGIN_ANEW, {**values, "decision": decision})
    return decision


def retire(connection: Connection, now: Standing, who: str, reason: str) -> int:
    """Closes the partition's chapter, and none follows, in one transaction; returns the decision's id.

    Raises:
        PlumblineError: somebody else was faster, or the partition's row stays locked.
    """
    where = {"topic": now.topic, "partition": now.partition, "state": now.state}
    nowhere = dict.fromkeys(("topic_id", "offset", "low", "high"))
    values = {**where, **nowhere, "who": who, "reason": reason, "action": "retire"}
    with _closing(connection, now, values) as (_, decision):
        connection.execute(RETIRE, values)
    return decision


@contextmanager
def _closing(connection: Connection, now: Standing, values: Mapping[str, Any]) -> Iterator[tuple[Row, int]]:
    """A transaction that closes the chapter: the partition's row, locked, and the decision's id."""
    try:
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '10s'")
            row = connection.execute(LOCK, values).fetchone()
            if row is None or row["chapter"] != now.chapter:
                raise PlumblineError(
                    f"somebody else decided about {now.name} meanwhile → look again: plumbline offsets"
                )
            decision = int(connection.execute(CLOSE, values).fetchall()[0]["id"])
            connection.execute(FORGET_TOLD_ACKS)
            connection.execute(KEEP_ACKS, {"decision": decision})
            yield row, decision
    except errors.LockNotAvailable:
        raise PlumblineError(f"{now.name} is locked by a transaction that takes long → try again") from None


def hand_over(connection: Connection, now: Standing, heir: str) -> None:
    """What the partition left to be told is the heir's to publish."""
    values = {"topic": now.topic, "partition": now.partition, "chapter": now.chapter, "heir": heir}
    connection.execute(HAND_OVER, values)


def untold(connection: Connection, now: Standing) -> tuple[int, int]:
    """How many success acks of the partition aren't published, and dead letters, or their error acks."""
    row = connection.execute(UNTOLD, {"topic": now.topic, "partition": now.partition}).fetchall()[0]
    return int(row["acks"]), int(row["dead_letters"])


def _not_beyond(plan: Plan, row: Row) -> None:
    """Ingestion may have read on since the plan was made."""
    now = plan.standing
    if plan.action == "skip" and plan.topic_id == now.topic_id and row["next_offset"] > plan.offset:
        raise PlumblineError(
            f"{now.name} was read up to {row['next_offset']} meanwhile, beyond {plan.offset} → nothing to skip"
        )


def decisions(connection: Connection, limit: int) -> list[Row]:
    """The newest decisions."""
    return connection.execute(DECISIONS, {"limit": limit}).fetchall()
