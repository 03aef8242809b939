"""What the relay publishes: acks and dead letters as Kafka records. Pure."""

import json
from base64 import b64decode
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ingestion_service.outbox import Buried, SuccessAck
from shared.events import Code
from shared.settings import TopicSettings
from shared.topics import ack_topic


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to publish."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, str | bytes | None]]


_ERRORS: dict[str, frozenset[str]] = {
    "db-error": frozenset({Code.DATABASE_REJECTED}),
    "validation-error": frozenset(set(Code) - {Code.DATABASE_REJECTED}),
}
ERROR_OUTCOMES = (*_ERRORS, "general-error")


def outcome(code: str) -> str:
    """The ack topic's outcome for a dead letter's code."""
    return next((name for name, codes in _ERRORS.items() if code in codes), "general-error")


def codes(outcome: str) -> tuple[list[str], bool]:
    """The codes with this outcome; with False, those that it has not."""
    known = _ERRORS.get(outcome)
    return (sorted(known), True) if known is not None else (sorted(Code), False)


def success(settings: TopicSettings, ack: SuccessAck) -> Outgoing:
    """The ack of a committed range; keyed by its partition, so that a partition's acks stay in order."""
    body = {
        "outcome": "success",
        "topic": ack.topic,
        "topic_id": ack.topic_id,
        "partition": ack.partition,
        "first_offset": ack.first_offset,
        "last_offset": ack.last_offset,
        "persisted": ack.persisted,
        "duplicates": ack.duplicates,
        "conflicts": ack.conflicts,
        "dead_lettered": ack.dead_lettered,
        "committed_at": _time(ack.committed_at),
    }
    return Outgoing(ack_topic(settings, "success"), _key(ack.topic, ack.partition), _json(body), [])


def error(settings: TopicSettings, dead: Buried) -> Outgoing:
    """The ack of one record that can't be taken."""
    name = outcome(dead.code)
    body = {
        "outcome": name,
        "topic": dead.topic,
        "topic_id": dead.topic_id,
        "partition": dead.partition,
        "offset": dead.offset,
        "code": dead.code,
        "detail": dead.detail,
        "committed_at": _time(dead.at),
    }
    return Outgoing(ack_topic(settings, name), _key(dead.topic, dead.partition), _json(body), [])


def dead_letter(settings: TopicSettings, dead: Buried) -> Outgoing:
    """The record as it was, and in headers why and where it was."""
    headers: list[tuple[str, str | bytes | None]] = [
        (str(name), None if value is None else b64decode(value)) for name, value in dead.headers
    ]
    why = {
        "code": dead.code,
        "detail": dead.detail,
        "topic": dead.topic,
        "partition": str(dead.partition),
        "offset": str(dead.offset),
        "at": _time(dead.at),
    }
    headers += [(f"plumbline.error.{name}", value.encode()) for name, value in why.items()]
    return Outgoing(settings.topic_dead_letters, dead.key, dead.value, headers)


def without_value(record: Outgoing) -> Outgoing:
    """What is published of a dead letter that the broker finds too large; the bytes stay in `dead_letters`."""
    size = str(len(record.value or b"")).encode()
    return replace(record, value=None, headers=[*record.headers, ("plumbline.error.value_bytes", size)])


def _key(topic: str, partition: int) -> bytes:
    return f"{topic}/{partition}".encode()


def _json(body: dict[str, object]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
