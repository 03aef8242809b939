"""What OpenAPI says of the query routes."""

from typing import Any


def _parameter(name: str, description: str, example: object = None, *, repeatable: bool = False) -> dict[str, Any]:
    one: dict[str, Any] = {"type": "string"}
    schema = {"type": "array", "items": one} if repeatable else one
    parameter: dict[str, Any] = {"name": name, "in": "query", "description": description, "schema": schema}
    if repeatable:
        parameter |= {"style": "form", "explode": True}
    return parameter if example is None else parameter | {"example": example}


def _choice(name: str, description: str, choices: list[str]) -> dict[str, Any]:
    schema = {"type": "string", "enum": choices, "default": choices[0]}
    return {"name": name, "in": "query", "description": description, "schema": schema}


LIMIT = _parameter("limit", "Rows a page at most; a page may hold fewer and still have a `next_cursor`.", "1000")
CURSOR = _parameter(
    "cursor",
    "A page's `next_cursor`: continues after that page. The others may be repeated as they were, or left out.",
)
SECURITY = [{"token": ["read:stats"]}]
_RECORDS_SECURITY = [{"token": ["read:records"]}]
PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"description": "the token was sent twice, or not in the header"},
    401: {"description": "no token, or one that isn't valid"},
    403: {"description": "the token lacks the scope"},
    422: {"description": "a parameter can't be used; `errors` names it and the fix"},
    429: {"description": "too many requests of this subject or address: try again after Retry-After seconds"},
    503: {"description": "the database doesn't answer: try again after Retry-After seconds"},
}
_NOT_FOUND = {"description": "no such device, or not one of the token's"}

_DEVICE = {
    "device_id": "dev-2",
    "metrics": ["gene_count", "sample_quality"],
    "first_seen": "2025-09-09T17:00:00Z",
    "last_seen": "2025-09-16T09:30:00.250000Z",
}


def _json(example: object, description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"example": example}}}


DEVICES: dict[str, Any] = {
    "summary": "Devices and what they send",
    "description": "In the order of their ids, by code point. `first_seen` and `last_seen` are the timestamps of the "
    "oldest and the newest stored event.",
    "openapi_extra": {
        "parameters": [
            _parameter("q", "Only ids that hold this text, at their start or within.", "dev-"),
            LIMIT,
            CURSOR,
        ],
        "security": SECURITY,
    },
    "responses": {200: _json({"rows": [_DEVICE], "next_cursor": None}, "a page of devices"), **PROBLEMS},
}

DEVICE: dict[str, Any] = {
    "summary": "One device, with lateness and skew",
    "description": "`lateness.readings`: readings in closed buckets; `lateness.late`: those of them that came after "
    "their bucket was closed. `skew.seconds`: `last_seen` − `as_of`. Above zero the device's clock is ahead by at "
    "least that; below zero it is how long ago the newest event was measured.",
    "openapi_extra": {"security": SECURITY},
    "responses": {
        200: _json(
            {
                **_DEVICE,
                "as_of": "2025-09-16T09:30:05Z",
                "lateness": {"readings": 1200, "late": 3},
                "skew": {"seconds": -4.75},
            },
            "the device",
        ),
        **PROBLEMS,
        404: _NOT_FOUND,
    },
}

_STATS_TEXT = """Everything that is stored and was accepted so far: closed buckets, late data and the live tail, \
in one snapshot.

A row is a device's metric (with `group=none`: a metric across devices) in a bucket, `start` ≤ timestamp < `end`: \
half-open, so that each reading is in one bucket. Buckets are aligned to midnight in `tz`, so a day has 23 or 25 \
hours where clocks change. A bucket that `from` or `to` cuts counts only what is inside and keeps its nominal `start` \
and `end`. Rows are in the order of device, metric and start, by code point.

- `count`: readings, each accepted event once for each metric that it has; `min`, `max`: exact
- `sum`: compensated, so that a sum of sums is the sum of the readings to 1e-12 of their magnitudes; null where a \
double can't hold it. `avg` = sum / count, also where the sum is null
- `stddev`: of a sample (n − 1); null below two values, and where a double can't hold it
- `p50`, …: as Postgres's `percentile_cont` defines it: linear interpolation between the two nearest values; never \
outside `min` and `max`
- `final`: `end` ≤ the watermark and nothing late is waiting to be added. That is the watermark's word and no more: \
late data is still counted when it comes, and the row is then another one
- `method`: `exact`, or `sketch` where a percentile is read off a summary
- `max_rank_error`: the most that a percentile's rank can be off, as a share of 1, never above 0.005: a p95 with \
0.0025 lies between the true p94.75 and p95.25; 0 when exact. p0 and p100 are always exact
- `late`: readings among `count` that came after their minute was closed
- `as_of`: the database's time of the snapshot

The same events give the same answer, in whatever order they came.

`ETag` and `If-None-Match`: 304 while nothing has changed but `as_of`. `Cache-Control` is `max-age=60` where all rows \
are final and the times fixed, so a client's own cache may be a minute behind late data (send `Cache-Control: \
no-cache` to ask again); else `no-cache`."""

