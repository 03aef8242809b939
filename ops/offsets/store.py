"""The SQL of offset decisions."""

from psycopg import errors

from ops.offsets.standing import Plan
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
    try:
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '10s'")
            _still(plan, connection.execute(LOCK, values).fetchone())
            decision = connection.execute(CLOSE, values).fetchall()[0]["id"]
            connection.execute(FORGET_TOLD_ACKS)
            connection.execute(KEEP_ACKS, {"decision": decision})
            connection.execute(BEGIN_ANEW, {**values, "decision": decision})
    except errors.LockNotAvailable:
        raise PlumblineError(f"{now.name} is locked by a transaction that takes long → try again") from None
    return int(decision)


def _still(plan: Plan, row: Row | None) -> None:
    """The partition is as the plan found it, but for what ingestion may have read since."""
    now = plan.standing
    if row is None or row["chapter"] != now.chapter:
        raise PlumblineError(f"somebody else decided about {now.name} meanwhile → look again: plumbline offsets")
    if plan.action == "skip" and plan.topic_id == now.topic_id and row["next_offset"] > plan.offset:
        raise PlumblineError(
            f"{now.name} was read up to {row['next_offset']} meanwhile, beyond {plan.offset} → nothing to skip"
        )


def decisions(connection: Connection, limit: int) -> list[Row]:
    """The newest decisions."""
    return connection.execute(DECISIONS, {"limit": limit}).fetchall()
