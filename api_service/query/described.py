"""What OpenAPI says of the query routes."""

from typing import Any


def _parameter(name: str, description: str, example: object = None, *, repeatable: bool = False) -> dict[str, Any]:
    one: dict[str, Any] = {"type": "string"}
    schema = {"type": "array", "items": one} if repeatable else one
    parameter: dict[str, Any] = {"name": name, "in": "query", "description": description, "schema": schema}
    if repeatable:
        parameter |= {"style": "form", "explode": True}
    return parameter if example is None else parameter | {"example": example}


LIMIT = _parameter("limit", "Rows a page at most; a page may hold fewer and still have a `next_cursor`.", "1000")
CURSOR = _parameter(
    "cursor",
    "A page's `next_cursor`: continues after that page. The others may be repeated as they were, or left out.",
)
SECURITY = [{"token": ["read:stats"]}]
PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"description": "no token, or one that isn't valid"},
    403: {"description": "the token lacks the scope"},
    422: {"description": "a parameter can't be used; `errors` names it and the fix"},
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