_ROW = {
    "device_id": "dev-2",
    "metric": "gene_count",
    "start": "2025-09-09T17:00:00Z",
    "end": "2025-09-09T18:00:00Z",
    "count": 3600,
    "min": 7.0,
    "max": 19.0,
    "avg": 12.25,
    "sum": 44100.0,
    "stddev": 2.125,
    "p50": 12.0,
    "p90": 15.0,
    "p95": 16.0,
    "p99": 18.0,
    "final": True,
    "method": "exact",
    "max_rank_error": 0.0,
    "late": 2,
}

_STATS_EXAMPLE = {
    "as_of": "2025-09-16T09:30:05.012345Z",
    "from": "2025-09-09T17:00:00Z",
    "to": "2025-09-09T18:00:00Z",
    "bucket": "1h",
    "tz": "UTC",
    "rows": [_ROW],
    "next_cursor": None,
}

_TIME = "RFC 3339 with an offset, epoch seconds or milliseconds, `-15m`, `-24h`, `-7d` (from now), or `now`. "

STATS: dict[str, Any] = {
    "summary": "Statistics of devices' metrics over time",
    "description": _STATS_TEXT,
    "openapi_extra": {
        "parameters": [
            _parameter("device_id", "Without it: every device that the token may see.", ["dev-2"], repeatable=True),
            _parameter("metric", "Without it: every metric.", ["gene_count"], repeatable=True),
            _parameter("from", _TIME + "Default: `to` − 24 h.", "-24h"),
            _parameter("to", _TIME + "Default: `now`.", "now"),
            _parameter(
                "bucket",
                "Minutes or hours that divide a day, from the zone's midnight; `1d`; `1w`, from Monday; `none`: one "
                "row from `from` to `to`; `auto` (default): at most about 300 buckets.",
                "1h",
            ),
            _parameter("percentiles", "From 0 to 100, separated by commas. Default: 50,90,95,99.", "50,95,99.9"),
            _parameter("tz", "Name of the zone that buckets are aligned in. Default: UTC.", "Europe/Berlin"),
            _choice("group", "`none`: across devices, `device_id` is null.", ["device", "none"]),
            _choice("fill", "`null`: rows with `count` 0 where there are no readings.", ["none", "null"]),
            LIMIT,
            CURSOR,
        ],
        "security": SECURITY,
    },
    "responses": {
        200: {
            "description": "a page of rows; CSV has the same members as columns, and the next page in `Link`",
            "headers": {
                "ETag": {"description": "of the rows, weak", "schema": {"type": "string"}},
                "Cache-Control": {"description": "private; how long it may be kept", "schema": {"type": "string"}},
            },
            "content": {
                "application/json": {"example": _STATS_EXAMPLE},
                "text/csv": {"example": ",".join(_ROW) + "\r\n"},
            },
        },
        304: {"description": "the client's `If-None-Match` names this answer"},
        **PROBLEMS,
        404: _NOT_FOUND,
        406: {"description": "neither JSON nor CSV is acceptable"},
    },
}

_EVENT = {
    "device_id": "dev-2",
    "timestamp": "2025-09-09T17:00:00.250000Z",
    "data_payload": {"gene_count": 12.0, "sample_quality": 0.98},
    "extras": {"firmware": "1.4"},
}

RECORDS: dict[str, Any] = {
    "summary": "Events of devices, newest first",
    "description": "Each accepted event once, whole: `data_payload` has its metrics, as exactly the doubles that were "
    "sent, `extras` what else it brought. Ordered by timestamp, the newest first, then device and names of metrics.\n\n"
    "`from` ≤ timestamp < `to`. Clocks that are ahead may have sent events with timestamps up to some minutes after "
    "now, which the default `to` leaves out.\n\n"
    "`next_cursor` keeps the range of the first page, so events that come meanwhile change nothing about the pages "
    "that follow, but for late ones that belong there. A page has `limit` rows, or fewer once it has 8 MiB.",
    "openapi_extra": {
        "parameters": [
            _parameter(
                "device_id", "Of these devices, 1 to 100; only with a cursor without.", ["dev-2"], repeatable=True
            ),
            _parameter(
                "metric", "Events that have one of these metrics; they come whole.", ["gene_count"], repeatable=True
            ),
            _parameter("from", _TIME + "Default: `to` − 24 h.", "-24h"),
            _parameter("to", _TIME + "Default: `now`.", "now"),
            LIMIT,
            CURSOR,
        ],
        "security": _RECORDS_SECURITY,
    },
    "responses": {
        200: _json({"rows": [_EVENT], "next_cursor": None}, "a page of events"),
        **PROBLEMS,
        404: _NOT_FOUND,
    },
}

LATEST: dict[str, Any] = {
    "summary": "The latest event of each device",
    "description": "In the order of device ids, by code point. The latest event is the one with the greatest "
    "timestamp; of several with the same one, the first by names of metrics: the first row of /records. It stays when "
    "raw events are deleted after their time.",
    "openapi_extra": {
        "parameters": [
            _parameter(
                "device_id",
                "Of these devices, up to 100. Without it: all that the token covers.",
                ["dev-2"],
                repeatable=True,
            ),
            LIMIT,
            CURSOR,
        ],
        "security": _RECORDS_SECURITY,
    },
    "responses": {
        200: _json({"rows": [_EVENT], "next_cursor": None}, "a page of events, one a device"),
        **PROBLEMS,
        404: _NOT_FOUND,
    },
}
