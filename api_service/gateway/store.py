"""SQL of what became of events: offsets, dead letters and operators' decisions. Nothing is stored for a receipt."""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from api_service.gateway.receipt import Accepted
from api_service.gateway.status import Chapter, Place

# Where Kafka has lost records that were read, new ones take their offsets, and nobody can tell which of the two a
# receipt means: until a decision nothing of that chapter counts as read, then what lies before the place where
# reading began again.
_CHAPTERS = """
SELECT partition, first_offset AS first, CASE WHEN truncated THEN first_offset ELSE next_offset END AS next,
    true AS open
FROM kafka_offsets WHERE topic_id = %(topic_id)s
UNION ALL
SELECT partition, first_offset,
    CASE WHEN state = 'truncated' AND new_topic_id = topic_id THEN least(next_offset, new_offset) ELSE next_offset END,
    false
FROM offset_decisions WHERE topic_id = %(topic_id)s
"""

_DEAD_LETTERS = """
SELECT DISTINCT ON (d.partition, d."offset") d.partition, d."offset", d.code
FROM unnest(%(partitions)s::int4[], %(firsts)s::int8[], %(lasts)s::int8[]) AS range (partition, first, last)
JOIN dead_letters d ON d.topic_id = %(topic_id)s AND d.partition = range.partition
    AND d."offset" BETWEEN range.first AND range.last
ORDER BY d.partition, d."offset", d.at DESC
"""

_POSITIONS = "SELECT partition, topic_id, next_offset FROM kafka_offsets WHERE topic = %s"


@dataclass(frozen=True, slots=True)
class Position:
    """Where ingestion goes on in a partition."""

    partition: int
    topic_id: str
    next_offset: int


async def chapters(connection: psycopg.AsyncConnection, topic_id: str) -> list[Chapter]:
    """What was read of this topic."""
    async with connection.cursor(row_factory=class_row(Chapter)) as cursor:
        return await (await cursor.execute(_CHAPTERS, {"topic_id": topic_id})).fetchall()


async def dead_letters(connection: psycopg.AsyncConnection, accepted: Accepted) -> dict[Place, str]:
    """Codes of the dead letters among these events, and between them."""
    spans: dict[int, tuple[int, int]] = {}
    for partition, offset in zip(accepted.partition, accepted.offset, strict=True):
        first, last = spans.get(partition, (offset, offset))
        spans[partition] = min(first, offset), max(last, offset)
    parameters = {
        "topic_id": accepted.topic_id,
        "partitions": list(spans),
        "firsts": [first for first, _ in spans.values()],
        "lasts": [last for _, last in spans.values()],
    }
    cursor = await connection.execute(_DEAD_LETTERS, parameters)
    return {(partition, offset): code for partition, offset, code in await cursor.fetchall()}


async def positions(connection: psycopg.AsyncConnection, topic: str) -> Sequence[Position]:
    """Those of a topic's partitions that ingestion has claimed."""
    async with connection.cursor(row_factory=class_row(Position)) as cursor:
        return await (await cursor.execute(_POSITIONS, [topic])).fetchall()
