"""What OpenAPI says of the routes that show what goes on."""

import json
from typing import Any

from fastapi import Response

from api_service.query.described import PROBLEMS, SECURITY, STATS

# Parameters of /stats that a stream, which goes on, has no use for.
LEFT_OUT = ("to", "fill", "limit", "cursor")
_STATS_PARAMETERS = STATS["openapi_extra"]["parameters"]
_LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The id of the last event that was received: the stream goes on from there.",
    "schema": {"type": "string"},
}
_ROWS_OF_STATS = STATS["responses"][200]["content"]["application/json"]["example"]["rows"]
_DATA = {
    "as_of": "2025-09-09T17:59:58.102Z",
    "from": "2025-09-09T16:00:00Z",
    "to": "2025-09-09T17:59:58.102Z",
    "bucket": "1h",
    "tz": "UTC",
    "complete": False,
    "rows": _ROWS_OF_STATS,
}

STREAM: dict[str, Any] = {
    "summary": "Statistics as they change",
    "description": """Server-sent events. The question is one of /stats, of whole buckets from the one that `from` is \
in (default: the bucket before the current one) until now, for as long as the client listens. 5,000 rows at most.

- `event: stats`: `data` is JSON as of /stats with `complete`. The first event has all rows (`complete` true: `from` \
to `to` holds no others). Those that follow have rows that are new or have changed, by live data or by late; a row \
takes the place of the one with the same device, metric and start. An event without rows comes every 15 seconds at \
least: as of when what was sent still holds.
- `event: trouble`: what keeps the server from looking; the stream goes on once it can.
- `event: end`: the token has expired.

After a break, send the last `id` as `Last-Event-ID`: the first event then has what has changed since, or, where the \
server doesn't know that id, all rows from its time on (`complete` true). Changes that late data makes in buckets \
before `from` aren't told.

A client that doesn't read what it is sent is cut off. EventSource can't send a token; `fetch` can.

    curl -N -H "Authorization: Bearer $TOKEN" "$API_URL/stats/stream?device_id=dev-2&bucket=1m"
""",
    "response_class": Response,  # without FastAPI's own guess that it is JSON
    "openapi_extra": {
        "parameters": [*(p for p in _STATS_PARAMETERS if p["name"] not in LEFT_OUT), _LAST_EVENT_ID],
        "security": SECURITY,
    },
    "responses": {
        200: {
            "description": "events, without end",
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": f"id: 5f0c9a1e-7-1757440798102000\nevent: stats\ndata: {json.dumps(_DATA)}\n\n",
                }
            },
        },
        **PROBLEMS,
        404: STATS["responses"][404],
    },
}

PIPELINE: dict[str, Any] = {
    "summary": "How much has come in, and how fresh statistics are",
    "description": "Totals since the beginning: who asks twice has the rate. `events` = `persisted` + `duplicates` + "
    "`dead_letters`; `conflicts` are among the duplicates. Of each level of stored statistics `until`: buckets before "
    "it are stored; `behind_seconds` the clock. Answers don't wait for that: they have what isn't stored yet from the "
    "events themselves. `late_waiting`: buckets of devices with late events that aren't in the stored statistics, "
    "counted to 10,000; `late_waiting_seconds`: how long the oldest has waited. For tokens that see all devices.",
    "openapi_extra": {"security": SECURITY},
    "responses": {
        200: {
            "description": "the figures of this moment",
            "content": {
                "application/json": {
                    "example": {
                        "as_of": "2025-09-09T17:59:58.102Z",
                        "ingestion": {
                            "events": 1_000_000, "persisted": 998_997, "duplicates": 1_000, "conflicts": 2,
                            "dead_letters": 3, "last_commit": "2025-09-09T17:59:58.051Z",
                        },
                        "aggregation": {
                            "levels": [{"level": "1m", "until": "2025-09-09T17:59:00Z", "behind_seconds": 58.102}],
                            "late_waiting": 0,
                            "late_waiting_seconds": None,
                        },
                    }
                }
            },
        },
        **PROBLEMS,
    },
}  # fmt: skip
