"""Rows as CSV (RFC 4180)."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any


def render(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """The header and the rows, in UTF-8; null is an empty cell, numbers are written as in JSON."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else value
