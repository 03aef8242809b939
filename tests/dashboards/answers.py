"""Asks real servers what panels and variables ask, and keeps a sample of what came back."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from tests.dashboards.expand import Values, Window, promql, sql

SHOWN = 3


@dataclass(frozen=True)
class Servers:
    """Where to ask; `database` is a connection as plumbline_readonly."""

    prometheus: httpx.Client
    database: psycopg.Connection

    def sample(self, query: Mapping[str, Any], window: Window, values: Values) -> list[str]:
        """Some of what a panel's query finds, as text: the last value of a series, or a row. Empty: nothing."""
        if "rawSql" in query:
            return self._rows(query, window, values)
        return self._series(query, window, values)

    def choices(self, variable: Mapping[str, Any], window: Window, values: Values) -> list[str]:
        """What the list of a variable would hold."""
        query = variable["query"]
        if isinstance(query, str):
            statement = sql(query, window, values)
            return [str(value) for value, *_ in self.database.execute(statement.encode()).fetchall()]
        found = re.fullmatch(r"label_values\((.+), (\w+)\)", query["query"])
        assert found, query
        return list(self._ask(f"/api/v1/label/{found[2]}/values", {"match[]": found[1]}))

    def _ask(self, path: str, parameters: Mapping[str, Any]) -> Any:
        answer = self.prometheus.get(path, params=dict(parameters))
        document = answer.json()
        assert document["status"] == "success", document
        return document["data"]

    def _series(self, query: Mapping[str, Any], window: Window, values: Values) -> list[str]:
        asked: dict[str, Any] = {"query": promql(query["expr"], window, values)}
        if query["instant"]:
            data = self._ask("/api/v1/query", {**asked, "time": window.end.timestamp()})
            found = [(series["metric"], [series["value"]]) for series in data["result"]]
        else:
            span = {"start": window.begin.timestamp(), "end": window.end.timestamp(), "step": window.interval}
            data = self._ask("/api/v1/query_range", {**asked, **span})
            found = [(series["metric"], series["values"]) for series in data["result"]]
        last = [(_legend(query.get("legendFormat", ""), labels), _last(points)) for labels, points in found]
        there = sorted(((name, value) for name, value in last if value is not None), key=lambda each: not each[1])
        return [f"{name} {figure(value)}".strip() for name, value in there[:SHOWN]]

    def _rows(self, query: Mapping[str, Any], window: Window, values: Values) -> list[str]:
        statement = sql(query["rawSql"], window, values)
        with self.database.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(statement.encode()).fetchmany(100_000)
        full = [row for row in rows if None not in row.values()]
        shown = full[:1] if query["format"] == "table" else full[-1:]
        return [" · ".join(map(figure, row.values())) for row in shown]


def _legend(form: str, labels: Mapping[str, str]) -> str:
    if not form:
        return " ".join(value for name, value in labels.items() if name != "__name__")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), form)


def _last(points: Sequence[Sequence[Any]]) -> float | None:
    """The last number among them; NaN, as a quantile of nothing is, isn't one."""
    numbers = [float(value) for _, value in points]
    return next((number for number in reversed(numbers) if not math.isnan(number)), None)


def figure(value: object) -> str:
    """A number to four digits, a time to the second, anything else as it is."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    try:
        number = float(str(value))
    except ValueError:
        return str(value)
    return f"{number:.4g}" if abs(number) < 10_000 else f"{number:,.0f}"
