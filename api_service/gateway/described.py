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
