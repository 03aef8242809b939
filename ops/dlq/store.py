"""The SQL of dead letters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ops.dlq import letters
from ops.store import Connection, Row
from shared.errors import PlumblineError

IDENTITY = ("topic_id", "partition", "offset", "digest")
HEAD_BYTES = 4_096  # of a value, where the whole isn't asked for

STATES = {
    "open": "replayed_at IS NULL AND discarded_at IS NULL",
    "replayed": "replayed_at IS NOT NULL",
    "discarded": "discarded_at IS NOT NULL",
    "unpublished": "published_at IS NULL",
}

# By its key, or by its bytes where it has none: those that can't hold the id's bytes needn't be fetched.
OF_DEVICE = """(key = %(key)s OR (coalesce(octet_length(key), 0) = 0 AND
    (position(%(key)s IN value) > 0 OR position('\\\\u'::bytea IN value) > 0)))"""

COLUMNS = """topic_id, topic, partition, "offset", digest, key, headers, code, detail, at, published_at, replayed_at,
    discarded_at, octet_length(value) AS bytes"""

DECISIONS = """
    SELECT at, who, action, reason, attempt, fix FROM dead_letter_decisions
    WHERE topic_id = %(topic_id)s AND partition = %(partition)s AND "offset" = %(offset)s AND digest = %(digest)s
    ORDER BY id
"""

MARK = """
    UPDATE dead_letters d SET {mark} = now()
    FROM unnest(%(topic_ids)s::text[], %(partitions)s::int4[], %(offsets)s::int8[], %(digests)s::bytea[])
        AS m (topic_id, partition, at_offset, digest)
    WHERE (d.topic_id, d.partition, d."offset", d.digest) = (m.topic_id, m.partition, m.at_offset, m.digest)
"""

AUDIT = """
    INSERT INTO dead_letter_decisions (who, action, reason, fix, topic_id, partition, "offset", digest, attempt)
    SELECT %(who)s, %(action)s, %(reason)s, %(fix)s, topic_id, partition, at_offset, digest, attempt
    FROM unnest(%(topic_ids)s::text[], %(partitions)s::int4[], %(offsets)s::int8[], %(digests)s::bytea[],
        %(attempts)s::int4[]) AS m (topic_id, partition, at_offset, digest, attempt)
"""

ATTEMPTS = """
    SELECT topic_id, partition, "offset", digest, max(attempt) AS attempt FROM dead_letter_decisions
    WHERE action = 'replay' AND (topic_id, partition, "offset", digest) IN (
        SELECT * FROM unnest(%(topic_ids)s::text[], %(partitions)s::int4[], %(offsets)s::int8[], %(digests)s::bytea[])
    )
    GROUP BY topic_id, partition, "offset", digest
"""


@dataclass(frozen=True)
class Filter:
    """Which dead letters; what is empty or None doesn't matter. `device` is in NFC."""

    codes: Sequence[str] = ()
    device: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    state: str | None = None
    topic_id: str | None = None
    digest: str | None = None  # hexadecimal digits, as many as are known
    record: tuple[bytes | None, bytes | None] | None = None  # key and value

    def condition(self) -> tuple[str, dict[str, Any]]:
        """As SQL; of a device it lets some through that `device` decides about."""
        wanted: dict[str, tuple[str, Any]] = {
            "code = ANY (%(codes)s)": ("codes", list(self.codes) or None),
            "at >= %(since)s": ("since", self.since),
            "at < %(until)s": ("until", self.until),
            "topic = %(topic)s": ("topic", self.topic),
            "topic_id = %(topic_id)s": ("topic_id", self.topic_id),
            "partition = %(partition)s": ("partition", self.partition),
            '"offset" = %(offset)s': ("offset", self.offset),
        }
        parts = [text for text, (_, value) in wanted.items() if value is not None]
        values = {name: value for name, value in wanted.values() if value is not None}
        if self.digest is not None:
            parts.append("starts_with(encode(digest, 'hex'), %(digest)s)")
            values["digest"] = self.digest.lower()
        if self.record is not None:
            parts.append("digest = record_digest(%(record_key)s::bytea, %(record_value)s::bytea)")
            values["record_key"], values["record_value"] = self.record
        if self.state is not None:
            parts.append(STATES[self.state])
        if self.device is not None and self.device.isascii():  # what isn't may be written in several ways
            parts.append(OF_DEVICE)
            values["key"] = self.device.encode()
        return " AND ".join(parts) or "true", values


@dataclass(frozen=True)
class Mark:
    """What was decided about some dead letters."""

    action: str  # replay or discard
    who: str
    reason: str
    fix: str | None = None
    attempts: Sequence[int | None] = field(default=())


def scan(connection: Connection, wanted: Filter, *, whole: bool, newest_first: bool = False) -> Iterator[Row]:
    """Dead letters, in the order of their offsets or newest first, read from the server as they are taken.

    `value` is whole, or its first HEAD_BYTES; `device` is found from key and value.
    """
    condition, values = wanted.condition()
    value = "value" if whole or wanted.device is not None else f"substring(value FOR {HEAD_BYTES}) AS value"
    order = 'at DESC, topic_id, partition, "offset" DESC' if newest_first else 'topic_id, partition, "offset"'
    text = f"SELECT {COLUMNS}, {value} FROM dead_letters WHERE {condition} ORDER BY {order}"  # noqa: S608  constants
    with connection.cursor(name="dead_letters") as cursor:
        cursor.itersize = 100
        for row in cursor.execute(text.encode(), values):
            row["device"] = letters.device(row["key"], row["value"])
            if wanted.device is None or row["device"] == wanted.device:
                yield row


def decisions(connection: Connection, letter: Mapping[str, Any]) -> list[Row]:
    """What was decided about a dead letter, oldest first."""
    return connection.execute(DECISIONS, letter).fetchall()


def identity(letter: Mapping[str, Any]) -> tuple[Any, ...]:
    """Which dead letter it is: after Kafka lost records, one place may be that of several."""
    return tuple(letter[name] for name in IDENTITY)


def attempts(connection: Connection, chosen: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, ...], int]:
    """The last attempt at replaying each of these, of those that were, by identity."""
    rows = connection.execute(ATTEMPTS, _identities(chosen)).fetchall()
    return {identity(row): row["attempt"] for row in rows}


def mark(connection: Connection, chosen: Sequence[Mapping[str, Any]], decision: Mark) -> None:
    """Marks these and writes the log, in one transaction."""
    column = "replayed_at" if decision.action == "replay" else "discarded_at"
    values = {
        **_identities(chosen),
        "who": decision.who,
        "action": decision.action,
        "reason": decision.reason,
        "fix": decision.fix or None,
        "attempts": list(decision.attempts) or [None] * len(chosen),
    }
    with connection.transaction():
        connection.execute(MARK.format(mark=column).encode(), values)
        connection.execute(AUDIT, values)


def lock(connection: Connection) -> None:
    """Until the connection closes, nobody else replays or discards.

    Raises:
        PlumblineError: somebody does.
    """
    row = connection.execute("SELECT pg_try_advisory_lock(hashtext('plumbline.dlq')) AS ours").fetchone()
    if row is None or not row["ours"]:
        raise PlumblineError("somebody else replays or discards dead letters right now → try again when that is done")


def _identities(chosen: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {f"{name}s": [row[name] for row in chosen] for name in IDENTITY}
