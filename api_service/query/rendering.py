"""A row of /stats as bytes: a JSON object, or a line of CSV."""

from collections.abc import Sequence

import msgspec

from api_service.query import negotiation, rows, tabular
from api_service.query.question import Question
from api_service.query.rows import Row


def render(made: Sequence[Row], question: Question, media_type: str) -> list[bytes]:
    """The rows in this media type."""
    if media_type == negotiation.CSV:
        return [tabular.line(rows.texts(row)) for row in made]
    names, encode = rows.names(question), msgspec.json.encode
    return [encode(dict(zip(names, rows.texts(row), strict=True))) for row in made]
