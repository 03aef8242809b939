"""Rows as CSV (RFC 4180)."""

import csv
import io
from collections.abc import Sequence
from typing import Any


def line(row: Sequence[Any]) -> bytes:
    """A line, in UTF-8; null is an empty cell, numbers are written as in JSON."""
    text = io.StringIO()
    csv.writer(text).writerow(_cell(value) for value in row)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else value
