"""The gateway's routes as OpenAPI describes them."""

from typing import Any

_EVENT = {
    "type": "object",
    "description": "device_id (or device, sensor_id, source), timestamp (or ts, time: RFC 3339 with an offset, or "
    "epoch seconds or milliseconds), and data_payload; without data_payload, all other members take its place. "
    "Finite numbers are metrics, everything else is kept beside them.",
    "example": {
        "device_id": "dev-2",
        "timestamp": "2025-09-09T17:00:00Z",
        "data_payload": {"gene_count": 12, "sample_quality": 0.98},
    },
}
_REJECTED = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["index", "code", "detail"],
        "properties": {
            "index": {"type": "integer", "description": "place in the request, from 0"},
            "code": {"type": "string", "description": "stable, such as bad_timestamp"},
            "detail": {"type": "string", "description": "what to mend"},
        },
    },
}
_ACCEPTED = {
    "type": "object",
    "required": ["accepted", "rejected", "receipt"],
    "properties": {
        "accepted": {"type": "integer", "description": "events that Kafka has"},
        "rejected": _REJECTED,
        "receipt": {"type": "string", "description": "for GET /ingest/{receipt}"},
    },
}

_EXAMPLE = {
    "accepted": 2,
    "rejected": [
        {"index": 1, "code": "bad_timestamp", "detail": "timestamp, ts or time must be RFC 3339 with an offset"}
    ],
    "receipt": "xGq2…",
}


def _operation(summary: str, operation_id: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "operation_id": operation_id,
        "status_code": 202,
        "description": "One event, an array of events, or one event a line. The answer comes once Kafka has all that "
        "was accepted (acks=all). Sending again is harmless: an event is identified by device, timestamp and set of "
        "metric names, and is counted once. With Content-Encoding: gzip the body is decompressed.",
        "openapi_extra": {
            "security": [{"token": ["write:readings"]}],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": {"oneOf": [_EVENT, {"type": "array", "items": _EVENT}]}},
                    "application/x-ndjson": {"schema": {"type": "string", "description": "an event a line"}},
                },
            },
        },
        "responses": {
            202: {
                "description": "Kafka has what was accepted",
                "content": {"application/json": {"schema": _ACCEPTED, "example": _EXAMPLE}},
            },
            400: {"description": "the body is no JSON, or no gzip; or the token came twice"},
            403: {"description": "the scope is missing, or the token doesn't cover a single event's device"},
            413: {"description": "too many bytes, or too many events"},
            415: {"description": "another Content-Type or Content-Encoding"},
            422: {"description": "no event can be taken: `code`, or `rejected` by event"},
            429: {"description": "over the rate; see Retry-After"},
            503: {"description": "Kafka didn't confirm, or its queue is full; see Retry-After and send all again"},
        },
    }


INGEST = _operation("Send events", "ingest")
INGEST_VITAL_DATA = _operation("Send events, as /ingest does", "ingest_vital_data")

_REPORT = {
    "receipt": "xGq2…",
    "pending": 1,
    "persisted": 1,
    "dead_lettered": 1,
    "events": [
        {"index": 0, "status": "persisted"},
        {"index": 1, "status": "dead_lettered", "code": "cardinality_limit"},
        {"index": 2, "status": "pending"},
    ],
}
_BUFFER = {
    "rows": [
        {"topic": "telemetry.readings", "partition": 0, "count": 12, "oldest_age_seconds": 0.35},
        {"topic": "telemetry.readings", "partition": 1, "count": 0, "oldest_age_seconds": None},
    ],
    "count": 12,
    "next_cursor": None,
}


def _read(example: object, description: str, scope: str, **others: str) -> dict[str, Any]:
    responses = {
        200: {"description": description, "content": {"application/json": {"example": example}}},
        400: {"description": "the token was sent twice, or not in the header"},
        401: {"description": "no token, or one that isn't valid"},
        403: {"description": "the token lacks the scope"},
        422: {"description": "it was given a parameter, and takes none"},
        429: {"description": "too many requests of this subject or address: try again after Retry-After seconds"},
        503: {"description": "the database, or what else is needed, doesn't answer: see Retry-After"},
    }
    return {
        "openapi_extra": {"security": [{"token": [scope]}]},
        "responses": {**responses, **{int(status[1:]): {"description": text} for status, text in others.items()}},
    }


RECEIPT: dict[str, Any] = {
    "summary": "What became of the events of a request",
    "description": "`index` is the event's place in the request. `persisted`: it is stored, or was before (a "
    "duplicate). `dead_lettered`: it couldn't be stored; `code` says why. `pending`: Kafka has it, and it will be "
    "stored; with the code `skipped`, an operator decided that it is passed over.\n\n"
    "A receipt needs no table: it says where Kafka put the events, and is signed. It is valid for the subject that "
    "sent them, as long as dead letters and operators' decisions are kept.",
    **_read(_REPORT, "each event's status", "write:readings", _404="no such receipt, or another subject's"),
}

CHECK_BUFFER: dict[str, Any] = {
    "summary": "What was accepted and isn't stored yet",
    "description": "For each partition of the readings topic `count`, the offsets that are not stored yet, and the age "
    "of the oldest record among them by its timestamp; null: there is none. `count` in all beside the rows. An answer "
    "is up to half a second old. It names no device, so tokens that are limited to some see it too.",
    **_read(_BUFFER, "all partitions", "read:records"),
}
