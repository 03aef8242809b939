"""What any operation may answer, by what it has, as OpenAPI says it: routes describe only what is their own."""

from typing import Any

from api_service.problems import MEDIA_TYPE

_TEXT = {"type": "string"}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "Problem details (RFC 9457): what is wrong, and how to mend it.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "code": {**_TEXT, "description": "stable, for programs"},
        "trace_id": {**_TEXT, "description": "with 500 and 503: the request's, in our logs and traces too"},
        "errors": {
            "type": "array",
            "description": "what can't be used: a parameter, a server that doesn't answer",
            "items": {
                "type": "object",
                "required": ["field", "detail"],
                "properties": {"field": _TEXT, "detail": _TEXT},
            },
        },
        "rejected": {
            "type": "array",
            "description": "of a batch in which no event can be taken: why, by its place",
            "items": {
                "type": "object",
                "required": ["index", "code", "detail"],
                "properties": {"index": {"type": "integer"}, "code": _TEXT, "detail": _TEXT},
            },
        },
    },
}
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}

_ALL = {"429": "over the rate: try again after Retry-After seconds"}
_OF_TOKEN = {
    "400": "the token was sent twice, or in the query",
    "401": "no token, or one that isn't valid",
    "403": "the token lacks the scope",
    "503": "a server that is needed doesn't answer: try again after Retry-After seconds",
}
_OF_BODY = {"408": "the body came too slowly", "413": "the body is too large"}
_HEADERS = {"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"}
_FREE = ("/healthz", "/readyz", "/.well-known/")


def complete(path: str, operation: dict[str, Any]) -> None:
    """Adds the answers that the operation doesn't describe itself, and the form of those that it does."""
    common = {} if path.startswith(_FREE) else dict(_ALL)
    common |= _OF_TOKEN if operation.get("security") else {}
    common |= _OF_BODY if "requestBody" in operation else {}
    answers = operation["responses"]
    for status, description in common.items():
        answers.setdefault(status, {"description": description})
    for status, answer in answers.items():
        if status >= "400":
            answer.setdefault("content", _PROBLEM)
        if status in _HEADERS and MEDIA_TYPE in answer["content"]:
            answer.setdefault("headers", {})[_HEADERS[status]] = {"required": True, "schema": _TEXT}
        for content in answer.get("content", {}).values():
            if isinstance(content.get("example"), dict):
                content.setdefault("schema", _members(content["example"]))
    operation["responses"] = dict(sorted(answers.items()))


def _members(example: dict[str, Any]) -> dict[str, Any]:
    """A schema for what an example shows: the members that are always there."""
    schema: dict[str, Any] = {"type": "object", "required": list(example)}
    if "rows" in example:
        rows = {"type": "array", "items": {"type": "object"}}
        schema["properties"] = {"rows": rows, "next_cursor": {"type": ["string", "null"]}}
    return schema
